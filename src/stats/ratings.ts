// Ratings as the results see them, and the paired table (two arms, same rater, same item) that comparisons start from.

import { AppError } from '../errors.js';

/** One answer on the scale: a rater's value for one arm's painting of one item on one criterion. */
export interface Rating {
  readonly rater: string;
  readonly item: string;
  readonly arm: string;
  readonly criterion: string;
  readonly value: number;
}

/** Which rater and which item each observation belongs to, as indices: what a crossed resampling needs to know. */
export interface Crossing {
  readonly raters: readonly string[];
  readonly items: readonly string[];
  /** [observation], index into raters. */
  readonly rater: Int32Array;
  /** [observation], index into items. */
  readonly item: Int32Array;
}

/** Two arms rated by the same rater on the same item. */
export interface PairedTable extends Crossing {
  /** [observation], the rating of the arm in question. */
  readonly first: Float64Array;
  /** [observation], the rating of the arm it is compared with. */
  readonly second: Float64Array;
  /** [observation], first - second. */
  readonly difference: Float64Array;
  /** Ratings that had no partner and were left out. */
  readonly unpaired: number;
}

/** Pairs the two arms' ratings on a criterion; BAD_INPUT if a rater rated the same painting twice (leave out repeats). */
export function pairRatings(
  ratings: Iterable<Rating>,
  criterion: string,
  arm: string,
  comparedWith: string,
): PairedTable {
  const sides = [new Map<string, Rating>(), new Map<string, Rating>()] as const;
  for (const rating of ratings) {
    if (rating.criterion !== criterion || (rating.arm !== arm && rating.arm !== comparedWith)) continue;
    const side = sides[rating.arm === arm ? 0 : 1];
    const cell = `${rating.rater}\n${rating.item}`;
    if (side.has(cell)) {
      const what = `rater ${rating.rater}, item ${rating.item}, arm ${rating.arm}`;
      throw new AppError('BAD_INPUT', `Two ratings of one painting (${what}); pass first answers only.`, {
        field: 'ratings',
      });
    }
    side.set(cell, rating);
  }
  const pairs = [...sides[0]].flatMap(([cell, first]) => {
    const second = sides[1].get(cell);
    return second ? [{ rater: first.rater, item: first.item, first: first.value, second: second.value }] : [];
  });
  return {
    ...crossingOf(pairs),
    first: Float64Array.from(pairs, (pair) => pair.first),
    second: Float64Array.from(pairs, (pair) => pair.second),
    difference: Float64Array.from(pairs, (pair) => pair.first - pair.second),
    unpaired: sides[0].size + sides[1].size - 2 * pairs.length,
  };
}

/** Indexes raters and items in order of first appearance; every one of them has an observation. */
export function crossingOf(
  observations: readonly { readonly rater: string; readonly item: string }[],
): Crossing {
  const raters = new Map<string, number>();
  const items = new Map<string, number>();
  const indexIn = (names: Map<string, number>, name: string) => {
    if (!names.has(name)) names.set(name, names.size);
    return names.get(name)!;
  };
  const rater = Int32Array.from(observations, (observation) => indexIn(raters, observation.rater));
  const item = Int32Array.from(observations, (observation) => indexIn(items, observation.item));
  return { raters: [...raters.keys()], items: [...items.keys()], rater, item };
}

/** Observations sorted by unit[k] in [0, units): those of unit u are order[start[u]] to order[start[u + 1] - 1], as given. */
export function sortBy(unit: Int32Array, units: number): { start: Int32Array; order: Int32Array } {
  const start = new Int32Array(units + 1);
  for (const u of unit) start[u + 1]!++;
  for (let u = 0; u < units; u++) start[u + 1]! += start[u]!;
  const next = start.slice();
  const order = new Int32Array(unit.length);
  for (let k = 0; k < unit.length; k++) order[next[unit[k]!]!++] = k;
  return { start, order };
}

/** Mean of the values of each rater or each item, in the crossing's order. */
export function meansBy(unit: 'RATER' | 'ITEM', crossing: Crossing, values: Float64Array): Float64Array {
  const index = unit === 'RATER' ? crossing.rater : crossing.item;
  const size = unit === 'RATER' ? crossing.raters.length : crossing.items.length;
  const sum = new Float64Array(size);
  const count = new Int32Array(size);
  for (let k = 0; k < values.length; k++) {
    sum[index[k]!]! += values[k]!;
    count[index[k]!]!++;
  }
  return sum.map((total, i) => total / count[i]!);
}
