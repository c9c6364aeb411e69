// `npm run demo`: the main job end to end on the embedded default, by the public API only. Ends with one JSON line.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { writeNpy } from '../fmri/npy.js';
import { makeContactSheet, type SheetCell, tintMask } from '../imaging/contact-sheet.js';
import { countDifferentOutside } from '../imaging/crop.js';
import { decodeRgb, encodePng } from '../imaging/decode.js';
import { presetMask } from '../imaging/mask-shapes.js';
import type { RgbImage } from '../imaging/types.js';
import { createLog } from '../log.js';
import { MindPainter } from '../sdk/client.js';
import { drawPhotographSizeScene } from '../toy/photograph-scene.js';
import { drawScene, type SceneSpec, sampleScene } from '../toy/scene.js';
import { simulateSessions } from '../toy/subject.js';
import { createRng } from '../train/rng.js';
import { startPlatform } from './platform.js';
import { toySubject } from './toy/brain-data.js';
import { TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    /** Photographs to paint on; without any, scenes are drawn at photograph size. */
    image: { type: 'string', multiple: true, default: [] },
    out: { type: 'string', default: 'out/demo' },
    /** Brain signals, one column each. */
    brains: { type: 'string', default: '4' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);
const started = performance.now();
const out = resolve(values.out);
await mkdir(out, { recursive: true });

interface Stimulus {
  readonly name: string;
  readonly spec: SceneSpec;
}

/** Pictures that the simulated subject saw; none was used in training. */
function drawStimuli(count: number): Stimulus[] {
  const rng = createRng(TOY.seeds.test + 5);
  return Array.from({ length: count }, (_, i) => {
    const spec = sampleScene(rng);
    const { kind, colour } = spec.objects[0]!;
    return { name: `${String(i + 1).padStart(3, '0')}-${colour}-${kind}`, spec };
  });
}

async function readSources(): Promise<{ name: string; bytes: Uint8Array }[]> {
  if (values.image.length > 0) {
    return Promise.all(
      values.image.map(async (path) => ({ name: basename(path), bytes: await readFile(path) })),
    );
  }
  const places = ['meadow', 'seaside', 'room'] as const;
  return Promise.all(
    places.map(async (place, i) => ({
      name: `${place}.png`,
      bytes: await encodePng(drawPhotographSizeScene(createRng(50 + i), 768, 512, place)),
    })),
  );
}

/** A square to paint, its side a good half of the picture's shorter one, at another place in each picture. */
function maskFractions(image: { width: number; height: number }, index: number) {
  const side = 0.56 * Math.min(image.width, image.height);
  const [width, height] = [side / image.width, side / image.height];
  const across = [0.5, 0.25, 0.75][index % 3]!;
  return { left: (1 - width) * across, top: (1 - height) * 0.6, width, height };
}

/** Uploads the simulated subject's sessions; gives the trials of each stimulus. */
async function uploadScans(mp: MindPainter, stimuli: readonly Stimulus[]): Promise<Map<string, string[]>> {
  const { id: subjectId } = await mp.subjects.create('sub-01', { simulated: true });
  const trialsOf = new Map<string, string[]>();
  const specs = stimuli.map((stimulus) => stimulus.spec);
  for (const { label, trials, betas } of simulateSessions(
    toySubject(),
    specs,
    3,
    createRng(TOY.seeds.test + 6),
  )) {
    const rows = trials.map((trial) => `${stimuli[trial.stimulus]!.name},${trial.repetition}`);
    const session = await mp.subjects.importSession({
      subjectId,
      label: `demo${label}`,
      betas: writeNpy(betas, [trials.length, TOY.voxels]),
      trials: Buffer.from(['stimulus,repetition', ...rows].join('\n')),
    });
    for await (const trial of mp.subjects.trials({ sessionId: session.id }))
      trialsOf.set(trial.stimulus, [...(trialsOf.get(trial.stimulus) ?? []), trial.id]);
    say(`uploaded session ${label}: ${trials.length} trials x ${TOY.voxels} voxels (simulated)`);
  }
  return trialsOf;
}

async function main(mp: MindPainter): Promise<{ paintings: number; different: number; sheet: string }> {
  const stimuli = drawStimuli(60);
  const trialsOf = await uploadScans(mp, stimuli);
  // The columns: the first stimuli of different kinds.
  const kinds = new Set<string>();
  const columns = stimuli.filter(({ spec }) => {
    const { kind } = spec.objects[0]!;
    return kinds.size < Number(values.brains) && !kinds.has(kind) && kinds.add(kind);
  });
  const { value: model } = await mp.models.list().next();
  if (!model) throw new Error('no model is registered; train one with npm run train:toy');

  const header: SheetCell[] = [{}, { caption: 'seen (simulated):' }];
  for (const { spec } of columns) {
    const { kind, colour } = spec.objects[0]!;
    header.push({ image: drawScene(spec, 256), caption: `${colour} ${kind}` });
  }
  const rows: SheetCell[][] = [header];
  let paintings = 0;
  let different = 0;
  for (const [index, { name, bytes }] of (await readSources()).entries()) {
    const { id: imageId } = await mp.images.upload(bytes);
    const source: RgbImage = await decodeRgb(bytes, name);
    const fractions = maskFractions(source, index);
    const { id: maskId } = await mp.masks.create({ imageId, shape: 'RECTANGLE', ...fractions });
    const mask = presetMask({ shape: 'rectangle', ...fractions }, source.width, source.height);
    const row: SheetCell[] = [
      { image: source, caption: name.replace(/\.\w+$/, '') },
      { image: tintMask(source, mask), caption: 'mask' },
    ];
    for (const [column, stimulus] of columns.entries()) {
      const trialIds = trialsOf.get(stimulus.name)!;
      const { id } = await mp.jobs.submit({ imageId, maskId, modelId: model.id, trialIds, seed: 7 + column });
      const job = await mp.jobs.wait(id, {
        onProgress: ({ state, stepsDone, stepsTotal }) => {
          const line = `${name} by ${stimulus.name}: ${state.toLowerCase()} ${stepsDone}/${stepsTotal}`;
          process.stderr.write(`\r${line}   `);
        },
      });
      process.stderr.write('\n');
      for (const painting of job.paintings) {
        const image = await decodeRgb(await mp.downloads.read(painting), 'painting');
        different += countDifferentOutside(source, image, mask);
        paintings += 1;
        row.push({ image, caption: '' });
        await mp.jobs.rate({ paintingId: painting.id, score: 3, rater: 'demo' });
      }
    }
    rows.push(row);
  }
  const sheet = join(out, 'sheet.png');
  await writeFile(sheet, await makeContactSheet(rows));
  return { paintings, different, sheet };
}

// The demo speaks to a server of its own on this machine, as the local user.
const config = { ...loadConfig(), host: '127.0.0.1', secret: undefined, dataDir: join(out, 'data') };
const platform = await startPlatform(config, createLog('warn'));
say(`the platform is up at ${platform.url}`);
let result: Awaited<ReturnType<typeof main>>;
const mp = new MindPainter({ url: platform.url });
try {
  result = await main(mp);
} finally {
  await mp.close();
  await platform.stop();
}
const seconds = Math.round((performance.now() - started) / 100) / 10;
const { paintings, different, sheet } = result;
process.stdout.write(
  `${JSON.stringify({ paintings, seconds, outsideMaskDifferentPixels: different, sheet })}\n`,
);
