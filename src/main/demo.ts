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
import { drawPhotographSizeScene } from '../toy/photograph-scene.js';
import { drawScene, type SceneSpec, sampleScene } from '../toy/scene.js';
import { simulateSessions } from '../toy/subject.js';
import { createRng } from '../train/rng.js';
import { type Client, createClient } from './demo/client.js';
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

async function uploadScans(client: Client, stimuli: readonly Stimulus[]): Promise<Map<string, string[]>> {
  const { createSubject } = await client.send<{ createSubject: { subject: { id: string } } }>(
    'mutation($input: CreateSubjectInput!) { createSubject(input: $input) { subject { id } userErrors { code message field } } }',
    { input: { label: 'sub-01', simulated: true } },
  );
  const trialsOf = new Map<string, string[]>();
  const subject = toySubject();
  for (const session of simulateSessions(
    subject,
    stimuli.map((s) => s.spec),
    3,
    createRng(TOY.seeds.test + 6),
  )) {
    const table = [
      'stimulus,repetition',
      ...session.trials.map((t) => `${stimuli[t.stimulus]!.name},${t.repetition}`),
    ].join('\n');
    const { importFmriSession } = await client.send<{
      importFmriSession: { fmriSession: { trials: { nodes: { id: string; stimulus: string }[] } } };
    }>(
      `mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) {
        fmriSession { id trials(first: 100) { nodes { id stimulus } } } userErrors { code message field } } }`,
      {
        input: {
          subjectId: createSubject.subject.id,
          label: `demo${session.label}`,
          betas: null,
          trials: null,
        },
      },
      {
        'input.betas': {
          name: 'betas.npy',
          type: 'application/octet-stream',
          bytes: writeNpy(session.betas, [session.trials.length, TOY.voxels]),
        },
        'input.trials': { name: 'trials.csv', type: 'text/csv', bytes: Buffer.from(table) },
      },
    );
    for (const trial of importFmriSession.fmriSession.trials.nodes) {
      trialsOf.set(trial.stimulus, [...(trialsOf.get(trial.stimulus) ?? []), trial.id]);
    }
    say(
      `uploaded session ${session.label}: ${session.trials.length} trials x ${TOY.voxels} voxels (simulated)`,
    );
  }
  return trialsOf;
}

interface JobState {
  readonly state: string;
  readonly stepsDone: number;
  readonly stepsTotal: number;
  readonly error: { message: string } | null;
  readonly paintings: { id: string; url: string; outsideMaskDifferentPixels: number }[];
}

async function waitFor(client: Client, id: string, label: string): Promise<JobState['paintings']> {
  for (let shown = -1; ; ) {
    const { paintJob } = await client.send<{ paintJob: JobState }>(
      'query($id: ID!) { paintJob(id: $id) { state stepsDone stepsTotal error { message } paintings { id url outsideMaskDifferentPixels } } }',
      { id },
    );
    if (paintJob.stepsDone !== shown) {
      shown = paintJob.stepsDone;
      process.stderr.write(
        `\r${label}: ${paintJob.state.toLowerCase()} ${paintJob.stepsDone}/${paintJob.stepsTotal}   `,
      );
    }
    if (paintJob.state === 'SUCCEEDED') {
      process.stderr.write('\n');
      return paintJob.paintings;
    }
    if (!['QUEUED', 'RUNNING'].includes(paintJob.state))
      throw new Error(`${label}: ${paintJob.state} ${paintJob.error?.message ?? ''}`);
    await new Promise((done) => setTimeout(done, 150));
  }
}

async function main(client: Client): Promise<{ paintings: number; different: number; sheet: string }> {
  const stimuli = drawStimuli(60);
  const trialsOf = await uploadScans(client, stimuli);
  // The columns: the first stimuli of different kinds.
  const kinds = new Set<string>();
  const columns = stimuli.filter(({ spec }) => {
    const { kind } = spec.objects[0]!;
    return kinds.size < Number(values.brains) && !kinds.has(kind) && kinds.add(kind);
  });
  const { models } = await client.send<{ models: { nodes: { id: string; name: string }[] } }>(
    '{ models(first: 10) { nodes { id name } } }',
  );
  const model = models.nodes[0];
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
    const { uploadSourceImage } = await client.send<{ uploadSourceImage: { sourceImage: { id: string } } }>(
      'mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } userErrors { code message field } } }',
      { input: { file: null } },
      { 'input.file': { name, type: 'application/octet-stream', bytes } },
    );
    const imageId = uploadSourceImage.sourceImage.id;
    const source: RgbImage = await decodeRgb(bytes, name);
    const fractions = maskFractions(source, index);
    const { createMask } = await client.send<{ createMask: { mask: { id: string } } }>(
      'mutation($input: CreateMaskInput!) { createMask(input: $input) { mask { id } userErrors { code message field } } }',
      { input: { imageId, shape: 'RECTANGLE', ...fractions } },
    );
    const mask = presetMask({ shape: 'rectangle', ...fractions }, source.width, source.height);
    const row: SheetCell[] = [
      { image: source, caption: name.replace(/\.\w+$/, '') },
      { image: tintMask(source, mask), caption: 'mask' },
    ];
    for (const [column, stimulus] of columns.entries()) {
      const { submitPaintJob } = await client.send<{ submitPaintJob: { paintJob: { id: string } } }>(
        'mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id } userErrors { code message field } } }',
        {
          input: {
            imageId,
            maskId: createMask.mask.id,
            modelId: model.id,
            trialIds: trialsOf.get(stimulus.name),
            seed: 7 + column,
          },
        },
      );
      for (const painting of await waitFor(
        client,
        submitPaintJob.paintJob.id,
        `${name} by ${stimulus.name}`,
      )) {
        const image = await decodeRgb(await client.download(painting.url), 'painting');
        different += countDifferentOutside(source, image, mask);
        paintings += 1;
        row.push({ image, caption: '' });
        await client.send(
          'mutation($input: RatePaintingInput!) { ratePainting(input: $input) { rating { id score } userErrors { code message field } } }',
          { input: { paintingId: painting.id, score: 3, rater: 'demo' } },
        );
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
try {
  result = await main(createClient(platform.url));
} finally {
  await platform.stop();
}
const seconds = Math.round((performance.now() - started) / 100) / 10;
const { paintings, different, sheet } = result;
process.stdout.write(
  `${JSON.stringify({ paintings, seconds, outsideMaskDifferentPixels: different, sheet })}\n`,
);
