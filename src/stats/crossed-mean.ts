// The mean of ratings crossed by rater and item, with each interval that is known for it side by side.
// `studentised` is the headline: docs/decisions/0005-study-intervals.md has the coverage of all of them.

import {
  type BootstrapOptions,
  type BootstrapResult,
  bootstrap,
  drawCounts,
  leaveOneOutMeans,
} from './bootstrap.js';
import { crossedMoments, type Kinds, type Moments } from './crossed-moments.js';
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
  return crossedMeanOf(crossing, values, kindsOf(values), options);
}

/** The same where observations have more to them than their value; `look` is shown every resample. */
export function crossedMeanOf(
  crossing: Crossing,
  values: Float64Array,
  kinds: Kinds,
  options: BootstrapOptions,
  look: (moments: Moments) => void = () => {},
): CrossedMean {
  const raterCounts = new Float64Array(crossing.raters.length).fill(1);
  const itemCounts = new Float64Array(crossing.items.length).fill(1);
  const moments = crossedMoments(crossing, kinds);
  const observed = { ...moments(raterCounts, itemCounts) };

  const pivots = new Float64Array(options.resamples);
  let resample = 0;
  const draw: Parameters<typeof bootstrap>[1] = (random) => {
    drawCounts(random, raterCounts);
    drawCounts(random, itemCounts);
    const drawn = moments(raterCounts, itemCounts);
    look(drawn);
    const { mean, error } = drawn;
    pivots[resample++] = error > 0 ? Math.abs(mean - observed.mean) / error : Number.NaN;
    return mean;
  };
  const result = bootstrap(observed.mean, draw, () => leaveOneOutMeans(crossing, values), options);
  const why = tooLittle(crossing, observed.error);
  if (why)
    return { ...result, percentile: why, bca: why, robustError: why, studentised: why, raterMeans: why };
  return {
    ...result,
    robustError: defined(observed.error),
    studentised: symmetric(observed.mean, observed.error, pivots, options.confidence),
    raterMeans: studentInterval(meansBy('RATER', crossing, values), options.confidence),
  };
}

/** Each different value is a kind of its own. */
function kindsOf(values: Float64Array): Kinds {
  const different = Float64Array.from(new Set(values));
  const kindOf = new Map(Array.from(different, (value, kind) => [value, kind]));
  return { kind: Int32Array.from(values, (value) => kindOf.get(value)!), values: different };
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
