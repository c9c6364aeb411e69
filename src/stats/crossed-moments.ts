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

/** What a resample adds up for each rater, or for each item: values and weights. */
interface Sums {
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/** The observations sorted by rater: those of rater r are start[r] to start[r + 1] - 1. */
interface Observations {
  readonly start: Int32Array;
  /** [observation] */
  readonly item: Int32Array;
  readonly kind: Int32Array;
}

const sumsOf = (units: number): Sums => ({
  values: new Float64Array(units),
  weights: new Float64Array(units),
});

/**
 * Weighted mean and its two-way robust error, for observations drawn raterCount times itemCount times:
 * V = V(raters) R/(R-1) + V(items) I/(I-1) - V(single values) N/(N-1); each copy of a rater or item is its own cluster.
 */
export function crossedMoments(
  { rater, item, raters, items }: Crossing,
  { kind, values }: Kinds,
): (raterCounts: Float64Array, itemCounts: Float64Array) => Moments {
  const { start, order } = sortBy(rater, raters.length);
  const sorted = { start, item: order.map((k) => item[k]!), kind: order.map((k) => kind[k]!) };
  const [ofRaters, ofItems] = [sumsOf(raters.length), sumsOf(items.length)];
  const drawn = new Float64Array(values.length);
  return (raterCounts, itemCounts) => {
    drawn.fill(0);
    ofItems.values.fill(0);
    ofItems.weights.fill(0);
    for (let r = 0; r < raterCounts.length; r++)
      if (raterCounts[r]! > 0)
        addRater(sorted, r, raterCounts[r]!, itemCounts, values, ofRaters, ofItems, drawn);
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
    const variance = spread(ofRaters, raterCounts, mean) + spread(ofItems, itemCounts, mean) - single;
    // The variance of independent values is a floor: rater and item effects can only add to it.
    const error = single > 0 ? Math.sqrt(Math.max(variance, single)) / total : 0;
    return { mean, error, drawn };
  };
}

/**
 * A drawn rater's observations, each looked at once for all sums: the rater's own, those of the items, and how often each kind was
 * drawn. A function of its own, since the compiler makes it twice as fast as a loop within a loop.
 */
function addRater(
  { start, item, kind }: Observations,
  rater: number,
  own: number,
  itemCounts: Float64Array,
  values: Float64Array,
  ofRaters: Sums,
  ofItems: Sums,
  drawn: Float64Array,
): void {
  const { values: itemValues, weights: itemWeights } = ofItems;
  let sum = 0;
  let weight = 0;
  const end = start[rater + 1]!;
  for (let k = start[rater]!; k < end; k++) {
    const which = item[k]!;
    const times = itemCounts[which]!;
    // Who was not drawn adds nothing, not even to sums of its own that nobody reads.
    if (times === 0) continue;
    const what = kind[k]!;
    const value = values[what]!;
    sum += times * value;
    weight += times;
    itemValues[which]! += own * value;
    itemWeights[which]! += own;
    drawn[what]! += own * times;
  }
  ofRaters.values[rater] = sum;
  ofRaters.weights[rater] = weight;
}

function spread({ values, weights }: Sums, counts: Float64Array, mean: number): number {
  let total = 0;
  for (let u = 0; u < counts.length; u++)
    if (counts[u]! > 0) total += counts[u]! * (values[u]! - mean * weights[u]!) ** 2;
  return (total * counts.length) / (counts.length - 1);
}
