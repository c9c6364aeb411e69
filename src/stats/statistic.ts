// A number that may not exist: the tag and its reason travel with it, so that no NaN is ever printed as a result.

export interface Undefined {
  readonly status: 'UNDEFINED';
  /** A sentence for the reader of the results. */
  readonly reason: string;
}

export type Statistic<T = number> = { readonly status: 'DEFINED'; readonly value: T } | Undefined;

/** Tags a value that exists. */
export function defined<T>(value: T): Statistic<T> {
  return { status: 'DEFINED', value };
}

/** Tags a value that does not exist, with the sentence that says why. */
export function undefinedBecause(reason: string): Undefined {
  return { status: 'UNDEFINED', reason };
}

/** The value, or NaN where it is UNDEFINED: for inner loops only, never for a result. */
export function valueOrNaN(statistic: Statistic): number {
  return statistic.status === 'DEFINED' ? statistic.value : Number.NaN;
}
