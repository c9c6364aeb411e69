// The training of a bundle, whole: data -> generator -> adapter -> pool -> diffusion -> judged paintings -> figures -> bundle.
// Each stage goes on from its checkpoint; a second run over a finished stage merely reloads it. No database here.

import { mkdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { AppError, isAppError } from '../errors.js';
import { type Bundle, type ComponentPart, loadBundle, writeBundle } from '../painter/bundle.js';
import { COMPONENTS, type Component } from '../painter/manifest.js';
import { openSession } from '../runtime/session.js';
import type { Blobs } from '../store/blobs.js';
import type { Ownership } from '../store/folder-owner.js';
import type { ResidualNoise } from '../train/brain-stages.js';
import { mapModel } from '../train/rows.js';
import { NotFiniteError } from '../train/trainer.js';
import { trainingCard } from './training-card.js';
import { openCurve } from './training-curve.js';
import { readTrainingData } from './training-data.js';
import type { HeldOutMetric, Stage, TrainEvent, TrainMessage } from './training-messages.js';
import { measureBrainNetworks } from './training-metrics.js';
import { makeAdapter, makeGenerator, makeUnet, type Network, type Run } from './training-networks.js';
import { judgePaintings } from './training-paintings.js';
import { ownWorkFolder } from './work-folder.js';

/** Seeds of the stages: neighbours of one seed would draw the same numbers. */
const STAGE_SEEDS: Partial<Record<Stage, number>> = {
  pseudoBrainGenerator: 1000,
  brainAdapter: 2000,
  diffusion: 3000,
  judge: 4000,
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
    if (abort.aborted && isStop(error))
      throw new AppError('CANCELLED', `stopped in ${stage} at step ${step}`, { cause: error });
    tell({ type: 'fault', stage, step: error instanceof NotFiniteError ? error.step : step });
    throw explain(error, stage);
  } finally {
    owner?.release();
  }
}

/** Whether it is the answer to an abort; a disk that is full when the last step is kept is not. */
function isStop(error: unknown): boolean {
  return isAppError(error) ? error.code === 'CANCELLED' : (error as Error).name === 'AbortError';
}

/** Errors that a caller can act on, by what to do; others as they are. */
export function explain(error: unknown, stage: Stage): unknown {
  if (isAppError(error)) return error;
  if (error instanceof NotFiniteError) {
    const message = `${error.message}; lower the learning rate, or look for outliers in the data`;
    return new AppError('BAD_INPUT', message, { field: `settings.${stage}.learningRate`, cause: error });
  }
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')) {
    const message = 'the disk is full: the last step could not be kept; free some space and resume the run';
    return new AppError('UNAVAILABLE', message, { cause: error });
  }
  if (error instanceof RangeError && !/call stack/.test(error.message)) {
    const message = `${stage} does not fit in memory (${error.message}); choose smaller networks, batches or pools`;
    return new AppError('TOO_LARGE', message, { field: 'settings', cause: error });
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
    {
      encoderPath: base.components.image_encoder!,
      embeddingSize: await embeddingSizeOf(base),
      colours: base.conventions.imageEncoderColours,
    },
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
    kept: () => tell({ type: 'checkpoint' }),
    options: (stage, plan, measure) => {
      at(stage, 0, plan.steps);
      return {
        ...device,
        folder: workFolder,
        seed: settings.seed + STAGE_SEEDS[stage]!,
        abort,
        reportEvery: Math.ceil(plan.steps / 200),
        saveEvery: settings.checkpointEvery,
        onCheckpoint: () => tell({ type: 'checkpoint' }),
        snapshotEvery: Math.ceil(plan.steps / 10),
        onProgress: ({ step, steps, loss, metrics }) => {
          curve.add(stage, step, { loss, ...metrics });
          at(stage, step, steps);
        },
        onSnapshot: async (weights, step) => curve.add(stage, step, await measure(weights)),
      };
    },
  };
  const pseudoBrainGenerator = await makeGenerator(shared);
  const noise: ResidualNoise = {
    data,
    predicted: await mapModel(pseudoBrainGenerator.model, data.embeddings, [data.embeddingSize], device),
    trials: data.trainingTrials,
    sigma: [settings.sigmaLow, settings.sigmaHigh],
  };
  const brainAdapter = await makeAdapter(shared, noise);
  const brain = { pseudoBrainGenerator: pseudoBrainGenerator.model, brainAdapter: brainAdapter.model };
  const unet = await makeUnet(shared, noise, brain);
  const paintings = await judgePaintings(shared, { unet, brainAdapter });
  at('metrics', 0, 1);
  const brainMetrics = await measureBrainNetworks(data, brain, device);
  const metrics = [...brainMetrics, unet.metric, ...paintings.metrics];
  at('bundle', 0, 1);
  const networks = { pseudoBrainGenerator, brainAdapter, diffusion: unet };
  const provenance = {
    ...message.provenance,
    excludedVoxels: data.excludedCount,
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, onnxruntime on the CPU, ${threads ?? 'all'} threads`,
    stages: Object.fromEntries(
      Object.entries({ ...networks, judge: paintings }).flatMap(([name, { result }]) =>
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
    ...(paintings.facts ? { judge: paintings.facts } : {}),
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
