// From bootstrap replicates to intervals: percentile and BCa.

import { normalCdf, normalQuantile } from './distributions.js';
import { type Statistic, undefinedBecause } from './statistic.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** More resamples than this without a value, and the tails of the rest say nothing. */
const MAX_UNDEFINED_SHARE = 0.05;

/** The replicates that have a value, sorted; UNDEFINED if too many have none. */
export function usableReplicates(replicates: Float64Array): Statistic<Float64Array> {
  const usable = replicates.filter((value) => !Number.isNaN(value)).sort();
  if (usable.length === 0 || 1 - usable.length / replicates.length > MAX_UNDEFINED_SHARE) {
    return undefinedBecause(
      `${replicates.length - usable.length} of ${replicates.length} resamples have no value (too little variance)`,
    );
  }
  return { status: 'DEFINED', value: usable };
}

/** Quantile of sorted values by linear interpolation (Hyndman and Fan 1996, type 7). */
export function quantile(sorted: Float64Array, p: number): number {
  const position = p * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

/** Percentile interval of sorted replicates (Efron and Tibshirani 1993, eq. 13.4). */
export function percentileInterval(sorted: Float64Array, confidence: number): Interval {
  return { low: quantile(sorted, (1 - confidence) / 2), high: quantile(sorted, (1 + confidence) / 2) };
}

/**
 * Bias-corrected and accelerated interval (Efron and Tibshirani 1993, eq. 14.9-14.15) of sorted replicates.
 * `jackknives` holds the leave-one-out estimates of each factor that was resampled: one array for a cluster bootstrap,
 * two for a crossed one, whose accelerations are pooled as for independent samples.
 */
export function bcaInterval(
  sorted: Float64Array,
  estimate: number,
  jackknives: readonly Float64Array[],
  confidence: number,
): Statistic<Interval> {
  let below = 0;
  for (const value of sorted) below += value < estimate ? 1 : value === estimate ? 0.5 : 0;
  const bias = normalQuantile(below / sorted.length);
  if (!Number.isFinite(bias)) return undefinedBecause('every resample lies on one side of the estimate');
  let cubes = 0;
  let squares = 0;
  for (const jackknife of jackknives) {
    const n = jackknife.length;
    const mean = jackknife.reduce((sum, value) => sum + value, 0) / n;
    for (const value of jackknife) {
      const influence = ((n - 1) * (mean - value)) / n;
      cubes += influence ** 3;
      squares += influence ** 2;
    }
  }
  if (!(squares > 0)) return undefinedBecause('no unit changes the estimate: it has no variance');
  const acceleration = cubes / (6 * squares ** 1.5);
  const level = (p: number) => {
    const z = bias + normalQuantile(p);
    return normalCdf(bias + z / (1 - acceleration * z));
  };
  return {
    status: 'DEFINED',
    value: {
      low: quantile(sorted, level((1 - confidence) / 2)),
      high: quantile(sorted, level((1 + confidence) / 2)),
    },
  };
}
