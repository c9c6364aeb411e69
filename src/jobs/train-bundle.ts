// The training of a bundle, whole: data -> pseudo brain generator -> brain adapter -> pool -> diffusion -> figures -> bundle.
// Each stage goes on from its checkpoint; a second run over a finished stage merely reloads it. No database here.

import { mkdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { AppError, isAppError } from '../errors.js';
import { decodeRgb } from '../imaging/decode.js';
import { type Bundle, type ComponentPart, loadBundle, writeBundle } from '../painter/bundle.js';
import { COMPONENTS, type Component } from '../painter/manifest.js';
import { alphasCumprod } from '../painter/scheduler.js';
import { openSession, type Session } from '../runtime/session.js';
import type { StageSettings } from '../services/training-settings.js';
import type { Blobs } from '../store/blobs.js';
import type { Ownership } from '../store/folder-owner.js';
import { type ResidualNoise, trainBrainAdapter, trainPseudoBrainGenerator } from '../train/brain-stages.js';
import { buildPool, type DiffusionPool } from '../train/diffusion-pool.js';
import { denoisingError, pseudoSignalConditioner, trainDiffusion } from '../train/diffusion-stage.js';
import { brainAdapterNetwork, networkWeights, pseudoBrainNetwork, unetNetwork } from '../train/networks.js';
import { maskedCrop } from '../train/pictures.js';
import { cachedPool } from '../train/pool-file.js';
import { createRng } from '../train/rng.js';
import { mapModel } from '../train/rows.js';
import type { StageOptions, StageResult, Weights } from '../train/stage.js';
import { NotFiniteError } from '../train/trainer.js';
import { componentConfig, trainableUnet } from './training-base.js';
import { trainingCard } from './training-card.js';
import { openCurve } from './training-curve.js';
import { readTrainingData, type TrainingData } from './training-data.js';
import type { HeldOutMetric, Part, Stage, TrainEvent, TrainMessage } from './training-messages.js';
import {
  adapterPoints,
  heldOutCorrelation,
  heldOutEmbeddings,
  measureBrainNetworks,
} from './training-metrics.js';
import { ownWorkFolder } from './work-folder.js';

/** What all steps below share. */
interface Run {
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
}

/** A network of the new bundle: trained, or the base's. */
interface Network {
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

async function generator(run: Run): Promise<Network> {
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

async function adapter(run: Run, noise: ResidualNoise): Promise<Network> {
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
    return await buildPool(
      { vaeEncoder, imageEncoder },
      geometry,
      count,
      async (rng) => {
        const picture = await decodeRgb(await blobs.get(hashes[rng.int(hashes.length)]!), 'stimuli');
        return maskedCrop(rng, picture, imageSizePx, maskProbabilities);
      },
      createRng(seed),
      { scale: latentScalingFactor, abort, ...(onProgress ? { onProgress } : {}) },
    );
  } finally {
    for (const session of sessions) await session.close();
  }
}

const HELD_OUT_SAMPLES = 64;

async function diffusion(
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

/** Seeds of the stages: neighbours of one seed would draw the same numbers. */
const STAGE_SEEDS: Partial<Record<Stage, number>> = {
  pseudoBrainGenerator: 1000,
  brainAdapter: 2000,
  diffusion: 3000,
};

/** Trains and writes the bundle; tells progress, points and at last the result. Throws AppError, CANCELLED when aborted. */
export async function trainBundle(
  message: TrainMessage,
  blobs: Blobs,
  tell: (event: TrainEvent) => void,
  abort: AbortSignal,
): Promise<void> {
  let [stage, step]: [Stage, number] = ['embeddings', 0];
  const at = (now: Stage, done: number, of: number) => {
    [stage, step] = [now, done];
    tell({ type: 'progress', stage: now, step: done, steps: of });
  };
  let owner: Ownership | undefined;
  try {
    owner = await ownWorkFolder(message.workFolder);
    await run(message, blobs, tell, abort, at);
  } catch (error) {
    if (abort.aborted)
      throw new AppError('CANCELLED', `stopped in ${stage} at step ${step}`, { cause: error });
    tell({ type: 'fault', stage, step: error instanceof NotFiniteError ? error.step : step });
    throw explain(error, stage);
  } finally {
    owner?.release();
  }
}

/** Errors that a caller can act on, by what to do; others as they are. */
function explain(error: unknown, stage: Stage): unknown {
  if (isAppError(error)) return error;
  if (error instanceof NotFiniteError) {
    const message = `${error.message}; lower the learning rate, or look for outliers in the data`;
    return new AppError('BAD_INPUT', message, { field: `settings.${stage}.learningRate`, cause: error });
  }
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')) {
    const message = 'the disk is full: the last step could not be kept; free some space and resume the run';
    return new AppError('UNAVAILABLE', message, { cause: error });
  }
  return error;
}

/** Width of the embeddings that the base's conditions are made from: what its mapper takes, or its UNet. */
async function embeddingSizeOf({ components, conventions }: Bundle): Promise<number> {
  if (!components.mapper) return conventions.conditionSize;
  const mapper = await openSession(components.mapper);
  const size = Number(mapper.inputs[0]!.shape.at(-1));
  await mapper.close();
  return size;
}

async function run(
  message: TrainMessage,
  blobs: Blobs,
  tell: (event: TrainEvent) => void,
  abort: AbortSignal,
  at: Run['at'],
): Promise<void> {
  const { workFolder, bundleFolder, settings, stimuli, threads } = message;
  const curve = openCurve(workFolder, tell);
  const base = await loadBundle(message.base.folder);
  if (base.hash !== message.base.hash)
    throw new AppError('CONFLICT', 'the files of the base model have changed', { field: 'baseModelId' });
  at('embeddings', 0, stimuli.length);
  const data = await readTrainingData(
    message,
    blobs,
    { encoderPath: base.components.image_encoder!, embeddingSize: await embeddingSizeOf(base) },
    { abort, onProgress: (done) => at('embeddings', done, stimuli.length) },
  );
  tell({ type: 'voxels', excluded: data.excludedCount });
  const device = threads ? { threads } : {};
  const shared: Run = {
    message,
    blobs,
    base,
    data,
    device,
    abort,
    at,
    trains: (part) => message.parts.includes(part),
    options: (stage, plan, measure) => {
      at(stage, 0, plan.steps);
      return {
        ...device,
        folder: workFolder,
        seed: settings.seed + STAGE_SEEDS[stage]!,
        abort,
        reportEvery: Math.ceil(plan.steps / 200),
        saveEvery: settings.checkpointEvery,
        snapshotEvery: Math.ceil(plan.steps / 10),
        onProgress: ({ step, steps, loss, metrics }) => {
          curve.add(stage, step, { loss, ...metrics });
          at(stage, step, steps);
        },
        onSnapshot: async (weights, step) => curve.add(stage, step, await measure(weights)),
      };
    },
  };
  const pseudoBrainGenerator = await generator(shared);
  const noise: ResidualNoise = {
    data,
    predicted: await mapModel(pseudoBrainGenerator.model, data.embeddings, [data.embeddingSize], device),
    trials: data.trainingTrials,
    sigma: [settings.sigmaLow, settings.sigmaHigh],
  };
  const brainAdapter = await adapter(shared, noise);
  const brain = { pseudoBrainGenerator: pseudoBrainGenerator.model, brainAdapter: brainAdapter.model };
  const unet = await diffusion(shared, noise, brain);
  at('metrics', 0, 1);
  const metrics = [...(await measureBrainNetworks(data, brain, device)), unet.metric];
  at('bundle', 0, 1);
  const networks = { pseudoBrainGenerator, brainAdapter, diffusion: unet };
  const provenance = {
    ...message.provenance,
    excludedVoxels: data.excludedCount,
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, onnxruntime on the CPU, ${threads ?? 'all'} threads`,
    stages: Object.fromEntries(
      Object.entries(networks).flatMap(([name, { result }]) =>
        result
          ? [
              [
                name,
                {
                  parameters: result.parameterCount,
                  seconds: result.seconds,
                  loss: result.losses.at(-1)!.loss,
                },
              ],
            ]
          : [],
      ),
    ),
    metrics,
  };
  await writeResult(shared, { ...networks, provenance, metrics });
  const { hash } = await loadBundle(bundleFolder);
  tell({ type: 'bundle', hash, metrics, provenance });
}

async function writeResult(
  { base, message }: Run,
  result: {
    pseudoBrainGenerator: Network;
    brainAdapter: Network;
    diffusion: Network;
    metrics: readonly HeldOutMetric[];
    provenance: object;
  },
): Promise<void> {
  const components: Partial<Record<Component, ComponentPart>> = {};
  for (const component of COMPONENTS) if (base.components[component]) components[component] = { from: base };
  components.pseudo_brain_generator = result.pseudoBrainGenerator.part;
  components.brain_adapter = result.brainAdapter.part;
  components.unet = result.diffusion.part;
  const { files: _, ...conventions } = base.conventions;
  const { name, subject, voxels } = message;
  await mkdir(join(message.bundleFolder, '..'), { recursive: true });
  await writeBundle(message.bundleFolder, {
    conventions: { ...conventions, name, subject, voxels },
    scheduler: base.scheduler,
    components,
    ...(base.uncondVector ? { uncondVector: base.uncondVector } : {}),
    extras: {
      'README.md': trainingCard(message, base, result.metrics),
      'provenance.json': `${JSON.stringify(result.provenance, null, 2)}\n`,
    },
  });
}
