// The sums that every resample of a crossed study needs: of its values, and of their two-way robust error.

import { type Crossing, sortBy } from './ratings.js';

/** Observations by what they can be: observation k is of kind kind[k], and a kind has one value. */
export interface Kinds {
  readonly kind: Int32Array;
  /** [kind] */
  readonly values: Float64Array;
}

export interface Moments {
  readonly mean: number;
  /** Two-way cluster-robust standard error; 0 where the values show no variance. */
  readonly error: number;
  /** [kind], how often each was drawn; overwritten by the next call. */
  readonly drawn: Float64Array;
}

/** The observations sorted by rater, or by item, and what a resample adds up for each of these units. */
interface Side {
  /** Those of unit u are start[u] to start[u + 1] - 1. */
  readonly start: Int32Array;
  /** [observation], the item of a rater's, the rater of an item's. */
  readonly other: Int32Array;
  readonly kind: Int32Array;
  /** [unit], of values and of weights. */
  readonly sums: Float64Array;
  readonly weights: Float64Array;
}

function sideOf(unit: Int32Array, units: number, other: Int32Array, kind: Int32Array): Side {
  const { start, order } = sortBy(unit, units);
  return {
    start,
    other: order.map((k) => other[k]!),
    kind: order.map((k) => kind[k]!),
    sums: new Float64Array(units),
    weights: new Float64Array(units),
  };
}

/**
 * Weighted mean and its two-way robust error, for observations drawn raterCount times itemCount times:
 * V = V(raters) R/(R-1) + V(items) I/(I-1) - V(single values) N/(N-1); each copy of a rater or item is its own cluster.
 */
export function crossedMoments(
  { rater, item, raters, items }: Crossing,
  { kind, values }: Kinds,
): (raterCounts: Float64Array, itemCounts: Float64Array) => Moments {
  const byRater = sideOf(rater, raters.length, item, kind);
  const byItem = sideOf(item, items.length, rater, kind);
  const drawn = new Float64Array(values.length);
  return (raterCounts, itemCounts) => {
    drawn.fill(0);
    addRaters(byRater, raterCounts, itemCounts, values, drawn);
    addItems(byItem, itemCounts, raterCounts, values);
    let total = 0;
    let sum = 0;
    let squares = 0;
    for (let k = 0; k < values.length; k++) {
      const value = values[k]!;
      total += drawn[k]!;
      sum += drawn[k]! * value;
      squares += drawn[k]! * value * value;
    }
    const mean = sum / total;
    // One pass: ratings are small whole numbers, whose sums are exact. What rounding leaves of equal values is no variance.
    const within = squares - mean * sum;
    const single = within > squares * 1e-12 ? (within * total) / (total - 1) : 0;
    const variance = spread(byRater, raterCounts, mean) + spread(byItem, itemCounts, mean) - single;
    // The variance of independent values is a floor: rater and item effects can only add to it.
    const error = single > 0 ? Math.sqrt(Math.max(variance, single)) / total : 0;
    return { mean, error, drawn };
  };
}

// The inner loops are functions of their own, since the compiler makes those twice as fast as loops within loops.

function addItems(side: Side, own: Float64Array, others: Float64Array, values: Float64Array): void {
  for (let i = 0; i < own.length; i++) if (own[i]! > 0) addItem(side, i, others, values);
}

/** As addItems, and counts each kind. */
function addRaters(
  side: Side,
  own: Float64Array,
  others: Float64Array,
  values: Float64Array,
  drawn: Float64Array,
): void {
  for (let r = 0; r < own.length; r++) if (own[r]! > 0) addRater(side, r, own[r]!, others, values, drawn);
}

function addItem(
  { start, other, kind, sums, weights }: Side,
  unit: number,
  counts: Float64Array,
  values: Float64Array,
): void {
  let sum = 0;
  let weight = 0;
  const end = start[unit + 1]!;
  for (let k = start[unit]!; k < end; k++) {
    const times = counts[other[k]!]!;
    sum += times * values[kind[k]!]!;
    weight += times;
  }
  sums[unit] = sum;
  weights[unit] = weight;
}

function addRater(
  { start, other, kind, sums, weights }: Side,
  unit: number,
  own: number,
  counts: Float64Array,
  values: Float64Array,
  drawn: Float64Array,
): void {
  let sum = 0;
  let weight = 0;
  const end = start[unit + 1]!;
  for (let k = start[unit]!; k < end; k++) {
    const times = counts[other[k]!]!;
    const what = kind[k]!;
    sum += times * values[what]!;
    weight += times;
    drawn[what]! += own * times;
  }
  sums[unit] = sum;
  weights[unit] = weight;
}

function spread({ sums, weights }: Side, counts: Float64Array, mean: number): number {
  let total = 0;
  for (let u = 0; u < counts.length; u++)
    if (counts[u]! > 0) total += counts[u]! * (sums[u]! - mean * weights[u]!) ** 2;
  return (total * counts.length) / (counts.length - 1);
}
