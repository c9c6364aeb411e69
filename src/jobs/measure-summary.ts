// From what was measured of each painting to the arms' figures: means with bootstrap intervals, and paired differences. Pure.

import { createRng } from '../random.js';
import {
  type BootstrapOptions,
  type BootstrapResult,
  clusterBootstrap,
  crossedBootstrap,
  weightedMean,
} from '../stats/bootstrap.js';
import { crossingOf } from '../stats/ratings.js';
import type { Statistic } from '../stats/statistic.js';
import {
  METRICS,
  type MeasurementResults,
  type Metric,
  type MetricValue,
  type SummaryMessage,
} from './measuring-messages.js';

export const RESAMPLES = 2000;
export const CONFIDENCE = 0.95;

/** One number an item, with what its resampling needs. */
interface Row {
  readonly picture: string;
  readonly signal: string;
  readonly value: number;
}

const orNull = <T>(statistic: Statistic<T>): T | null =>
  statistic.status === 'DEFINED' ? statistic.value : null;

const none = (metric: Metric, items: number, undefinedReason: string): MetricValue => ({
  metric,
  items,
  mean: null,
  interval: null,
  bcaInterval: null,
  undefinedReason,
});

/** The metric's reasons where some of the items have no number, or null: a mean over the rest would be about other items. */
function whyUndefined(given: readonly (number | string)[]): string | null {
  const reasons = new Map<string, number>();
  for (const value of given) if (typeof value === 'string') reasons.set(value, (reasons.get(value) ?? 0) + 1);
  if (reasons.size === 0) return null;
  return [...reasons].map(([reason, count]) => `${count} of ${given.length} items: ${reason}`).join('; ');
}

/** What each metric is about, for the sentence that there is none such. */
const noItem = (metric: Metric) =>
  ['PIX_CORR', 'SSIM', 'LPIPS_RECONSTRUCTION'].includes(metric)
    ? 'no item is painted whole; it is about full masks'
    : 'every item is painted whole; it is about masks with an outside';

function resample(
  rows: readonly Row[],
  pairing: SummaryMessage['pairing'],
  options: BootstrapOptions,
): BootstrapResult {
  const mean = weightedMean(Float64Array.from(rows, ({ value }) => value));
  if (pairing === 'CROSSED') {
    const crossing = crossingOf(rows.map(({ picture, signal }) => ({ rater: signal, item: picture })));
    return crossedBootstrap(crossing, mean, options);
  }
  const every = Int32Array.from(rows, (_, i) => i);
  return clusterBootstrap(every, rows.length, mean, options);
}

/** Sums cells up by arm and by pair of arms. */
export function summariseMeasurement(message: SummaryMessage): MeasurementResults {
  const { arms, cells, pairing, seed, withdrawnItems } = message;
  const options = { seed, createRandom: createRng, resamples: RESAMPLES, confidence: CONFIDENCE };
  const items = [...new Set(cells.map(({ itemId }) => itemId))];
  const cellOf = new Map(cells.map((cell) => [`${cell.itemId} ${cell.arm}`, cell]));
  const given = (metric: Metric, arm: string) =>
    items.flatMap((itemId) => {
      const { picture, signal, measured } = cellOf.get(`${itemId} ${arm}`)!;
      const value = measured[metric];
      return value === undefined ? [] : [{ picture, signal, value }];
    });
  const summarise = (metric: Metric, rows: readonly { value: number | string }[]): MetricValue => {
    if (rows.length === 0) return none(metric, 0, noItem(metric));
    const reason = whyUndefined(rows.map(({ value }) => value));
    if (reason) return none(metric, rows.length, reason);
    const { estimate, percentile, bca } = resample(rows as readonly Row[], pairing, options);
    const few = rows.length < 2;
    return {
      metric,
      items: rows.length,
      mean: orNull(estimate),
      interval: few ? null : orNull(percentile),
      bcaInterval: few ? null : orNull(bca),
      undefinedReason: few
        ? 'one item has no interval'
        : percentile.status === 'UNDEFINED'
          ? percentile.reason
          : null,
    };
  };
  const minus = (metric: Metric, first: string, second: string) => {
    const [a, b] = [given(metric, first), given(metric, second)];
    return a.map((row, i) => {
      const other = b[i]!.value;
      if (typeof row.value === 'string') return row;
      return { ...row, value: typeof other === 'string' ? other : row.value - other };
    });
  };
  return {
    items: items.length,
    withdrawnItems,
    resampled: pairing === 'CROSSED' ? 'PICTURES_AND_SIGNALS' : 'ITEMS',
    resamples: RESAMPLES,
    confidence: CONFIDENCE,
    seed,
    arms: arms.map((arm) => ({
      arm,
      values: METRICS.map((metric) => summarise(metric, given(metric, arm))),
    })),
    differences: arms.flatMap((first, i) =>
      arms.slice(i + 1).map((second) => ({
        first,
        second,
        values: METRICS.map((metric) => summarise(metric, minus(metric, first, second))),
      })),
    ),
  };
}
