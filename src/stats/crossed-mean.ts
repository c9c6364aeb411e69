// The mean of ratings crossed by rater and item, with each interval that is known for it side by side.
// `studentised` is the headline: docs/decisions/0005-study-intervals.md has the coverage of all of them.

import {
  type BootstrapOptions,
  type BootstrapResult,
  bootstrap,
  drawCounts,
  leaveOneOutMeans,
} from './bootstrap.js';
import { meanOf } from './descriptives.js';
import { studentQuantile } from './distributions.js';
import { type Interval, quantile, usableReplicates } from './intervals.js';
import { type Crossing, meansBy } from './ratings.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface CrossedMean extends BootstrapResult {
  /** Two-way cluster-robust standard error of the mean. */
  readonly robustError: Statistic;
  /** Symmetric bootstrap-t interval over the crossed resamples: the one to report first. */
  readonly studentised: Statistic<Interval>;
  /** Student's t on rater means: needs no resampling, supposes that the items are the only ones of interest. */
  readonly raterMeans: Statistic<Interval>;
}

/**
 * Mean of values[k] (usually paired differences) with the pigeonhole bootstrap's intervals (Owen 2007) and the symmetric
 * bootstrap-t (Hall 1988) on the two-way cluster-robust error (Cameron, Gelbach and Miller 2011, eq. 2.11). Studentising
 * removes the pigeonhole's excess, because the error of a resample carries the same excess. UNDEFINED without variance.
 */
export function crossedMean(
  crossing: Crossing,
  values: Float64Array,
  options: BootstrapOptions,
): CrossedMean {
  const raterCounts = new Float64Array(crossing.raters.length).fill(1);
  const itemCounts = new Float64Array(crossing.items.length).fill(1);
  const moments = momentsOf(crossing, values);
  const observed = moments(raterCounts, itemCounts);

  const pivots: number[] = [];
  const draw: Parameters<typeof bootstrap>[1] = (random) => {
    drawCounts(random, raterCounts);
    drawCounts(random, itemCounts);
    const { mean, error } = moments(raterCounts, itemCounts);
    pivots.push(error > 0 ? Math.abs(mean - observed.mean) / error : Number.NaN);
    return mean;
  };
  const result = bootstrap(observed.mean, draw, () => leaveOneOutMeans(crossing, values), options);
  const why = tooLittle(crossing, observed.error);
  if (why)
    return { ...result, percentile: why, bca: why, robustError: why, studentised: why, raterMeans: why };
  return {
    ...result,
    robustError: defined(observed.error),
    studentised: symmetric(observed.mean, observed.error, Float64Array.from(pivots), options.confidence),
    raterMeans: studentInterval(meansBy('RATER', crossing, values), options.confidence),
  };
}

function tooLittle({ raters, items }: Crossing, error: number) {
  if (raters.length < 2)
    return undefinedBecause(`an interval over raters needs two of them; there are ${raters.length}`);
  if (items.length < 2)
    return undefinedBecause(`an interval over items needs two of them; there are ${items.length}`);
  return error > 0 ? undefined : undefinedBecause('every value is the same: the data show no variance');
}

function symmetric(
  mean: number,
  error: number,
  pivots: Float64Array,
  confidence: number,
): Statistic<Interval> {
  const usable = usableReplicates(pivots);
  if (usable.status === 'UNDEFINED') return usable;
  const reach = quantile(usable.value, confidence) * error;
  return defined({ low: mean - reach, high: mean + reach });
}

/** Student's t interval of the mean of independent values; UNDEFINED for fewer than two, or if all are the same. */
export function studentInterval(values: Float64Array, confidence: number): Statistic<Interval> {
  const n = values.length;
  if (n < 2) return undefinedBecause(`an interval needs two values or more; there are ${n}`);
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  if (squares === 0) return undefinedBecause('every value is the same: the data show no variance');
  const reach = studentQuantile((1 + confidence) / 2, n - 1) * Math.sqrt(squares / (n - 1) / n);
  return defined({ low: mean - reach, high: mean + reach });
}

/**
 * Weighted mean and its two-way robust error, for observations drawn raterCount times itemCount times:
 * V = V(raters) R/(R-1) + V(items) I/(I-1) - V(single values) N/(N-1); each copy of a rater or item is its own cluster.
 */
function momentsOf({ rater, item, raters, items }: Crossing, values: Float64Array) {
  const raterSums = new Float64Array(raters.length);
  const raterWeights = new Float64Array(raters.length);
  const itemSums = new Float64Array(items.length);
  const itemWeights = new Float64Array(items.length);
  const spread = (counts: Float64Array, sums: Float64Array, weights: Float64Array, mean: number) => {
    let total = 0;
    for (let i = 0; i < counts.length; i++) total += counts[i]! * (sums[i]! - mean * weights[i]!) ** 2;
    return (total * counts.length) / (counts.length - 1);
  };
  return (raterCounts: Float64Array, itemCounts: Float64Array): { mean: number; error: number } => {
    for (const sums of [raterSums, raterWeights, itemSums, itemWeights]) sums.fill(0);
    let squares = 0;
    for (let k = 0; k < values.length; k++) {
      const r = rater[k]!;
      if (raterCounts[r] === 0) continue;
      const i = item[k]!;
      const value = values[k]!;
      const byRater = raterCounts[r]! * value;
      const byItem = itemCounts[i]! * value;
      raterSums[r]! += byItem;
      raterWeights[r]! += itemCounts[i]!;
      itemSums[i]! += byRater;
      itemWeights[i]! += raterCounts[r]!;
      squares += byRater * byItem;
    }
    let total = 0;
    let sum = 0;
    for (let r = 0; r < raterCounts.length; r++) {
      total += raterCounts[r]! * raterWeights[r]!;
      sum += raterCounts[r]! * raterSums[r]!;
    }
    const mean = sum / total;
    // One pass: ratings are small whole numbers, whose sums are exact. What rounding leaves of equal values is no variance.
    const within = squares - mean * sum;
    const single = within > squares * 1e-12 ? (within * total) / (total - 1) : 0;
    const variance =
      spread(raterCounts, raterSums, raterWeights, mean) +
      spread(itemCounts, itemSums, itemWeights, mean) -
      single;
    // The variance of independent values is a floor: rater and item effects can only add to it.
    const error = single > 0 ? Math.sqrt(Math.max(variance, single)) / total : 0;
    return { mean, error };
  };
}
