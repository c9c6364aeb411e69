// The diffusion stage: a pool of encoded pictures with masks and conditions, then velocity prediction on it.
// Only pseudo signals condition it: A(G(Z(m.x_s)), sigma), as in the paper.

import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { writePlanar, writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import type { SchedulerConfig } from '../../painter/manifest.js';
import { alphasCumprod } from '../../painter/scheduler.js';
import { floats, openSession, type Tensor } from '../../runtime/session.js';
import { diffusionObjective } from '../../train/objectives.js';
import { createRng, type Rng } from '../../train/rng.js';
import { growToCells, latentKeepMask, sampleMasked } from './batches.js';
import { mapRows } from './brain-data.js';
import { PLAN, TOY } from './settings.js';
import { type StageOptions, type StageResult, trainStage } from './stage.js';

export const TOY_SCHEDULER: SchedulerConfig = {
  _class_name: 'DDIMScheduler',
  num_train_timesteps: TOY.trainSteps,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: 'squaredcos_cap_v2',
  prediction_type: 'v_prediction',
  timestep_spacing: 'trailing',
  steps_offset: 0,
  set_alpha_to_one: true,
  skip_prk_steps: true,
};

const SIDE = TOY.latentSide;
const CELLS = SIDE * SIDE;
const CHANNELS = TOY.autoencoder.latentChannels;
const LATENT = CHANNELS * CELLS;
const CONDITION = TOY.brainAdapter.outputs;
const EMBEDDING = TOY.imageEncoder.embeddingSize;

/** Encoded training samples, row by row. */
export interface Pool {
  readonly count: number;
  readonly latents: Float32Array;
  readonly maskedLatents: Float32Array;
  readonly keep: Float32Array;
  /** Z(m.x_s) of each sample's masked region. */
  readonly embeddings: Float32Array;
  /** 1 / standard deviation of the latents: the bundle's latentScalingFactor. */
  readonly scale: number;
}

export interface Networks {
  readonly vaeEncoder: Uint8Array;
  readonly imageEncoder: Uint8Array;
}

/** Z [rows, 1024] -> A(G(Z), sigma) [rows, 1024], with noise drawn anew at every call. */
export type Conditioner = (embeddings: Float32Array, rng: Rng) => Promise<Float32Array>;

/** The mean half of [mean | log variance] rows. */
function means(moments: Float32Array): Float32Array {
  const count = moments.length / (2 * LATENT);
  const result = new Float32Array(count * LATENT);
  for (let i = 0; i < count; i++)
    result.set(moments.subarray(i * 2 * LATENT, i * 2 * LATENT + LATENT), i * LATENT);
  return result;
}

function standardDeviation(values: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const x of values) {
    sum += x;
    squares += x * x;
  }
  return Math.sqrt(squares / values.length - (sum / values.length) ** 2);
}

export async function buildPool(
  networks: Networks,
  count: number,
  photographs: readonly RgbImage[],
  say: (line: string) => void,
): Promise<Pool> {
  const rng = createRng(TOY.seeds.train + 99);
  const [vae, encoder] = await Promise.all([
    openSession(networks.vaeEncoder),
    openSession(networks.imageEncoder),
  ]);
  const pool = {
    count,
    latents: new Float32Array(count * LATENT),
    maskedLatents: new Float32Array(count * LATENT),
    keep: new Float32Array(count * CELLS),
    embeddings: new Float32Array(count * EMBEDDING),
  };
  const [size, region, batch] = [TOY.imageSizePx, TOY.regionSizePx, 32];
  for (let start = 0; start < count; start += batch) {
    const n = Math.min(batch, count - start);
    const whole = new Float32Array(n * 3 * size * size);
    const masked = new Float32Array(n * 3 * size * size);
    const regions = new Float32Array(n * 3 * region * region);
    for (let i = 0; i < n; i++) {
      const { image, mask, box } = sampleMasked(rng, photographs);
      writePlanar(whole, i * 3 * size * size, image);
      writePlanar(masked, i * 3 * size * size, image, mask);
      writeRegion(regions, i * 3 * region * region, image, mask, box, region);
      pool.keep.set(latentKeepMask(growToCells(mask)), (start + i) * CELLS);
    }
    pool.latents.set(means(await mapRows(vae, whole, [3, size, size], batch)), start * LATENT);
    pool.maskedLatents.set(means(await mapRows(vae, masked, [3, size, size], batch)), start * LATENT);
    pool.embeddings.set(await mapRows(encoder, regions, [3, region, region]), start * EMBEDDING);
    if ((start / batch) % 50 === 0) say(`pool ${start + n}/${count}`);
  }
  await Promise.all([vae.close(), encoder.close()]);
  const scale = 1 / standardDeviation(pool.latents);
  for (const values of [pool.latents, pool.maskedLatents])
    values.forEach((x, i) => {
      values[i] = x * scale;
    });
  return { ...pool, scale };
}

const POOL_PARTS = ['latents', 'maskedLatents', 'keep', 'embeddings'] as const;

/** The pool of an earlier run from its file, or a new one that is then kept there. */
export async function cachedPool(path: string, build: () => Promise<Pool>): Promise<Pool> {
  if (existsSync(path)) {
    const bytes = await readFile(path);
    const [count, scale] = [bytes.readDoubleLE(0), bytes.readDoubleLE(8)];
    const widths = { latents: LATENT, maskedLatents: LATENT, keep: CELLS, embeddings: EMBEDDING };
    let at = bytes.byteOffset + 16;
    const parts = POOL_PARTS.map((name) => {
      const part = new Float32Array(bytes.buffer, at, count * widths[name]);
      at += part.byteLength;
      return [name, part] as const;
    });
    return {
      count,
      scale,
      ...(Object.fromEntries(parts) as Record<(typeof POOL_PARTS)[number], Float32Array>),
    };
  }
  const pool = await build();
  const head = Buffer.alloc(16);
  head.writeDoubleLE(pool.count, 0);
  head.writeDoubleLE(pool.scale, 8);
  const parts = POOL_PARTS.map((name) =>
    Buffer.from(pool[name].buffer, pool[name].byteOffset, pool[name].byteLength),
  );
  await writeFile(`${path}.tmp`, Buffer.concat([head, ...parts]));
  await rename(`${path}.tmp`, path);
  return pool;
}

/** Weight of the squared error where the picture is kept: there the answer is already in the input. */
const KEPT_WEIGHT = 0.15;

/** One batch of noised samples: x_t = sqrt(a) x0 + sqrt(1-a) eps, target v = sqrt(a) eps - sqrt(1-a) x0. */
export async function diffusionBatch(
  rng: Rng,
  pool: Pool,
  batch: number,
  cumulative: Float64Array,
  conditioner: Conditioner,
): Promise<Record<string, Tensor>> {
  const width = 2 * LATENT + CELLS;
  const sample = new Float32Array(batch * width);
  const target = rng.fillNormal(new Float32Array(batch * LATENT));
  const timestep = new Float32Array(batch);
  const weight = new Float32Array(batch * CELLS);
  const embeddings = new Float32Array(batch * EMBEDDING);
  for (let i = 0; i < batch; i++) {
    const row = rng.int(pool.count);
    // Stratified over the batch: every step sees all noise levels.
    const t = Math.min(TOY.trainSteps - 1, Math.floor(((i + rng.uniform()) / batch) * TOY.trainSteps));
    timestep[i] = t;
    const [signal, noise] = [Math.sqrt(cumulative[t]!), Math.sqrt(1 - cumulative[t]!)];
    for (let k = 0; k < LATENT; k++) {
      const x0 = pool.latents[row * LATENT + k]!;
      const eps = target[i * LATENT + k]!;
      sample[i * width + k] = signal * x0 + noise * eps;
      target[i * LATENT + k] = signal * eps - noise * x0;
    }
    const keep = pool.keep.subarray(row * CELLS, (row + 1) * CELLS);
    sample.set(pool.maskedLatents.subarray(row * LATENT, (row + 1) * LATENT), i * width + LATENT);
    sample.set(keep, i * width + 2 * LATENT);
    keep.forEach((kept, k) => {
      weight[i * CELLS + k] = kept === 1 ? KEPT_WEIGHT : 1;
    });
    embeddings.set(pool.embeddings.subarray(row * EMBEDDING, (row + 1) * EMBEDDING), i * EMBEDDING);
  }
  const condition = await conditioner(embeddings, rng);
  for (let i = 0; i < batch; i++)
    if (rng.uniform() < TOY.conditionDropout) condition.fill(0, i * CONDITION, (i + 1) * CONDITION);
  return {
    sample: floats(sample, [batch, 2 * CHANNELS + 1, SIDE, SIDE]),
    timestep: floats(timestep, [batch]),
    encoder_hidden_states: floats(condition, [batch, 1, CONDITION]),
    target: floats(target, [batch, CHANNELS, SIDE, SIDE]),
    weight: floats(weight, [batch, 1, SIDE, SIDE]),
  };
}

export function trainDiffusion(
  pool: Pool,
  conditioner: Conditioner,
  options: Omit<StageOptions, 'seed'>,
): Promise<StageResult> {
  const { batch } = PLAN.diffusion;
  const cumulative = alphasCumprod(TOY_SCHEDULER);
  return trainStage(
    'diffusion',
    (b) => diffusionObjective(b, { ...TOY.unet, batch, latentSide: SIDE, conditionSize: CONDITION }),
    (rng) => diffusionBatch(rng, pool, batch, cumulative, conditioner),
    { ...options, seed: 15 },
  );
}
