// What a worker and its measuring child say to each other, and the names of what is measured.

import type { MeasuredCell } from '../services/measurement-attempts.js';
import type { Interval } from '../stats/intervals.js';

/** In the order in which they are shown. */
export const METRICS = [
  'TWO_WAY_IDENTIFICATION',
  'EMBEDDING_SIMILARITY',
  'PIX_CORR',
  'SSIM',
  'LPIPS_RECONSTRUCTION',
  'OUTSIDE_DIFFERENT_PIXELS',
  'LPIPS_OUTSIDE_MASK',
  'BOUNDARY_BAND_ERROR',
] as const;
export type Metric = (typeof METRICS)[number];

/** By metric a number, or the sentence that says why there is none; absent where the metric is not about such items. */
export type Measured = Partial<Record<Metric, number | string>>;

/** A network that is measured with, as the result declares it. */
export interface UsedNetwork {
  readonly kind: 'EMBEDDING' | 'LPIPS';
  readonly name: string;
  /** Of the file that was run. */
  readonly sha256: string;
  readonly about: string;
  /** True of the painter's own image encoder, which it may have chosen paintings by. */
  readonly ofPainter: boolean;
}

export interface CellInput {
  readonly itemId: string;
  readonly armId: string;
  readonly sourceSha256: string;
  readonly maskSha256: string;
  readonly paintingSha256: string;
  /** Whether all of the picture is painted. */
  readonly whole: boolean;
  /** Index of the picture seen in `stimuli`, or why there is none. */
  readonly stimulus: number | string;
}

export interface MeasureMessage {
  readonly task: 'measure';
  readonly blobFolder: string;
  /** Folders of metric networks. */
  readonly networks: readonly string[];
  /** Whose image encoder embeds where no network of that kind is given. */
  readonly model: { readonly name: string; readonly hash: string; readonly folder: string };
  /** Pictures seen, each once. */
  readonly stimuli: readonly string[];
  /** Those of one item stand together. */
  readonly cells: readonly CellInput[];
}

export interface SummaryMessage {
  readonly task: 'summarise';
  readonly pairing: 'RANDOM' | 'CROSSED';
  readonly arms: readonly string[];
  readonly seed: number;
  readonly withdrawnItems: number;
  readonly cells: readonly {
    readonly itemId: string;
    readonly arm: string;
    readonly picture: string;
    readonly signal: string;
    readonly measured: Measured;
  }[];
}

export interface MetricValue {
  readonly metric: Metric;
  /** Items that it is about. */
  readonly items: number;
  readonly mean: number | null;
  readonly interval: Interval | null;
  readonly bcaInterval: Interval | null;
  /** Why there is no mean, or else why there is no interval. */
  readonly undefinedReason: string | null;
}

export interface MeasurementResults {
  readonly items: number;
  readonly withdrawnItems: number;
  readonly resampled: 'ITEMS' | 'PICTURES_AND_SIGNALS';
  readonly resamples: number;
  readonly confidence: number;
  readonly seed: number;
  readonly arms: readonly { readonly arm: string; readonly values: readonly MetricValue[] }[];
  /** first - second, over the same items. */
  readonly differences: readonly {
    readonly first: string;
    readonly second: string;
    readonly values: readonly MetricValue[];
  }[];
}

export type MeasureRequest = MeasureMessage | SummaryMessage;

export type MeasureEvent =
  | { readonly type: 'networks'; readonly networks: readonly UsedNetwork[] }
  | ({ readonly type: 'cell' } & MeasuredCell)
  | { readonly type: 'results'; readonly results: MeasurementResults };
