// What the worker and its training child say to each other.

import type { TrainingSettings } from '../services/training-settings.js';

export type Part = 'PSEUDO_BRAIN_GENERATOR' | 'BRAIN_ADAPTER' | 'DIFFUSION';

/** Names of the stages, as points and errors carry them. */
export type Stage =
  | 'embeddings'
  | 'pseudoBrainGenerator'
  | 'brainAdapter'
  | 'pool'
  | 'diffusion'
  | 'judge'
  | 'paintings'
  | 'metrics'
  | 'bundle';

/** Everything that a run needs. Data lie in the blobs under their hashes; the child knows no database. */
export interface TrainMessage {
  readonly name: string;
  readonly subject: { readonly label: string; readonly simulated: boolean };
  readonly base: { readonly folder: string; readonly hash: string };
  readonly parts: readonly Part[];
  readonly settings: TrainingSettings;
  readonly voxels: number;
  /** z-scored betas, and the stimulus of each row as an index into `stimuli`. */
  readonly sessions: readonly {
    readonly label: string;
    readonly betasSha256: string;
    readonly stimulusOfTrial: Int32Array;
  }[];
  /** One entry a picture. */
  readonly stimuli: readonly {
    readonly pngSha256: string;
    readonly heldOut: boolean;
    readonly label?: string;
  }[];
  /** Further pictures for the diffusion: blobs. */
  readonly pictures: readonly string[];
  readonly blobFolder: string;
  /** Checkpoints and caches of this run. */
  readonly workFolder: string;
  /** Where the bundle goes. */
  readonly bundleFolder: string;
  readonly threads: number | undefined;
  /** Goes into the bundle's provenance.json, with what the child adds. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** A figure on held-out stimuli, as the API shows it; absent where it has no meaning or is not defined. */
export interface HeldOutMetric {
  readonly name: string;
  readonly signals?: 'SINGLE_TRIALS' | 'MEAN_OF_REPETITIONS';
  readonly value?: number;
  readonly low?: number;
  readonly high?: number;
  readonly chance?: number;
  readonly ceiling?: number;
  readonly stimuli: number;
  readonly undefinedReason?: string;
}

export type TrainEvent =
  | { readonly type: 'progress'; readonly stage: Stage; readonly step: number; readonly steps: number }
  | {
      readonly type: 'point';
      readonly stage: string;
      readonly name: string;
      readonly step: number;
      readonly value: number;
    }
  /** What was trained since the start of this attempt would survive it. */
  | { readonly type: 'checkpoint' }
  | { readonly type: 'voxels'; readonly excluded: number }
  /** Comes before a failure: where it happened. */
  | { readonly type: 'fault'; readonly stage: Stage; readonly step: number }
  | {
      readonly type: 'bundle';
      readonly hash: string;
      readonly metrics: readonly HeldOutMetric[];
      readonly provenance: Readonly<Record<string, unknown>>;
    };
