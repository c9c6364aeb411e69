// `npm run eval:toy`: paints held-out pairs of a scene and a signal; the judge says what it sees in the mask.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { encodePng } from '../imaging/decode.js';
import { presetMask } from '../imaging/mask-shapes.js';
import { loadBundle } from '../painter/bundle.js';
import { openPainter, paint } from '../painter/painter.js';
import { openSession } from '../runtime/session.js';
import { KINDS } from '../toy/kinds.js';
import { drawScene, objectBox, sampleScene } from '../toy/scene.js';
import { signalOf } from '../train/brain-data.js';
import { createRng, type Rng } from '../train/rng.js';
import { simulateBrainData, toySubject } from './toy/brain-data.js';
import { judgeKinds, looseBox } from './toy/judge.js';
import { readPhotographs } from './toy/photographs.js';
import { TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string', default: 'models/toy' },
    judge: { type: 'string', default: 'models/judge/model.onnx' },
    n: { type: 'string', default: '200' },
    /** How many repetitions of the trial are averaged: 1, 2 or 3. */
    repetitions: { type: 'string', default: '3' },
    photographs: { type: 'string', multiple: true, default: [] },
    out: { type: 'string', default: 'out/eval-toy' },
  },
});
const count = Number(values.n);
const repetitions = Number(values.repetitions);
const say = (line: string) => process.stderr.write(`${line}\n`);

const bundle = await loadBundle(values.bundle);
const painter = await openPainter(bundle);
const judge = await openSession(values.judge);
const rng: Rng = createRng(TOY.seeds.test + 1);
const photographs = await readPhotographs(values.photographs, 500, rng);
const { imageSizePx, defaults } = bundle.conventions;

// The stimuli are held out: their seed is one that no training stage uses.
const brain = await simulateBrainData(
  toySubject(),
  await readFile(bundle.components.image_encoder!),
  count,
  TOY.seeds.test,
  photographs,
);

const real = await judgeKinds(
  judge,
  brain.specs.map((spec) => ({
    image: drawScene(spec, imageSizePx, photographs),
    box: looseBox(rng, objectBox(spec, 0, imageSizePx)),
  })),
);
const seen = brain.specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind));
const judgeAccuracy = real.filter((kind, i) => kind === seen[i]).length / count;
say(`judge on real scenes: ${judgeAccuracy}`);

// The control: each painting by the signal of another stimulus, judged against the stimulus that was not shown.
const shuffled = rng.shuffle(brain.specs.map((_, i) => i));
const tiles: { image: Awaited<ReturnType<typeof encodePng>>; name: string }[] = [];

async function accuracy(signalFor: (i: number) => number, label: string): Promise<number> {
  let hits = 0;
  for (let i = 0; i < count; i++) {
    const place = createRng(TOY.seeds.test + 1000 + i);
    const spec = sampleScene(place, { photographs });
    const source = drawScene(spec, imageSizePx, photographs);
    const box = looseBox(place, objectBox(spec, 0, imageSizePx));
    const mask = presetMask(
      {
        shape: 'rectangle',
        left: box.x0 / imageSizePx,
        top: box.y0 / imageSizePx,
        width: (box.x1 - box.x0) / imageSizePx,
        height: (box.y1 - box.y0) / imageSizePx,
      },
      imageSizePx,
      imageSizePx,
    );
    const signal = signalOf(brain, signalFor(i), repetitions);
    for await (const { image } of paint(painter, {
      source,
      mask,
      signal,
      seed: i,
      paintings: 1,
      ...defaults,
    })) {
      const [kind] = await judgeKinds(judge, [{ image, box }]);
      if (kind === seen[i]) hits += 1;
      if (label === 'paired' && i < 24) {
        tiles.push({
          name: `${i}-${KINDS[seen[i]!]}-${kind === seen[i] ? 'right' : KINDS[kind!]}`,
          image: await encodePng(image),
        });
      }
    }
    if ((i + 1) % 25 === 0) say(`${label}: ${i + 1} of ${count}, ${(hits / (i + 1)).toFixed(3)}`);
  }
  return hits / count;
}

const started = performance.now();
const categoryAccuracy = await accuracy((i) => i, 'paired');
const seconds = (performance.now() - started) / 1000;
const shuffledBrainAccuracy = await accuracy((i) => shuffled[i]!, 'shuffled');
await mkdir(values.out, { recursive: true });
for (const { image, name } of tiles) await writeFile(`${values.out}/${name}.png`, image);
await painter.close();
await judge.close();
process.stdout.write(
  `${JSON.stringify({
    n: count,
    kinds: KINDS.length,
    categoryAccuracy,
    chance: 1 / KINDS.length,
    shuffledBrainAccuracy,
    judgeAccuracyOnRealScenes: judgeAccuracy,
    repetitions,
    seconds: Math.round(seconds),
  })}\n`,
);
