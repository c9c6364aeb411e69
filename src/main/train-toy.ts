// `npm run train:toy`: trains every network of the toy bundle in turn and writes models/toy. Resumes by itself.

import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RgbImage } from '../imaging/types.js';
import { writeBundle } from '../painter/bundle.js';
import { createRng } from '../random.js';
import { drawPlaceCrops } from '../toy/photograph-scene.js';
import { pseudoSignalConditioner } from '../train/diffusion-stage.js';
import { imageEncoderNetwork, vaeDecoderNetwork, vaeEncoderNetwork } from '../train/networks.js';
import { autoencoderObjective, imageEncoderObjective } from '../train/objectives.js';
import { type StageResult, trainStage, type Weights } from '../train/stage.js';
import { endProgram } from './end-program.js';
import { OWN_SCHEDULER } from './own-scheduler.js';
import { autoencoderBatch, encoderBatch, sampleMasked } from './toy/batches.js';
import { simulateBrainData, toySubject } from './toy/brain-data.js';
import {
  toyAdapterNetwork,
  toyGeneratorNetwork,
  toyResidualNoise,
  trainToyAdapter,
  trainToyGenerator,
} from './toy/brain-networks.js';
import { toyPool, toyUnetNetwork, trainToyDiffusion } from './toy/diffusion.js';
import { modelCard } from './toy/model-card.js';
import { readPhotographs } from './toy/photographs.js';
import { progressLine } from './toy/progress.js';
import { measureReadout, type Readout } from './toy/readout.js';
import { PLAN, TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    /** Folders of photographs for backgrounds; without any, backgrounds are drawn. */
    photographs: { type: 'string', multiple: true, default: [] },
    /** Checkpoints; a second run goes on from them. */
    folder: { type: 'string', default: 'runs/toy' },
    out: { type: 'string', default: 'models/toy' },
    /** Stop after this stage. */
    until: { type: 'string' },
    stimuli: { type: 'string', default: '18000' },
    pool: { type: 'string', default: '20000' },
    /** Steps of the diffusion stage; a resumed run may shorten or lengthen its schedule. */
    steps: { type: 'string', default: String(PLAN.diffusion.steps) },
    /** Threads within one op; by default one a core. */
    threads: { type: 'string' },
    /** How the card credits the photographs. */
    attribution: { type: 'string', default: '' },
    /** For the card: what is not as this program would do it from the start. */
    note: { type: 'string', default: '' },
  },
});
const say = (line: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const photographs = await readPhotographs(values.photographs, 2500, createRng(TOY.seeds.train)).catch(
  endProgram,
);
say(`${photographs.length} photographs for backgrounds`);
const common = {
  folder: values.folder,
  onProgress: (progress: Parameters<typeof progressLine>[0]) => say(progressLine(progress)),
  ...(values.threads ? { threads: Number(values.threads) } : {}),
};
const stopAfter = (stage: keyof typeof PLAN) => {
  if (values.until === stage) process.exit(0);
};

const autoencoder = await trainStage(
  'autoencoder',
  PLAN.autoencoder,
  (b) =>
    autoencoderObjective(b, {
      ...TOY.autoencoder,
      batch: PLAN.autoencoder.batch,
      imageSizePx: TOY.imageSizePx,
      kl: TOY.kl,
    }),
  (rng) => autoencoderBatch(rng, PLAN.autoencoder.batch, photographs),
  { ...common, seed: 12 },
);
stopAfter('autoencoder');

const imageEncoder = await trainStage(
  'imageEncoder',
  PLAN.imageEncoder,
  (b) =>
    imageEncoderObjective(b, {
      ...TOY.imageEncoder,
      batch: PLAN.imageEncoder.batch,
      imageSizePx: TOY.regionSizePx,
      kinds: TOY.kinds,
      colours: TOY.colours,
    }),
  (rng) => encoderBatch(rng, PLAN.imageEncoder.batch, photographs),
  { ...common, seed: 11 },
);
stopAfter('imageEncoder');

const encoderModel = imageEncoderNetwork(imageEncoder.weights, {
  ...TOY.imageEncoder,
  imageSizePx: TOY.regionSizePx,
});
const subject = toySubject();
const simulate = (count: number, seed: number) =>
  simulateBrainData(subject, encoderModel, count, seed, photographs);
const brain = await simulate(Number(values.stimuli), TOY.seeds.train);
say(
  `simulated ${brain.stimulusOfTrial.length} trials of ${brain.specs.length} stimuli, ${TOY.voxels} voxels`,
);
const stimuli = brain.specs.map((_, i) => i);
const generator = await trainToyGenerator(brain, stimuli, PLAN.pseudoBrainGenerator, { ...common, seed: 13 });
stopAfter('pseudoBrainGenerator');

const noise = await toyResidualNoise(brain, generator.weights, stimuli);
const adapter = await trainToyAdapter(noise, stimuli, PLAN.brainAdapter, { ...common, seed: 14 });
const brainAdapter = toyAdapterNetwork(adapter.weights);
const heldOut = await simulate(300, TOY.seeds.test);
const readouts: Readout[] = [];
for (const repetitions of [1, 2, 3]) {
  const readout = await measureReadout(heldOut, brainAdapter, repetitions, createRng(1));
  readouts.push(readout);
  say(
    `held out, mean of ${repetitions}: retrieval ${readout.retrieval.forward.mean.toFixed(3)} forward, ` +
      `${readout.retrieval.backward.mean.toFixed(3)} backward; kind ${readout.kindAccuracy.toFixed(3)}`,
  );
}
stopAfter('brainAdapter');

const fixed = {
  vae_encoder: vaeEncoderNetwork(autoencoder.weights, { ...TOY.autoencoder, imageSizePx: TOY.imageSizePx }),
  vae_decoder: vaeDecoderNetwork(autoencoder.weights, { ...TOY.autoencoder, latentSide: TOY.latentSide }),
  image_encoder: encoderModel,
  brain_adapter: brainAdapter,
  pseudo_brain_generator: toyGeneratorNetwork(generator.weights),
};
// The diffusion alone also sees parts of larger drawn places: where the demo paints. Drawn only for a new pool.
let backgrounds: readonly RgbImage[] | undefined;
const pool = await toyPool(
  join(values.folder, 'pool.bin'),
  { vaeEncoder: fixed.vae_encoder, imageEncoder: fixed.image_encoder },
  {
    count: Number(values.pool),
    seed: TOY.seeds.train + 99,
    sample: (rng) => {
      backgrounds ??= [...photographs, ...drawPlaceCrops(createRng(TOY.seeds.train + 98), ...TOY.placeCrops)];
      return sampleMasked(rng, backgrounds);
    },
    onProgress: (done) => done % 1600 === 0 && say(`pool ${done}/${values.pool}`),
  },
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
      defaults: TOY.defaults,
      cropContext: 1.5,
    },
    scheduler: OWN_SCHEDULER,
    components: { ...components, unet: { model: toyUnetNetwork(weights), config: TOY.unet } },
    extras: {
      'README.md': modelCard({
        results,
        readouts,
        step,
        photographs: photographs.length,
        attribution: values.attribution,
        note: values.note,
        machine,
      }),
    },
  });
  say(`wrote ${values.out} at diffusion step ${step}`);
}

const before = { imageEncoder, autoencoder, pseudoBrainGenerator: generator, brainAdapter: adapter };
const { condition, close } = await pseudoSignalConditioner(
  { pseudoBrainGenerator: fixed.pseudo_brain_generator, brainAdapter },
  { ...noise, sigma: TOY.diffusionSigma },
  common,
);
const steps = Number(values.steps);
const diffusion = await trainToyDiffusion(pool, { ...PLAN.diffusion, steps }, condition, {
  ...common,
  seed: 15,
  onSnapshot: (weights, step) => write(weights, step, before),
});
await close();
await write(diffusion.weights, steps, { ...before, diffusion });
