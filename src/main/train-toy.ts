// `npm run train:toy`: trains every network of the toy bundle in turn and writes models/toy. Resumes by itself.

import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeBundle } from '../painter/bundle.js';
import { autoencoderObjective, imageEncoderObjective } from '../train/objectives.js';
import { openSession } from '../runtime/session.js';
import { createRng } from '../train/rng.js';
import { autoencoderBatch, encoderBatch } from './toy/batches.js';
import { mapRows, simulateBrainData, toySubject } from './toy/brain-data.js';
import { modelCard } from './toy/model-card.js';
import {
  brainAdapterNetwork,
  imageEncoderNetwork,
  pseudoBrainNetwork,
  unetNetwork,
  vaeDecoderNetwork,
  vaeEncoderNetwork,
  type Weights,
} from './toy/networks.js';
import { readPhotographs } from './toy/photographs.js';
import { PLAN, TOY } from './toy/settings.js';
import { type StageResult, trainStage } from './toy/stage.js';
import { addResidualNoise, measureRetrieval, trainBrainStages } from './toy/train-brain.js';
import { buildPool, type Conditioner, cachedPool, TOY_SCHEDULER, trainDiffusion } from './toy/train-diffusion.js';

const { values } = parseArgs({
  options: {
    /** Folders of photographs for backgrounds; without any, backgrounds are drawn. */
    photographs: { type: 'string', multiple: true, default: [] },
    /** Checkpoints; a second run goes on from them. */
    folder: { type: 'string', default: 'runs/toy' },
    out: { type: 'string', default: 'models/toy' },
    /** Stop after this stage. */
    until: { type: 'string' },
    stimuli: { type: 'string', default: '9000' },
    pool: { type: 'string', default: '12000' },
    /** Steps of the diffusion stage; a resumed run may shorten or lengthen its schedule. */
    steps: { type: 'string', default: String(PLAN.diffusion.steps) },
    /** How the card credits the photographs. */
    attribution: { type: 'string', default: '' },
  },
});
const say = (line: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const { folder } = values;
const photographs = await readPhotographs(values.photographs, 2500, createRng(TOY.seeds.train));
say(`${photographs.length} photographs for backgrounds`);
const common = { folder, say };

const encoderSize = {
  ...TOY.imageEncoder,
  batch: PLAN.imageEncoder.batch,
  imageSizePx: TOY.regionSizePx,
  kinds: TOY.kinds,
  colours: TOY.colours,
};
const imageEncoder = await trainStage(
  'imageEncoder',
  (b) => imageEncoderObjective(b, encoderSize),
  (rng) => encoderBatch(rng, PLAN.imageEncoder.batch, photographs),
  { ...common, seed: 11 },
);
if (values.until === 'imageEncoder') process.exit(0);

const subject = toySubject();
const encoderModel = imageEncoderNetwork(imageEncoder.weights);
const brain = await simulateBrainData(
  subject,
  encoderModel,
  Number(values.stimuli),
  TOY.seeds.train,
  photographs,
);
const heldOut = await simulateBrainData(subject, encoderModel, 300, TOY.seeds.test, photographs);
say(`simulated ${brain.specs.length} stimuli x ${brain.repetitions} trials, ${TOY.voxels} voxels`);
const stages = await trainBrainStages(brain, common);
const retrieval = {
  single: await measureRetrieval(heldOut, stages.adapter.weights, 1, 300),
  mean: await measureRetrieval(heldOut, stages.adapter.weights, 3, 300),
};
say(
  `retrieval among 300 held-out stimuli: ${retrieval.single.toFixed(3)} single trials, ${retrieval.mean.toFixed(3)} mean of 3`,
);
if (values.until === 'brainAdapter') process.exit(0);

const autoencoderSize = {
  ...TOY.autoencoder,
  batch: PLAN.autoencoder.batch,
  imageSizePx: TOY.imageSizePx,
  kl: TOY.kl,
};
const autoencoder = await trainStage(
  'autoencoder',
  (b) => autoencoderObjective(b, autoencoderSize),
  (rng) => autoencoderBatch(rng, PLAN.autoencoder.batch, photographs),
  { ...common, seed: 12 },
);
if (values.until === 'autoencoder') process.exit(0);

const fixed = {
  vae_encoder: vaeEncoderNetwork(autoencoder.weights),
  vae_decoder: vaeDecoderNetwork(autoencoder.weights),
  image_encoder: encoderModel,
  brain_adapter: brainAdapterNetwork(stages.adapter.weights),
  pseudo_brain_generator: pseudoBrainNetwork(stages.generator.weights),
};
const pool = await cachedPool(join(folder, 'pool.bin'), () =>
  buildPool(
    {
      vaeEncoder: fixed.vae_encoder,
      imageEncoder: encoderModel,
    },
    Number(values.pool),
    photographs,
    say,
  ),
);
const configs = {
  vae_encoder: TOY.autoencoder,
  vae_decoder: TOY.autoencoder,
  image_encoder: TOY.imageEncoder,
  brain_adapter: { ...TOY.brainAdapter, voxels: TOY.voxels, tau: TOY.tau },
  pseudo_brain_generator: TOY.pseudoBrainGenerator,
};

async function write(weights: Weights, step: number, results: Record<string, StageResult>): Promise<void> {
  const components = Object.fromEntries(
    Object.entries(fixed).map(([name, model]) => [
      name,
      { model, config: configs[name as keyof typeof configs] },
    ]),
  );
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, onnxruntime on the CPU`;
  await writeBundle(values.out, {
    conventions: {
      formatVersion: 1,
      name: 'toy',
      imageSizePx: TOY.imageSizePx,
      vaeScaleFactor: TOY.imageSizePx / TOY.latentSide,
      latentChannels: TOY.autoencoder.latentChannels,
      latentScalingFactor: pool.scale,
      unetInputOrder: ['noise', 'image', 'mask'],
      unetMaskMeaning: 'keep',
      maskDownscale: 'any',
      maskedFill: 0,
      conditionSize: TOY.brainAdapter.outputs,
      unconditional: 'zeros',
      voxels: TOY.voxels,
      subject: { label: '01', simulated: true },
      defaults: { steps: 25, guidanceScale: 3 },
      cropContext: 1.5,
    },
    scheduler: TOY_SCHEDULER,
    components: { ...components, unet: { model: unetNetwork(weights), config: TOY.unet } },
    extras: {
      'README.md': modelCard({
        results,
        retrieval,
        step,
        photographs: photographs.length,
        attribution: values.attribution,
        machine,
      }),
    },
  });
  say(`wrote ${values.out} at diffusion step ${step}`);
}

const before = {
  imageEncoder,
  autoencoder,
  pseudoBrainGenerator: stages.generator,
  brainAdapter: stages.adapter,
};
const steps = Number(values.steps);
const generator = await openSession(fixed.pseudo_brain_generator);
const adapter = await openSession(fixed.brain_adapter);
const conditioner: Conditioner = async (embeddings, rng) => {
  const signals = await mapRows(generator, embeddings, [TOY.imageEncoder.embeddingSize]);
  addResidualNoise(signals, brain, stages.predicted, TOY.sigma, rng);
  return mapRows(adapter, signals, [TOY.voxels]);
};
const diffusion = await trainDiffusion(pool, conditioner, {
  ...common,
  steps,
  onSnapshot: (weights, step) => write(weights, step, before),
});
await write(diffusion.weights, steps, { ...before, diffusion });
