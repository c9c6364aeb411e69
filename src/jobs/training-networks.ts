// The networks of a training run, one function each: pseudo brain generator, brain adapter, diffusion. Each is trained, or
// taken from the base as it is.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import type { Bundle, ComponentPart } from '../painter/bundle.js';
import type { Component } from '../painter/manifest.js';
import { alphasCumprod } from '../painter/scheduler.js';
import { createRng } from '../random.js';
import { openSession, type Session } from '../runtime/session.js';
import type { StageSettings } from '../services/training-settings.js';
import type { Blobs } from '../store/blobs.js';
import { type ResidualNoise, trainBrainAdapter, trainPseudoBrainGenerator } from '../train/brain-stages.js';
import { buildPool, type DiffusionPool } from '../train/diffusion-pool.js';
import { denoisingError, pseudoSignalConditioner, trainDiffusion } from '../train/diffusion-stage.js';
import { brainAdapterNetwork, networkWeights, pseudoBrainNetwork, unetNetwork } from '../train/networks.js';
import { maskedCrop } from '../train/pictures.js';
import { cachedPool } from '../train/pool-file.js';
import { mapModel } from '../train/rows.js';
import type { StageOptions, StageResult, Weights } from '../train/stage.js';
import { openPoolPictures } from './pool-pictures.js';
import { componentConfig, trainableUnet } from './training-base.js';
import type { TrainingData } from './training-data.js';
import type { HeldOutMetric, Part, Stage, TrainMessage } from './training-messages.js';
import { adapterPoints, heldOutCorrelation, heldOutEmbeddings } from './training-metrics.js';

/** What all steps below share. */
export interface Run {
  readonly message: TrainMessage;
  readonly blobs: Blobs;
  readonly base: Bundle;
  readonly data: TrainingData;
  readonly device: { readonly threads?: number };
  readonly abort: AbortSignal;
  at(stage: Stage, step: number, steps: number): void;
  /** Options of a stage whose averaged weights `measure` turns into points from time to time. */
  options(
    stage: Stage,
    plan: StageSettings,
    measure: (weights: Weights) => Promise<Record<string, number>>,
  ): StageOptions;
  trains(part: Part): boolean;
  /** Says that what was done until now would survive a kill. */
  kept(): void;
}

/** A network of the new bundle: trained, or the base's. */
export interface Network {
  /** ONNX bytes, or the path of the base's. */
  readonly model: Uint8Array | string;
  readonly part: ComponentPart;
  readonly result?: StageResult;
}

const keep = (base: Bundle, component: Component): Network => ({
  model: base.components[component]!,
  part: { from: base },
});

const trained = (model: Uint8Array, config: object, result: StageResult): Network => ({
  model,
  part: { model, config },
  result,
});

/** Sets the weights that belong to excluded voxels to 0: [rows of voxels, inner], or [outer, columns of voxels]. */
function silence(
  weights: Weights,
  names: readonly string[],
  axis: 'rows' | 'columns',
  excluded: Uint8Array,
): Weights {
  const changed = names.map((name): [string, Float32Array] => {
    const values = weights[name]!;
    const inner = axis === 'rows' ? values.length / excluded.length : 1;
    return [name, values.map((x, i) => (excluded[Math.floor(i / inner) % excluded.length] ? 0 : x))];
  });
  return { ...weights, ...Object.fromEntries(changed) };
}

/** G: from embeddings to signals. */
export async function makeGenerator(run: Run): Promise<Network> {
  if (!run.trains('PSEUDO_BRAIN_GENERATOR')) return keep(run.base, 'pseudo_brain_generator');
  const { data, message } = run;
  const plan = message.settings.pseudoBrainGenerator;
  const size = { hidden: plan.hidden, blocks: plan.blocks };
  const { embeddingSize, voxels } = data;
  const encode = (weights: Weights) =>
    pseudoBrainNetwork(silence(weights, ['linear_out.weight', 'linear_out.bias'], 'rows', data.excluded), {
      ...size,
      outputs: voxels,
      embeddingSize,
    });
  const options = run.options('pseudoBrainGenerator', plan, async (weights) => {
    const predicted = await mapModel(encode(weights), heldOutEmbeddings(data), [embeddingSize], run.device);
    const correlation = heldOutCorrelation(data, predicted, 'SINGLE_TRIALS');
    const none: Record<string, number> = {};
    return correlation === undefined ? none : { heldOutVoxelCorrelation: correlation };
  });
  const result = await trainPseudoBrainGenerator(data, data.training, { size, plan }, options);
  return trained(encode(result.weights), { ...size, outputs: voxels }, result);
}

/** A: from signals to embeddings. */
export async function makeAdapter(run: Run, noise: ResidualNoise): Promise<Network> {
  if (!run.trains('BRAIN_ADAPTER')) return keep(run.base, 'brain_adapter');
  const { data, message } = run;
  const { brainAdapter: plan, tau } = message.settings;
  const size = { hidden: plan.hidden, blocks: plan.blocks };
  const { embeddingSize: outputs, voxels } = data;
  const encode = (weights: Weights) =>
    brainAdapterNetwork(silence(weights, ['linear_in.weight'], 'columns', data.excluded), {
      ...size,
      outputs,
      voxels,
    });
  const options = run.options('brainAdapter', plan, (weights) =>
    adapterPoints(data, encode(weights), run.device),
  );
  const result = await trainBrainAdapter(noise, data.training, { size, plan, tau }, options);
  return trained(encode(result.weights), { ...size, outputs, voxels, tau }, result);
}

/** Masked pictures, encoded: of training stimuli and further pictures, or of held-out stimuli. */
async function drawPool(
  run: Run,
  hashes: readonly string[],
  count: number,
  seed: number,
  onProgress?: (done: number) => void,
): Promise<DiffusionPool> {
  const { base, data, message, device, blobs, abort } = run;
  const { imageSizePx, vaeScaleFactor, latentChannels, latentScalingFactor } = base.conventions;
  const sessions: Session[] = [];
  try {
    for (const component of ['vae_encoder', 'image_encoder'] as const)
      sessions.push(await openSession(base.components[component]!, device));
    const [vaeEncoder, imageEncoder] = sessions as [Session, Session];
    const geometry = {
      imageSizePx,
      regionSizePx: Number(imageEncoder.inputs[0]!.shape[2]),
      latentSide: imageSizePx / vaeScaleFactor,
      latentChannels,
      embeddingSize: data.embeddingSize,
    };
    const { maskProbabilities } = message.settings.diffusion;
    // A training crop has more than half of the shorter side.
    const pictureOf = openPoolPictures(blobs, 2 * imageSizePx);
    return await buildPool(
      { vaeEncoder, imageEncoder },
      geometry,
      count,
      async (rng) => {
        const picture = await pictureOf(hashes[rng.int(hashes.length)]!);
        return maskedCrop(rng, picture, imageSizePx, maskProbabilities);
      },
      createRng(seed),
      {
        scale: latentScalingFactor,
        colours: base.conventions.imageEncoderColours,
        abort,
        ...(onProgress ? { onProgress } : {}),
      },
    );
  } finally {
    for (const session of sessions) await session.close();
  }
}

const HELD_OUT_SAMPLES = 64;

/** The UNet, with its error on held-out pictures. */
export async function makeUnet(
  run: Run,
  noise: ResidualNoise,
  networks: { pseudoBrainGenerator: Uint8Array | string; brainAdapter: Uint8Array | string },
): Promise<Network & { metric: HeldOutMetric }> {
  const { base, data, message } = run;
  const { seed, diffusion: plan } = message.settings;
  const { size, fault } = await trainableUnet(base);
  const figure = { name: 'diffusion.loss', stimuli: data.heldOut.length };
  if (!size) {
    if (run.trains('DIFFUSION'))
      throw new AppError('UNSUPPORTED', `the base's UNet: ${fault}`, { field: 'baseModelId' });
    return { ...keep(base, 'unet'), metric: { ...figure, undefinedReason: `of the UNet: ${fault}` } };
  }
  const hashesOf = (rows: readonly number[]) => rows.map((i) => message.stimuli[i]!.pngSha256);
  const { latentChannels, imageSizePx, vaeScaleFactor } = base.conventions;
  const heldOutPool = await drawPool(run, hashesOf(data.heldOut), HELD_OUT_SAMPLES, seed + 201);
  const { condition, close } = await pseudoSignalConditioner(networks, noise, run.device);
  const cumulative = alphasCumprod(base.scheduler);
  const settings = {
    conditionSize: base.conventions.conditionSize,
    plan,
    prediction: plan.predictionType,
    conditionDropout: plan.conditionDropout,
    keptWeight: plan.keptWeight,
  };
  const error = (model: Uint8Array | string) =>
    denoisingError(model, heldOutPool, settings, cumulative, condition, createRng(seed + 202), run.device);
  const metric = async (model: Uint8Array | string): Promise<HeldOutMetric> => ({
    ...figure,
    value: await error(model),
  });
  try {
    if (!run.trains('DIFFUSION')) {
      const kept = keep(base, 'unet');
      return { ...kept, metric: await metric(kept.model) };
    }
    const hashes = [...hashesOf(data.training), ...message.pictures];
    run.at('pool', 0, plan.poolSize);
    const pool = await cachedPool(join(message.workFolder, 'pool.bin'), () =>
      drawPool(run, hashes, plan.poolSize, seed + 101, (done) => run.at('pool', done, plan.poolSize)),
    );
    const encode = (weights: Weights) =>
      unetNetwork(weights, {
        ...size,
        latentChannels,
        latentSide: imageSizePx / vaeScaleFactor,
        conditionSize: settings.conditionSize,
      });
    const options = run.options('diffusion', plan, async (weights) => ({
      heldOutLoss: await error(encode(weights)),
    }));
    const initial = networkWeights(await readFile(base.components.unet!));
    const result = await trainDiffusion(pool, { ...settings, size }, cumulative, condition, {
      ...options,
      initial,
    });
    const model = encode(result.weights);
    const config = await componentConfig(base, 'unet');
    return { ...trained(model, config, result), metric: await metric(model) };
  } finally {
    await close();
  }
}
