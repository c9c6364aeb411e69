// What is known of each rater: consistency with oneself, attention checks, and results with and without the excluded.

import { AppError } from '../errors.js';
import { agreementTable } from './agreement-table.js';
import { chanceCorrected } from './chance-corrected.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

/** The same painting rated twice by one rater. */
export interface Retest {
  readonly rater: string;
  readonly first: number;
  readonly second: number;
}

export interface Consistency {
  readonly repeats: number;
  /** Share of repeats with the same answer. */
  readonly exact: Statistic;
  readonly meanAbsoluteDifference: Statistic;
  /** Mean of second - first: drift of the rater's standard. */
  readonly drift: Statistic;
  /** Gwet's AC2 with quadratic weights between first and second answers; defined also where all answers are one value. */
  readonly gwetAc2: Statistic;
}

export interface ConsistencyReport extends Consistency {
  readonly raters: readonly (Consistency & { readonly rater: string })[];
}

/** Self-consistency over all raters and of each; BAD_INPUT for an answer off the scale. */
export function selfConsistency(retests: readonly Retest[], scale: readonly number[]): ConsistencyReport {
  return {
    ...consistencyOf(retests, scale),
    raters: [...byRater(retests)].map(([rater, own]) => ({
      rater,
      ...consistencyOf(own, scale),
    })),
  };
}

function byRater<T extends { readonly rater: string }>(records: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const record of records) {
    const group = groups.get(record.rater);
    if (group) group.push(record);
    else groups.set(record.rater, [record]);
  }
  return groups;
}

function consistencyOf(retests: readonly Retest[], scale: readonly number[]): Consistency {
  const n = retests.length;
  if (n === 0) {
    const none = undefinedBecause('no painting was rated twice');
    return { repeats: 0, exact: none, meanAbsoluteDifference: none, drift: none, gwetAc2: none };
  }
  const mean = (value: (retest: Retest) => number) =>
    retests.reduce((sum, retest) => sum + value(retest), 0) / n;
  const answers = retests.flatMap(({ first, second }, index) => [
    { item: String(index), value: first },
    { item: String(index), value: second },
  ]);
  return {
    repeats: n,
    exact: defined(mean(({ first, second }) => (first === second ? 1 : 0))),
    meanAbsoluteDifference: defined(mean(({ first, second }) => Math.abs(second - first))),
    drift: defined(mean(({ first, second }) => second - first)),
    gwetAc2: chanceCorrected(agreementTable(answers, scale), 'QUADRATIC').gwetAc,
  };
}

/** An answer to a check, and the answers that pass it. */
export interface CheckAnswer {
  readonly rater: string;
  readonly kind: string;
  readonly answer: number;
  readonly accepted: readonly number[];
}

export interface RaterChecks {
  readonly rater: string;
  readonly asked: number;
  readonly failed: number;
  /** Failures by kind of check; kinds that were passed throughout are listed with 0. */
  readonly failedByKind: Readonly<Record<string, number>>;
  /** True when more checks failed than the rule allows: for the lead to judge, never excluded by itself. */
  readonly flagged: boolean;
}

/** Sums up each rater's checks under a rule that is fixed before the data: at most `allowedFailures`. */
export function summariseChecks(answers: readonly CheckAnswer[], allowedFailures: number): RaterChecks[] {
  if (!Number.isInteger(allowedFailures) || allowedFailures < 0) {
    throw new AppError(
      'BAD_INPUT',
      `allowedFailures must be 0 or a whole number above; got ${allowedFailures}.`,
      {
        field: 'allowedFailures',
      },
    );
  }
  return [...byRater(answers)].map(([rater, own]) => {
    const failedByKind: Record<string, number> = {};
    let failed = 0;
    for (const { kind, answer, accepted } of own) {
      const miss = accepted.includes(answer) ? 0 : 1;
      failed += miss;
      failedByKind[kind] = (failedByKind[kind] ?? 0) + miss;
    }
    return { rater, asked: own.length, failed, failedByKind, flagged: failed > allowedFailures };
  });
}

export interface WithAndWithout<T> {
  readonly all: T;
  readonly kept: T;
  /** The excluded raters who had ratings, in the order given. */
  readonly excluded: readonly string[];
}

/** The same analysis on all ratings and on those of raters who were not excluded, to be reported side by side. */
export function withAndWithout<R extends { readonly rater: string }, T>(
  ratings: readonly R[],
  excludedRaters: readonly string[],
  analyse: (ratings: readonly R[]) => T,
): WithAndWithout<T> {
  const present = new Set(ratings.map(({ rater }) => rater));
  const excluded = excludedRaters.filter((rater) => present.has(rater));
  const out = new Set(excluded);
  const all = analyse(ratings);
  return {
    all,
    kept: out.size === 0 ? all : analyse(ratings.filter(({ rater }) => !out.has(rater))),
    excluded,
  };
}
