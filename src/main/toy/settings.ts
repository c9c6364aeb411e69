// Sizes and training settings of the toy bundle: declared once, written to its model card.

import { KINDS } from '../../toy/kinds.js';
import { COLOUR_NAMES } from '../../toy/scene.js';
import { SUBJECT_DEFAULTS } from '../../toy/subject.js';
import type { LatentGeometry } from '../../train/diffusion-pool.js';
import type { StagePlan } from '../../train/stage.js';

export const TOY = {
  imageSizePx: 128,
  regionSizePx: 64,
  latentSide: 16,
  autoencoder: { width: 96, latentChannels: 12, patch: 4 },
  imageEncoder: { widths: [32, 48, 96, 128], neck: 64, embeddingSize: 1024 },
  /** The last class means that no object is in view. */
  kinds: KINDS.length + 1,
  colours: COLOUR_NAMES.length,
  voxels: SUBJECT_DEFAULTS.voxels,
  pseudoBrainGenerator: { hidden: 512, blocks: 2, outputs: SUBJECT_DEFAULTS.voxels },
  brainAdapter: { hidden: 768, blocks: 2, outputs: 1024 },
  /** The judge of paintings: its own network, data and seed; nothing of the painter's goes into it. */
  judge: { widths: [24, 48, 96, 160], neck: 96, embeddingSize: 256 },
  unet: {
    widths: [64, 128, 192] as const,
    embedding: 256,
    heads: 4,
    latentChannels: 12,
    tokens: { count: 16, width: 64 },
  },
  /** Strong enough that latents near one another decode alike: small errors of the denoiser stay unseen. */
  kl: 1.5e-3,
  tau: 0.07,
  /** Noise on pseudo signals is sigma times the residual of a training trial; sigma is uniform in this range. */
  sigma: [0.4, 1.1] as const,
  /** The same for the conditions of the diffusion: up to a little more than the mean of three trials has. */
  diffusionSigma: [0, 0.7] as const,
  conditionDropout: 0.12,
  /** How a paint job is done where it does not say. */
  defaults: { steps: 25, guidanceScale: 3, candidates: 4 },
  keptWeight: 0.15,
  /** Drawn places, parts of each, and their side in pixels: backgrounds of the diffusion beside photographs. */
  placeCrops: [1250, 3, 160] as const,
  seeds: { subject: 20261, train: 20262, test: 20263, judge: 20264 },
} as const;

export const PLAN = {
  autoencoder: { steps: 5000, batch: 8, learningRate: 2e-3, emaDecay: 0.998 },
  imageEncoder: { steps: 1400, batch: 64, learningRate: 2e-3, emaDecay: 0.99 },
  pseudoBrainGenerator: { steps: 1200, batch: 128, learningRate: 1e-3, emaDecay: 0.99 },
  brainAdapter: { steps: 1600, batch: 128, learningRate: 1e-3, emaDecay: 0.99 },
  judge: { steps: 700, batch: 64, learningRate: 2e-3, emaDecay: 0.99 },
  diffusion: { steps: 17500, batch: 32, learningRate: 1.2e-3, emaDecay: 0.999 },
} as const satisfies Record<string, StagePlan>;

export const TOY_GEOMETRY: LatentGeometry = {
  imageSizePx: TOY.imageSizePx,
  regionSizePx: TOY.regionSizePx,
  latentSide: TOY.latentSide,
  latentChannels: TOY.autoencoder.latentChannels,
  embeddingSize: TOY.imageEncoder.embeddingSize,
};
