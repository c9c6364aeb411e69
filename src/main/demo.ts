// `npm run demo`: the main job end to end on the embedded default, by the public API only. Ends with one JSON line.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, parse, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { makeContactSheet, type SheetCell, tintMask } from '../imaging/contact-sheet.js';
import { countDifferentOutside } from '../imaging/crop.js';
import { decodeRgb, encodePng } from '../imaging/decode.js';
import { presetMask } from '../imaging/mask-shapes.js';
import type { RgbImage } from '../imaging/types.js';
import { createLog } from '../log.js';
import { createRng } from '../random.js';
import { MindPainter } from '../sdk/client.js';
import { KINDS } from '../toy/kinds.js';
import { drawPhotographSizeScene, PLACES, SPOTS } from '../toy/photograph-scene.js';
import { drawScene, sampleScene } from '../toy/scene.js';
import { type Stimulus, uploadSimulatedScans } from './demo/scans.js';
import { endProgram } from './end-program.js';
import { startPlatform } from './platform.js';
import { TOY } from './toy/settings.js';

const HELP = `npm run demo -- [options]

Paints pictures by the signals of a simulated subject, on a server of its own, and writes one contact sheet.

  --image FILE    a photograph to paint on (PNG, JPEG or WebP); may be repeated (default: three drawn scenes)
  --brains N      signals to paint by, 1 to 12, one column each (default 4)
  --out FOLDER    where sheet.png and the server's data go (default out/demo)
`;
const say = (line: string) => process.stderr.write(`${line}\n`);

/** Ends by what the user can mend. */
function refuse(message: string): never {
  say(message);
  process.exit(1);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        image: { type: 'string', multiple: true, default: [] },
        out: { type: 'string', default: 'out/demo' },
        brains: { type: 'string', default: '4' },
        help: { type: 'boolean', default: false },
      },
    });
    const brains = Number(values.brains);
    if (!Number.isInteger(brains) || brains < 1 || brains > KINDS.length)
      refuse(`--brains is ${values.brains}: give a whole number from 1 to ${KINDS.length}`);
    return { ...values, brains };
  } catch (error) {
    return refuse(`${(error as Error).message}\n\n${HELP}`);
  }
}

const options = readOptions();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const started = performance.now();
const out = resolve(options.out);

/** Pictures that the simulated subject saw; none was used in training. */
function drawStimuli(count: number): Stimulus[] {
  const rng = createRng(TOY.seeds.test + 5);
  return Array.from({ length: count }, (_, i) => {
    const spec = sampleScene(rng);
    const { kind, colour } = spec.objects[0]!;
    return { name: `${String(i + 1).padStart(3, '0')}-${colour}-${kind}`, spec };
  });
}

interface Source {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly image: RgbImage;
  /** The rectangle to paint, in fractions of the picture. */
  readonly spot: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

/** A square a good half of the picture's shorter side, at another place in each picture. */
function spotIn(image: RgbImage, index: number): Source['spot'] {
  const side = 0.56 * Math.min(image.width, image.height);
  const [width, height] = [side / image.width, side / image.height];
  const across = [0.5, 0.25, 0.75][index % 3]!;
  return { left: (1 - width) * across, top: (1 - height) * 0.6, width, height };
}

/** The pictures to paint on: the user's, checked before anything starts, or drawn ones. */
function readSources(): Promise<Source[]> {
  if (options.image.length === 0) {
    return Promise.all(
      PLACES.map(async (place, i) => {
        const image = drawPhotographSizeScene(createRng(50 + i), 768, 512, place);
        return { name: place, image, bytes: await encodePng(image), spot: SPOTS[place] };
      }),
    );
  }
  return Promise.all(
    options.image.map(async (path, i) => {
      const bytes = await readFile(path).catch(() =>
        refuse(`--image ${path}: there is no such file to read`),
      );
      const image = await decodeRgb(bytes, 'image').catch((error: Error) =>
        refuse(`${path}: ${error.message}`),
      );
      return { name: parse(path).name, bytes, image, spot: spotIn(image, i) };
    }),
  );
}

/** Shows how a job goes on: in place on a terminal, else only how it ended. */
function showProgress(line: string, ended: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${line}   ${ended ? '\n' : ''}`);
  else if (ended) say(line);
}

async function main(
  mp: MindPainter,
  sources: readonly Source[],
): Promise<{ paintings: number; different: number; sheet: string }> {
  const stimuli = drawStimuli(60);
  const trialsOf = await uploadSimulatedScans(
    mp,
    stimuli,
    { prefix: 'demo', repetitions: 3, seed: TOY.seeds.test + 6 },
    say,
  );
  // The columns: the first stimuli of different kinds.
  const kinds = new Set<string>();
  const columns = stimuli.filter(({ spec }) => {
    const { kind } = spec.objects[0]!;
    return kinds.size < options.brains && !kinds.has(kind) && kinds.add(kind);
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
  for (const { name, bytes, image: source, spot } of sources) {
    const { id: imageId } = await mp.images.upload(bytes);
    const { id: maskId } = await mp.masks.create({ imageId, shape: 'RECTANGLE', ...spot });
    const mask = presetMask({ shape: 'rectangle', ...spot }, source.width, source.height);
    const row: SheetCell[] = [
      { image: source, caption: name },
      { image: tintMask(source, mask), caption: 'mask' },
    ];
    for (const [column, stimulus] of columns.entries()) {
      const trialIds = trialsOf.get(stimulus.name)!;
      const { id } = await mp.jobs.submit({ imageId, maskId, modelId: model.id, trialIds, seed: 7 + column });
      const label = `${name} by ${stimulus.name}`;
      const job = await mp.jobs.wait(id, {
        onProgress: ({ state, stepsDone, stepsTotal }) =>
          showProgress(`${label}: ${state.toLowerCase()} ${stepsDone}/${stepsTotal}`, false),
      });
      showProgress(`${label}: ${job.state.toLowerCase()} ${job.stepsDone}/${job.stepsTotal}`, true);
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

const sources = await readSources();
await mkdir(out, { recursive: true });
// The demo speaks to a server of its own on this machine, as the local user.
const config = { ...loadConfig(), host: '127.0.0.1', secret: undefined, dataDir: join(out, 'data') };
const platform = await startPlatform(config, createLog('warn')).catch(endProgram);
say(`the platform is up at ${platform.url}`);
const mp = new MindPainter({ url: platform.url });
let interrupted = false;
process.once('SIGINT', () => {
  interrupted = true;
  say('\nstopping; the demo can be run again');
  void platform.stop().finally(() => process.exit(130));
});
try {
  const { paintings, different, sheet } = await main(mp, sources);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  process.stdout.write(
    `${JSON.stringify({ paintings, seconds, outsideMaskDifferentPixels: different, sheet })}\n`,
  );
} catch (error) {
  // What breaks while the platform stops is no news.
  if (!interrupted) throw error;
} finally {
  await mp.close();
  await platform.stop();
}
