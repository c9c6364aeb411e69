// The diffusion stage: noise or velocity prediction on a pool of encoded pictures. Only pseudo signals condition it:
// A(G(Z(m.x_s)), sigma), as in the paper.

import type { Rng } from '../random.js';
import { openAll } from '../runtime/opening.js';
import { floats, openSession, type Session, type Tensor } from '../runtime/session.js';
import { addResidualNoise, type ResidualNoise } from './brain-stages.js';
import type { DiffusionPool } from './diffusion-pool.js';
import type { UnetSize } from './models/unet.js';
import { diffusionObjective } from './objectives.js';
import { mapRows } from './rows.js';
import { type StageOptions, type StagePlan, type StageResult, trainStage } from './stage.js';

/** Z [rows, embedding] -> A(G(Z), sigma) [rows, condition], with noise drawn anew at every call. */
export type Conditioner = (embeddings: Float32Array, rng: Rng) => Promise<Float32Array>;

/** The paper's condition: the pseudo signal of the masked region, with noise, through the brain adapter. */
export async function pseudoSignalConditioner(
  networks: { pseudoBrainGenerator: Uint8Array | string; brainAdapter: Uint8Array | string },
  noise: ResidualNoise,
  options: { threads?: number } = {},
): Promise<{ condition: Conditioner; close(): Promise<void> }> {
  const models = [networks.pseudoBrainGenerator, networks.brainAdapter];
  const sessions = await openAll(models.map((model) => () => openSession(model, options)));
  const [generator, adapter] = sessions as [Session, Session];
  return {
    async condition(embeddings, rng) {
      const signals = await mapRows(generator, embeddings, [noise.data.embeddingSize]);
      addResidualNoise(signals, noise, rng);
      return mapRows(adapter, signals, [noise.data.voxels]);
    },
    async close() {
      await generator.close();
      await adapter.close();
    },
  };
}

export interface DiffusionSettings {
  readonly size: Omit<UnetSize, 'latentChannels'>;
  readonly conditionSize: number;
  readonly plan: StagePlan;
  readonly prediction: 'epsilon' | 'v_prediction';
  /** Share of samples whose condition is dropped (zeros), for classifier-free guidance. */
  readonly conditionDropout: number;
  /** Weight of the squared error where the picture is kept: there the answer is already in the input. */
  readonly keptWeight: number;
}

/**
 * One batch of noised samples: x_t = sqrt(a) x0 + sqrt(1-a) eps; the target is eps, or the velocity
 * v = sqrt(a) eps - sqrt(1-a) x0 (Salimans and Ho 2022). `cumulative` holds the products a of every training step.
 */
export async function diffusionBatch(
  rng: Rng,
  pool: DiffusionPool,
  settings: Omit<DiffusionSettings, 'size'>,
  cumulative: Float64Array,
  condition: Conditioner,
): Promise<Record<string, Tensor>> {
  const { latentChannels, latentSide, embeddingSize } = pool.geometry;
  const { plan, prediction, conditionSize, keptWeight, conditionDropout } = settings;
  const { batch } = plan;
  const cells = latentSide * latentSide;
  const latent = latentChannels * cells;
  const width = 2 * latent + cells;
  const sample = new Float32Array(batch * width);
  const target = rng.fillNormal(new Float32Array(batch * latent));
  const timestep = new Float32Array(batch);
  const weight = new Float32Array(batch * cells);
  const embeddings = new Float32Array(batch * embeddingSize);
  for (let i = 0; i < batch; i++) {
    const row = rng.int(pool.count);
    // Stratified over the batch: every step sees all noise levels.
    const share = (i + rng.uniform()) / batch;
    const t = Math.min(cumulative.length - 1, Math.floor(share * cumulative.length));
    timestep[i] = t;
    const [signal, noise] = [Math.sqrt(cumulative[t]!), Math.sqrt(1 - cumulative[t]!)];
    for (let k = 0; k < latent; k++) {
      const x0 = pool.latents[row * latent + k]!;
      const eps = target[i * latent + k]!;
      sample[i * width + k] = signal * x0 + noise * eps;
      if (prediction === 'v_prediction') target[i * latent + k] = signal * eps - noise * x0;
    }
    const keep = pool.keep.subarray(row * cells, (row + 1) * cells);
    sample.set(pool.maskedLatents.subarray(row * latent, (row + 1) * latent), i * width + latent);
    sample.set(keep, i * width + 2 * latent);
    for (let k = 0; k < cells; k++) weight[i * cells + k] = keep[k] === 1 ? keptWeight : 1;
    embeddings.set(
      pool.embeddings.subarray(row * embeddingSize, (row + 1) * embeddingSize),
      i * embeddingSize,
    );
  }
  const conditions = await condition(embeddings, rng);
  for (let i = 0; i < batch; i++) {
    if (rng.uniform() < conditionDropout) conditions.fill(0, i * conditionSize, (i + 1) * conditionSize);
  }
  return {
    sample: floats(sample, [batch, 2 * latentChannels + 1, latentSide, latentSide]),
    timestep: floats(timestep, [batch]),
    encoder_hidden_states: floats(conditions, [batch, 1, conditionSize]),
    target: floats(target, [batch, latentChannels, latentSide, latentSide]),
    weight: floats(weight, [batch, 1, latentSide, latentSide]),
  };
}

/**
 * The weighted squared error of a UNet (ONNX bytes or path) on as many rows of a pool as it has, at noise levels spread evenly
 * and with all conditions kept: a figure to compare weights by. The same `rng` gives the same noise.
 */
export async function denoisingError(
  unet: Uint8Array | string,
  pool: DiffusionPool,
  settings: Omit<DiffusionSettings, 'size'>,
  cumulative: Float64Array,
  condition: Conditioner,
  rng: Rng,
  options: { threads?: number } = {},
): Promise<number> {
  const whole = { ...settings, conditionDropout: 0, plan: { ...settings.plan, batch: pool.count } };
  const { target, weight, ...feeds } = await diffusionBatch(rng, pool, whole, cumulative, condition);
  const session = await openSession(unet, options);
  try {
    const predicted = (await session.run(feeds))[session.outputs[0]!.name]!.data as Float32Array;
    const [wanted, weights] = [target!.data as Float32Array, weight!.data as Float32Array];
    const { latentChannels, latentSide } = pool.geometry;
    const cells = latentSide * latentSide;
    let sum = 0;
    predicted.forEach((x, i) => {
      const row = Math.floor(i / (latentChannels * cells));
      sum += weights[row * cells + (i % cells)]! * (x - wanted[i]!) ** 2;
    });
    return sum / predicted.length;
  } finally {
    await session.close();
  }
}

/** Trains (or resumes) the UNet on a pool. */
export function trainDiffusion(
  pool: DiffusionPool,
  settings: DiffusionSettings,
  cumulative: Float64Array,
  condition: Conditioner,
  options: StageOptions,
): Promise<StageResult> {
  const { latentChannels, latentSide } = pool.geometry;
  const { size, plan, conditionSize } = settings;
  return trainStage(
    'diffusion',
    plan,
    (b) => diffusionObjective(b, { ...size, latentChannels, batch: plan.batch, latentSide, conditionSize }),
    (rng) => diffusionBatch(rng, pool, settings, cumulative, condition),
    options,
  );
}
