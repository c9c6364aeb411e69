// A study's ratings as columns of numbers: what a million of them fit into, and what goes from thread to thread without a copy.

import { type Crossing, sortBy } from './ratings.js';

/**
 * Row k is one painting as one rater rated it, on every criterion. Rows are in the order of rater, item and arm, and of when
 * the rater saw the painting where that was more than once.
 */
export interface RatingTable {
  readonly raters: readonly string[];
  readonly items: readonly string[];
  readonly arms: readonly string[];
  readonly criteria: readonly string[];
  /** [rater], the number of the rater's group. */
  readonly groups: Int32Array;
  /** [row], indices into raters, items and arms. */
  readonly rater: Int32Array;
  readonly item: Int32Array;
  readonly arm: Int32Array;
  /** [row], the arm on the same screen; the row's own where it was alone. */
  readonly beside: Int32Array;
  /** [row, criterion], from 1. */
  readonly values: Uint8Array;
}

/** A table of up to `rows` rows for the caller to fill in order; `finish` cuts it to what was added. */
export function fillTable(
  names: Pick<RatingTable, 'raters' | 'items' | 'arms' | 'criteria' | 'groups'>,
  rows: number,
) {
  const width = names.criteria.length;
  const [rater, item, arm, beside] = [0, 0, 0, 0].map(() => new Int32Array(rows)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const values = new Uint8Array(rows * width);
  let row = 0;
  return {
    add(raterOf: number, itemOf: number, armOf: number, besideOf: number, ratings: ArrayLike<number>): void {
      rater[row] = raterOf;
      item[row] = itemOf;
      arm[row] = armOf;
      beside[row] = besideOf;
      values.set(ratings, row * width);
      row += 1;
    },
    finish: (): RatingTable => ({
      ...names,
      rater: rater.subarray(0, row),
      item: item.subarray(0, row),
      arm: arm.subarray(0, row),
      beside: beside.subarray(0, row),
      values: values.subarray(0, row * width),
    }),
  };
}

/** The rows of raters who are not left out. */
export function withoutRaters(table: RatingTable, out: ReadonlySet<number>): RatingTable {
  const { rater, item, arm, beside, values, criteria } = table;
  const kept = rater.reduce((rows, r) => rows + (out.has(r) ? 0 : 1), 0);
  const part = fillTable(table, kept);
  const width = criteria.length;
  for (let k = 0; k < rater.length; k++)
    if (!out.has(rater[k]!))
      part.add(rater[k]!, item[k]!, arm[k]!, beside[k]!, values.subarray(k * width, (k + 1) * width));
  return part.finish();
}

/** Rows of two arms by the same rater on the same item: on screens that show both, or each alone. */
export interface PairedRows extends Crossing {
  /** [observation], the row of either arm. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Rows that had no partner. */
  readonly unpaired: number;
}

/** Pairs the rows of two arms; raters and items are numbered as they first appear. */
export function pairRows(table: RatingTable, one: number, other: number): PairedRows {
  const { rater, item, arm, beside } = table;
  const first = new Int32Array(rater.length);
  const second = new Int32Array(rater.length);
  let pairs = 0;
  let unpaired = 0;
  for (let start = 0; start < rater.length; ) {
    let [a, b] = [-1, -1];
    let k = start;
    for (; k < rater.length && rater[k] === rater[start] && item[k] === item[start]; k++) {
      if (arm[k] === one && (beside[k] === one || beside[k] === other)) a = k;
      if (arm[k] === other && (beside[k] === other || beside[k] === one)) b = k;
    }
    if (a >= 0 && b >= 0) {
      first[pairs] = a;
      second[pairs++] = b;
    } else if (a >= 0 || b >= 0) unpaired += 1;
    start = k;
  }
  const rows = first.slice(0, pairs);
  const raters = compact(rows.map((row) => rater[row]!));
  const items = compact(rows.map((row) => item[row]!));
  return {
    raters: raters.found.map((r) => table.raters[r]!),
    items: items.found.map((i) => table.items[i]!),
    rater: raters.index,
    item: items.index,
    first: rows,
    second: second.slice(0, pairs),
    unpaired,
  };
}

/** Numbers what is there in the order of first appearance. */
export function compact(ids: Int32Array): { found: number[]; index: Int32Array } {
  const numbers = new Map<number, number>();
  const index = ids.map((id) => {
    const known = numbers.get(id) ?? numbers.size;
    numbers.set(id, known);
    return known;
  });
  return { found: [...numbers.keys()], index };
}

/** The values of one criterion in the rows given. */
export function valuesOf(
  { criteria, values }: RatingTable,
  criterion: number,
  rows: Int32Array,
): Float64Array {
  return Float64Array.from(rows, (row) => values[row * criteria.length + criterion]!);
}

/**
 * [item of which somebody rated all arms, arm]: the mean of what these raters gave, for Friedman's test. One block an item, since
 * raters share what an item does to an arm, and the test supposes independent blocks; sums of whole numbers, so that ties stay ties.
 */
export function completeBlocks(table: RatingTable, criterion: number): number[][] {
  const { rater, item, arm, items, arms, criteria, values } = table;
  const width = arms.length;
  const sums = new Float64Array(items.length * width);
  const counts = new Float64Array(items.length * width);
  for (let start = 0; start < rater.length; ) {
    let end = start;
    while (end < rater.length && rater[end] === rater[start] && item[end] === item[start]) end++;
    if (new Set(arm.subarray(start, end)).size === width) {
      for (let k = start; k < end; k++) {
        const at = item[k]! * width + arm[k]!;
        sums[at]! += values[k * criteria.length + criterion]!;
        counts[at]! += 1;
      }
    }
    start = end;
  }
  return items.flatMap((_, i) =>
    counts[i * width] === 0 ? [] : [arms.map((_, a) => sums[i * width + a]! / counts[i * width + a]!)],
  );
}

/** The rows of an arm, each rater's first one of an item alone: a painting seen on several screens counts once. */
export function firstRows({ rater, item, arm }: RatingTable, one: number): Int32Array {
  const first = arm.map((a, k) => {
    const again = k > 0 && arm[k - 1] === a && item[k - 1] === item[k] && rater[k - 1] === rater[k];
    return a === one && !again ? 1 : 0;
  });
  return sortBy(first, 2).order.slice(first.length - first.reduce((sum, one) => sum + one, 0));
}
