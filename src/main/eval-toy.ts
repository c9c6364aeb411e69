// `npm run eval:toy`: paints held-out pairs of a scene and a signal; the judge says what it sees in the mask.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { makeContactSheet, type SheetCell, tintMask } from '../imaging/contact-sheet.js';
import { loadBundle } from '../painter/bundle.js';
import { openPainter, paint } from '../painter/painter.js';
import { openExemplarEncoder, paintTwoStage } from '../painter/two-stage.js';
import { createRng, type Rng } from '../random.js';
import { openSession } from '../runtime/session.js';
import { KINDS } from '../toy/kinds.js';
import { drawScene, objectBox } from '../toy/scene.js';
import { signalOf } from '../train/brain-data.js';
import { endProgram } from './end-program.js';
import { simulateBrainData, toySubject } from './toy/brain-data.js';
import { judgeKinds, looseBox } from './toy/judge.js';
import { inpaintingPlace, paintPairs, type Route } from './toy/pairs.js';
import { readPhotographs } from './toy/photographs.js';
import { TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string', default: 'models/toy' },
    judge: { type: 'string', default: 'models/judge/model.onnx' },
    n: { type: 'string', default: '200' },
    photographs: { type: 'string', multiple: true, default: [] },
    guidance: { type: 'string' },
    candidates: { type: 'string' },
    steps: { type: 'string' },
    /** Only the main figure: mean of three repetitions. */
    quick: { type: 'boolean', default: false },
    threads: { type: 'string' },
    out: { type: 'string', default: 'out/eval-toy' },
  },
});
const count = Number(values.n);
const threads = values.threads ? { threads: Number(values.threads) } : {};
const say = (line: string) => process.stderr.write(`${line}\n`);

const bundle = await loadBundle(values.bundle);
const painter = await openPainter(bundle, threads);
const exemplar = await openExemplarEncoder(painter, threads);
const judge = await openSession(values.judge, threads);
const rng: Rng = createRng(TOY.seeds.test + 1);
const photographs = await readPhotographs(values.photographs, 500, rng).catch(endProgram);
const { imageSizePx, defaults } = bundle.conventions;
const settings = {
  steps: values.steps ? Number(values.steps) : defaults.steps,
  guidanceScale: values.guidance ? Number(values.guidance) : defaults.guidanceScale,
  candidates: values.candidates ? Number(values.candidates) : (defaults.candidates ?? 1),
};

// The stimuli are held out: their seed is one that no training stage uses.
const encoderModel = await readFile(bundle.components.image_encoder!);
const brain = await simulateBrainData(toySubject(), encoderModel, count, TOY.seeds.test, photographs);
const stimuli = brain.specs.map((spec) => drawScene(spec, imageSizePx, photographs));
const seen = brain.specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind));
const real = await judgeKinds(
  judge,
  brain.specs.map((spec, i) => ({
    image: stimuli[i]!,
    box: looseBox(rng, objectBox(spec, 0, imageSizePx)),
  })),
);
const judgeAccuracyOnRealScenes = real.filter((kind, i) => kind === seen[i]).length / count;
say(`judge on real scenes: ${judgeAccuracyOnRealScenes}`);

const sceneOf = (pair: number) => inpaintingPlace(pair, photographs);

// The control: each painting by the signal of another stimulus, judged against the stimulus that was not shown.
const order = rng.shuffle(brain.specs.map((_, i) => i));
const other = new Map(order.map((i, k) => [i, order[(k + 1) % count]!]));

const direct: Route = (request) => paint(painter, request);
const twoStage: Route = (request) => paintTwoStage(painter, exemplar, request);

async function measure(
  label: string,
  route: Route,
  signalFor: (i: number) => Float32Array,
  candidates = settings.candidates,
) {
  const started = performance.now();
  const paintings = await paintPairs(
    route,
    count,
    sceneOf,
    signalFor,
    { ...settings, candidates },
    (done) => {
      if (done % 50 === 0) say(`${label}: ${done} of ${count}`);
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const judged = await judgeKinds(judge, paintings);
  const accuracy = judged.filter((kind, i) => kind === seen[i]).length / count;
  say(`${label}: ${accuracy.toFixed(3)} in ${seconds.toFixed(1)} s`);
  return { accuracy, seconds, images: paintings.map(({ image }) => image), judged };
}

const mean = await measure('mean of 3', direct, (i) => signalOf(brain, i, 3));
const rows: SheetCell[][] = [
  [{ caption: 'seen' }, { caption: 'source' }, { caption: 'mask' }, { caption: 'mean of 3' }],
];
const columns = [mean];
let rest = {};
if (!values.quick) {
  const alone = await measure('one candidate', direct, (i) => signalOf(brain, i, 3), 1);
  const single = await measure('single trial', direct, (i) => signalOf(brain, i, 1));
  const staged = await measure('two-stage', twoStage, (i) => signalOf(brain, i, 3));
  const shuffled = await measure('shuffled brain', direct, (i) => signalOf(brain, other.get(i)!, 3));
  columns.push(single, staged, shuffled);
  rows[0]!.push({ caption: 'single trial' }, { caption: 'two-stage' }, { caption: 'shuffled' });
  rest = {
    singleTrialAccuracy: single.accuracy,
    oneCandidateAccuracy: alone.accuracy,
    twoStageAccuracy: staged.accuracy,
    twoStageSeconds: Math.round(staged.seconds),
    costRatio: staged.seconds / mean.seconds,
    shuffledBrainAccuracy: shuffled.accuracy,
  };
}
for (let i = 0; i < Math.min(count, 16); i++) {
  const { source, mask } = sceneOf(i);
  rows.push([
    { image: stimuli[i]!, caption: KINDS[seen[i]!]! },
    { image: source },
    { image: tintMask(source, mask) },
    ...columns.map(({ images, judged }) => ({ image: images[i]!, caption: KINDS[judged[i]!]! })),
  ]);
}
await mkdir(values.out, { recursive: true });
await writeFile(`${values.out}/sheet.png`, await makeContactSheet(rows));
await painter.close();
await exemplar.close();
await judge.close();
process.stdout.write(
  `${JSON.stringify({
    n: count,
    kinds: KINDS.length,
    categoryAccuracy: mean.accuracy,
    chance: 1 / KINDS.length,
    ...rest,
    judgeAccuracyOnRealScenes,
    candidates: settings.candidates,
    seconds: Math.round(mean.seconds),
    sheet: `${values.out}/sheet.png`,
  })}\n`,
);
