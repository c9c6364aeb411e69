// Resampling: raters and items at once (crossed), or one kind of cluster, for any statistic of weighted observations.

import { AppError } from '../errors.js';
import { bcaInterval, type Interval, percentileInterval, usableReplicates } from './intervals.js';
import type { CreateRandom, RandomSource } from './random.js';
import type { Crossing } from './ratings.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface BootstrapOptions {
  /** Stored with the result: the same seed, data and generator give the same interval. */
  readonly seed: number;
  readonly createRandom: CreateRandom;
  readonly resamples: number;
  /** In (0, 1), usually 0.95. */
  readonly confidence: number;
}

export interface BootstrapResult {
  readonly estimate: Statistic;
  readonly percentile: Statistic<Interval>;
  readonly bca: Statistic<Interval>;
  /** Standard deviation of the replicates. */
  readonly standardError: Statistic;
  readonly seed: number;
  readonly resamples: number;
  readonly confidence: number;
  /** Resamples in which the statistic had no value; they are left out and must be reported. */
  readonly undefinedResamples: number;
}

/** A number from one weight an observation (how often it was drawn); NaN where it has no value. */
export type WeightedStatistic = (weights: Float64Array) => number;

/** The weighted mean of the values; NaN if all weights are 0. */
export function weightedMean(values: Float64Array): WeightedStatistic {
  return (weights) => {
    let sum = 0;
    let total = 0;
    for (let k = 0; k < values.length; k++) {
      sum += weights[k]! * values[k]!;
      total += weights[k]!;
    }
    return sum / total;
  };
}

/** How often each of n units is drawn in n draws with replacement, written into counts. */
export function drawCounts(random: RandomSource, counts: Float64Array): Float64Array {
  counts.fill(0);
  for (let i = 0; i < counts.length; i++) counts[random.int(counts.length)]!++;
  return counts;
}

/**
 * Pigeonhole bootstrap (Owen 2007): raters and items are drawn independently with replacement, and a rating counts as
 * often as its rater times its item. Its variance is never too small for a crossed design and can be up to three times
 * too large where single-rating noise dominates; crossedMean has an interval without that excess.
 */
export function crossedBootstrap(
  crossing: Crossing,
  statistic: WeightedStatistic,
  options: BootstrapOptions,
): BootstrapResult {
  const weights = new Float64Array(crossing.rater.length);
  const raterCounts = new Float64Array(crossing.raters.length);
  const itemCounts = new Float64Array(crossing.items.length);
  const weigh = () => {
    for (let k = 0; k < weights.length; k++) {
      weights[k] = raterCounts[crossing.rater[k]!]! * itemCounts[crossing.item[k]!]!;
    }
    return statistic(weights);
  };
  const draw = (random: RandomSource) => {
    drawCounts(random, raterCounts);
    drawCounts(random, itemCounts);
    return weigh();
  };
  const jackknives = () => {
    itemCounts.fill(1);
    const byRater = leaveOneOut(raterCounts, weigh);
    raterCounts.fill(1);
    return [byRater, leaveOneOut(itemCounts, weigh)];
  };
  raterCounts.fill(1);
  itemCounts.fill(1);
  return bootstrap(weigh(), draw, jackknives, options);
}

/** One-way cluster bootstrap: whole clusters (cluster[k] in [0, clusters)) are drawn with replacement. */
export function clusterBootstrap(
  cluster: Int32Array,
  clusters: number,
  statistic: WeightedStatistic,
  options: BootstrapOptions,
): BootstrapResult {
  const weights = new Float64Array(cluster.length);
  const counts = new Float64Array(clusters).fill(1);
  const weigh = () => {
    for (let k = 0; k < weights.length; k++) weights[k] = counts[cluster[k]!]!;
    return statistic(weights);
  };
  const draw = (random: RandomSource) => {
    drawCounts(random, counts);
    return weigh();
  };
  return bootstrap(weigh(), draw, () => [leaveOneOut(counts, weigh)], options);
}

/** Sets the counts to 1 and takes each unit out in turn. */
function leaveOneOut(counts: Float64Array, weigh: () => number): Float64Array {
  counts.fill(1);
  return Float64Array.from(counts, (_, unit) => {
    counts[unit] = 0;
    const value = weigh();
    counts[unit] = 1;
    return value;
  });
}

/** Leave-one-rater-out and leave-one-item-out means, for the BCa interval of crossedMean; one pass over the values. */
export function leaveOneOutMeans(crossing: Crossing, values: Float64Array): Float64Array[] {
  const total = values.reduce((sum, value) => sum + value, 0);
  return [
    { index: crossing.rater, size: crossing.raters.length },
    { index: crossing.item, size: crossing.items.length },
  ].map(({ index, size }) => {
    const sums = new Float64Array(size);
    const counts = new Float64Array(size);
    for (let k = 0; k < values.length; k++) {
      sums[index[k]!]! += values[k]!;
      counts[index[k]!]!++;
    }
    return sums.map((sum, unit) => (total - sum) / (values.length - counts[unit]!));
  });
}

/** The part that all resamplings share: replicates from `draw`, leave-one-out estimates for BCa, intervals. */
export function bootstrap(
  estimate: number,
  draw: (random: RandomSource) => number,
  jackknives: () => readonly Float64Array[],
  options: BootstrapOptions,
): BootstrapResult {
  const { seed, resamples, confidence } = options;
  checkOptions(options);
  const random = options.createRandom(seed);
  const replicates = Float64Array.from({ length: resamples }, () => draw(random));
  const undefinedResamples = replicates.filter(Number.isNaN).length;
  const common = { seed, resamples, confidence, undefinedResamples };
  if (Number.isNaN(estimate)) {
    const none = undefinedBecause('the statistic has no value on these data');
    return { ...common, estimate: none, percentile: none, bca: none, standardError: none };
  }
  const usable = usableReplicates(replicates);
  if (usable.status === 'UNDEFINED') {
    return { ...common, estimate: defined(estimate), percentile: usable, bca: usable, standardError: usable };
  }
  const sorted = usable.value;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    ...common,
    estimate: defined(estimate),
    percentile: defined(percentileInterval(sorted, confidence)),
    bca: bcaInterval(sorted, estimate, jackknives(), confidence),
    standardError: defined(Math.sqrt(squares / (sorted.length - 1))),
  };
}

/** BAD_INPUT unless there are enough resamples for the tails and the confidence is a proper one. */
export function checkOptions({ resamples, confidence }: BootstrapOptions): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw new AppError(
      'BAD_INPUT',
      `confidence must lie between 0 and 1, for example 0.95; got ${confidence}.`,
      {
        field: 'confidence',
      },
    );
  }
  if (!Number.isInteger(resamples) || resamples < 100) {
    throw new AppError('BAD_INPUT', `resamples must be a whole number of 100 or more; got ${resamples}.`, {
      field: 'resamples',
    });
  }
}
