// `npm run train:judge`: trains the judge of `npm run eval:toy` and writes models/judge.

import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createRng } from '../random.js';
import { judgeNetwork, judgeObjective } from '../train/judge.js';
import { trainStage } from '../train/stage.js';
import { endProgram } from './end-program.js';
import { JUDGE, judgeBatch } from './toy/judge.js';
import { readPhotographs } from './toy/photographs.js';
import { progressLine } from './toy/progress.js';
import { PLAN, TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    photographs: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string', default: 'runs/judge' },
    out: { type: 'string', default: 'models/judge' },
    threads: { type: 'string' },
  },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const photographs = await readPhotographs(values.photographs, 1500, createRng(TOY.seeds.judge)).catch(
  endProgram,
);
const { weights } = await trainStage(
  'judge',
  PLAN.judge,
  (b) => judgeObjective(b, JUDGE, PLAN.judge.batch),
  (rng) => judgeBatch(rng, PLAN.judge.batch, photographs),
  {
    folder: values.folder,
    seed: TOY.seeds.judge,
    onProgress: (progress) => say(progressLine(progress)),
    ...(values.threads ? { threads: Number(values.threads) } : {}),
  },
);
await mkdir(values.out, { recursive: true });
await writeFile(`${values.out}/model.onnx`, judgeNetwork(weights, JUDGE));
say(`wrote ${values.out}/model.onnx`);
