// Sizes and training settings of the digits benchmark: small networks, since there are 90 training trials a fold.

import type { LatentGeometry } from '../../train/diffusion-pool.js';
import type { StagePlan } from '../../train/stage.js';

const imageSizePx = 32;
const embeddingSize = 64;

export const DIGITS = {
  imageSizePx,
  folds: 10,
  autoencoder: { width: 32, latentChannels: 4, patch: 2 },
  latentSide: 8,
  imageEncoder: { widths: [16, 32, 48], neck: 16, embeddingSize },
  judge: { widths: [16, 24, 48], neck: 24, embeddingSize: 32 },
  /** Voxels kept of each fold: those that its training trials predict best, left out one by one. */
  voxels: 256,
  /** Ridge penalty of that choice, a share of the mean squared length of an embedding. */
  ridgePenalty: 5,
  pseudoBrainGenerator: { hidden: 64, blocks: 1 },
  brainAdapter: { hidden: 96, blocks: 1, outputs: embeddingSize },
  /** White noise on what the brain networks are given of the few trials, in z-scored units. */
  generatorInputNoise: 1,
  adapterInputNoise: 0.5,
  tau: 0.1,
  sigma: [0.4, 1.1] as const,
  whiteShare: 0.4,
  unet: { widths: [24, 40, 56] as const, embedding: 96, heads: 4 },
  conditionDropout: 0.12,
  keptWeight: 0.15,
  kl: 1e-3,
  /** Masked pictures that the diffusion draws from, and the share of the random masks that cover the whole picture. */
  poolSize: 3000,
  fullMaskShare: 0.7,
  /** Of the digits without fMRI: how many are the judge's, and how many the painter only meets as sources. */
  judgeDigits: 450,
  sourceDigits: 100,
  paint: { steps: 15, guidanceScale: 2 },
  seed: 6900,
} as const;

export const PLAN = {
  autoencoder: { steps: 800, batch: 16, learningRate: 4e-3, emaDecay: 0.98 },
  imageEncoder: { steps: 500, batch: 32, learningRate: 3e-3, emaDecay: 0.98 },
  judge: { steps: 200, batch: 32, learningRate: 3e-3, emaDecay: 0.95 },
  pseudoBrainGenerator: { steps: 300, batch: 32, learningRate: 2e-3, emaDecay: 0.98 },
  brainAdapter: { steps: 350, batch: 64, learningRate: 2e-3, emaDecay: 0.98 },
  /** The UNet's shared start, conditioned on noisy embeddings of digits without fMRI. */
  start: { steps: 1400, batch: 32, learningRate: 2.5e-3, emaDecay: 0.99 },
  /** Its fine-tuning in each fold, conditioned on pseudo signals only. */
  diffusion: { steps: 60, batch: 32, learningRate: 1e-3, emaDecay: 0.95 },
} as const satisfies Record<string, StagePlan>;

export const GEOMETRY: LatentGeometry = {
  imageSizePx,
  regionSizePx: imageSizePx,
  latentSide: DIGITS.latentSide,
  latentChannels: DIGITS.autoencoder.latentChannels,
  embeddingSize,
};
