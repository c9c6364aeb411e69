// `npm run train:toy`: trains every network of the toy bundle in turn and writes models/toy. Resumes by itself.

import { parseArgs } from 'node:util';
import { createRng } from '../train/rng.js';
import { autoencoderObjective, imageEncoderObjective } from '../train/objectives.js';
import { autoencoderBatch, encoderBatch } from './toy/batches.js';
import { readPhotographs } from './toy/photographs.js';
import { PLAN, TOY } from './toy/settings.js';
import { trainStage } from './toy/stage.js';

const { values } = parseArgs({
  options: {
    photographs: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string', default: 'runs/toy' },
    steps: { type: 'string' },
    only: { type: 'string' },
  },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const folder = values.folder;
const photographs = await readPhotographs(values.photographs, 2500, createRng(TOY.seeds.train));
say(`${photographs.length} photographs`);

const common = { folder, say, ...(values.steps ? { steps: Number(values.steps) } : {}) };
if (!values.only || values.only === 'imageEncoder') {
  const { batch } = PLAN.imageEncoder;
  const size = { ...TOY.imageEncoder, batch, imageSizePx: TOY.regionSizePx, kinds: TOY.kinds, colours: TOY.colours };
  await trainStage('imageEncoder', (b) => imageEncoderObjective(b, size), (rng) => encoderBatch(rng, batch, photographs), { ...common, seed: 11 });
}
if (!values.only || values.only === 'autoencoder') {
  const { batch } = PLAN.autoencoder;
  const size = { ...TOY.autoencoder, batch, imageSizePx: TOY.imageSizePx, kl: TOY.kl };
  await trainStage('autoencoder', (b) => autoencoderObjective(b, size), (rng) => autoencoderBatch(rng, batch, photographs), { ...common, seed: 12 });
}
