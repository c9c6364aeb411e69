// The toy's diffusion stage: its pool of encoded scenes and its UNet, shared by training and ablations.

import { alphasCumprod } from '../../painter/scheduler.js';
import { createRng, type Rng } from '../../random.js';
import { openSession } from '../../runtime/session.js';
import { buildPool, type DiffusionPool, type MaskedPicture } from '../../train/diffusion-pool.js';
import { type Conditioner, type DiffusionSettings, trainDiffusion } from '../../train/diffusion-stage.js';
import { unetNetwork } from '../../train/networks.js';
import { cachedPool } from '../../train/pool-file.js';
import type { StageOptions, StagePlan, StageResult, Weights } from '../../train/stage.js';
import { OWN_SCHEDULER } from '../own-scheduler.js';
import { TOY, TOY_GEOMETRY } from './settings.js';

export type ToyUnetSize = DiffusionSettings['size'];

export interface PoolRequest {
  readonly count: number;
  readonly seed: number;
  /** Draws the next picture with its mask. */
  readonly sample: (rng: Rng) => MaskedPicture;
  /** An existing bundle's latentScalingFactor; absent: latents get unit standard deviation. */
  readonly scale?: number;
  readonly threads?: number;
  readonly onProgress?: (done: number) => void;
}

/** The pool kept at `path`, or a new one of the pictures that `sample` draws, then kept there. */
export function toyPool(
  path: string,
  networks: { readonly vaeEncoder: Uint8Array | string; readonly imageEncoder: Uint8Array | string },
  request: PoolRequest,
): Promise<DiffusionPool> {
  const { count, seed, sample, scale, onProgress, threads } = request;
  return cachedPool(path, async () => {
    const options = threads ? { threads } : {};
    const vaeEncoder = await openSession(networks.vaeEncoder, options);
    const imageEncoder = await openSession(networks.imageEncoder, options);
    const pool = await buildPool({ vaeEncoder, imageEncoder }, TOY_GEOMETRY, count, sample, createRng(seed), {
      ...(scale ? { scale } : {}),
      ...(onProgress ? { onProgress } : {}),
    });
    await vaeEncoder.close();
    await imageEncoder.close();
    return pool;
  });
}

/** How the toy's UNet is trained on a pool, at a given size and plan. */
export const toyDiffusionSettings = (plan: StagePlan, size: ToyUnetSize = TOY.unet): DiffusionSettings => ({
  size,
  conditionSize: TOY.brainAdapter.outputs,
  plan,
  prediction: 'v_prediction',
  conditionDropout: TOY.conditionDropout,
  keptWeight: TOY.keptWeight,
});

/** Trains (or resumes) the UNet on a pool. */
export const trainToyDiffusion = (
  pool: DiffusionPool,
  plan: StagePlan,
  condition: Conditioner,
  options: StageOptions,
  size?: ToyUnetSize,
): Promise<StageResult> =>
  trainDiffusion(pool, toyDiffusionSettings(plan, size), alphasCumprod(OWN_SCHEDULER), condition, options);

/** The UNet as ONNX bytes. */
export const toyUnetNetwork = (weights: Weights, size: ToyUnetSize = TOY.unet): Uint8Array =>
  unetNetwork(weights, {
    ...size,
    latentChannels: TOY.autoencoder.latentChannels,
    latentSide: TOY.latentSide,
    conditionSize: TOY.brainAdapter.outputs,
  });
