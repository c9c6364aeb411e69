// The main job through the API: upload, submit, watch, paint, rate; and what a kill, a cancel and a repeat do to it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { writeNpy } from '../../src/fmri/npy.js';
import { describeBundle } from '../../src/main/platform.js';
import { registerModel } from '../../src/services/models.js';
import { type Lab, startLab } from '../support/lab.js';
import { TINY, writeTinyBundle } from '../support/tiny-bundle.js';

interface Job {
  readonly id: string;
  readonly state: string;
  readonly stepsDone: number;
  readonly stepsTotal: number;
  readonly previewUrl: string | null;
  readonly attempts: { number: number; outcome: string | null }[];
  readonly paintings: { id: string; index: number; url: string; outsideMaskDifferentPixels: number }[];
}
const JOB =
  'id state stepsDone stepsTotal previewUrl attempts { number outcome } paintings { id index url outsideMaskDifferentPixels }';

let lab: Lab;
let worker: ChildProcess;
const input = { imageId: '', maskId: '', trialIds: [] as string[], modelId: '' };

async function ask<T>(query: string, variables: object = {}, files = {}): Promise<T> {
  const { data, errors } = await lab.send(query, variables, files);
  expect(errors).toBeUndefined();
  const payload = Object.values(data!)[0] as { userErrors?: unknown[] };
  expect(payload.userErrors ?? []).toEqual([]);
  return payload as T;
}

async function startWorker(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main/worker.ts'], {
    env: {
      ...process.env,
      DATABASE_URL: lab.databaseUrl,
      MINDPAINTER_DATA_DIR: lab.folder,
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

async function submit(change: object): Promise<string> {
  const { paintJob } = await ask<{ paintJob: { id: string } }>(
    'mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id } userErrors { code message field } } }',
    { input: { ...input, ...change } },
  );
  return paintJob.id;
}

const read = (id: string) => ask<Job>(`query($id: ID!) { paintJob(id: $id) { ${JOB} } }`, { id });

async function until(id: string, wanted: (job: Job) => boolean, timeoutMs = 80_000): Promise<Job> {
  for (const end = Date.now() + timeoutMs; ; await new Promise((done) => setTimeout(done, 40))) {
    const job = await read(id);
    if (wanted(job)) return job;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(job)}`);
  }
}
const ended = (job: Job) => !['QUEUED', 'RUNNING'].includes(job.state);
const trialOf = async (stimulus: string) => {
  const { nodes } = await ask<{
    nodes: { fmriSessions: { nodes: { trials: { nodes: { id: string }[] } }[] } }[];
  }>(
    'query($s: String!) { subjects(first: 1) { nodes { fmriSessions(first: 1) { nodes { trials(first: 1, stimulus: $s) { nodes { id } } } } } } }',
    { s: stimulus },
  );
  return nodes[0]!.fmriSessions.nodes[0]!.trials.nodes[0]!.id;
};
const bytesOf = async (url: string) => Buffer.from(await (await fetch(lab.url + url)).arrayBuffer());

beforeAll(async () => {
  lab = await startLab();
  const folder = join(lab.folder, 'bundle');
  await writeTinyBundle(folder);
  input.modelId = `Model_${(await registerModel(lab.services, await describeBundle(folder))).id}`;
  const { subject } = await ask<{ subject: { id: string } }>(
    'mutation { createSubject(input: { label: "sub-01", simulated: true }) { subject { id } userErrors { code } } }',
  );
  const betas = Float32Array.from({ length: 3 * TINY.voxels }, (_, i) => Math.sin(i * i));
  const { fmriSession } = await ask<{ fmriSession: { trials: { nodes: { id: string }[] } } }>(
    'mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) { fmriSession { trials(first: 9) { nodes { id } } } userErrors { code message field } } }',
    { input: { subjectId: subject.id, label: '01', betas: null, trials: null } },
    {
      'input.betas': { name: 'betas.npy', bytes: writeNpy(betas, [3, TINY.voxels]) },
      'input.trials': { name: 'trials.csv', bytes: Buffer.from('stimulus\na\nb\na\n') },
    },
  );
  input.trialIds = [fmriSession.trials.nodes[0]!.id, fmriSession.trials.nodes[2]!.id];
  const pixels = Uint8Array.from({ length: 90 * 70 * 3 }, (_, i) => (i * 37) % 255);
  const png = await sharp(pixels, { raw: { width: 90, height: 70, channels: 3 } })
    .png()
    .toBuffer();
  const { sourceImage } = await ask<{ sourceImage: { id: string } }>(
    'mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } userErrors { code message field } } }',
    { input: { file: null } },
    { 'input.file': { name: 'a.png', bytes: png } },
  );
  input.imageId = sourceImage.id;
  const { mask } = await ask<{ mask: { id: string } }>(
    'mutation($input: CreateMaskInput!) { createMask(input: $input) { mask { id } userErrors { code message field } } }',
    { input: { imageId: sourceImage.id, shape: 'ELLIPSE', left: 0.2, top: 0.2, width: 0.5, height: 0.6 } },
  );
  input.maskId = mask.id;
  worker = await startWorker();
}, 90_000);

afterAll(async () => {
  worker?.kill('SIGTERM');
  if (worker) await once(worker, 'exit');
  await lab?.close();
}, 30_000);

test('upload, submit, watch, paint, download, rate', async () => {
  const id = await submit({ steps: 60, paintingCount: 2, seed: 7 });
  const client = createClient({ url: `${lab.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
  const seen: Job[] = [];
  for await (const event of client.iterate<{ paintJobProgress: Job }>({
    query: `subscription($id: ID!) { paintJobProgress(id: $id) { ${JOB} } }`,
    variables: { id },
  })) {
    expect(event.errors).toBeUndefined();
    seen.push(event.data!.paintJobProgress);
  }
  await client.dispose();
  const last = seen.at(-1)!;
  expect(last).toMatchObject({ state: 'SUCCEEDED', stepsDone: 120, stepsTotal: 120 });
  expect(last.attempts).toEqual([{ number: 1, outcome: 'SUCCEEDED' }]);
  expect(last.paintings.map((p) => [p.index, p.outsideMaskDifferentPixels])).toEqual([
    [0, 0],
    [1, 0],
  ]);
  const steps = seen.map((job) => job.stepsDone);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  const [first, second] = await Promise.all(last.paintings.map((p) => bytesOf(p.url)));
  expect(await sharp(first).metadata()).toMatchObject({ format: 'png', width: 90, height: 70 });
  expect(first!.equals(second!)).toBe(false);
  const rate = (score: number) =>
    ask<{ rating: { revision: number } }>(
      'mutation($input: RatePaintingInput!) { ratePainting(input: $input) { rating { score revision painting { ratings { score } } } userErrors { code message field } } }',
      { input: { paintingId: last.paintings[0]!.id, score, rater: 'r1' } },
    );
  expect(await rate(1)).toMatchObject({ rating: { score: 1, revision: 1 } });
  expect(await rate(3)).toMatchObject({
    rating: { score: 3, revision: 2, painting: { ratings: [{ score: 3 }] } },
  });
  expect((await lab.census()).rating_revision).toBe(2);
}, 60_000);

test('the same seed gives the same bytes, another seed other ones', async () => {
  const ids = [await submit({ seed: 5 }), await submit({ seed: 5 }), await submit({ seed: 6 })];
  const done = await Promise.all(ids.map((id) => until(id, ended)));
  const [a, b, c] = await Promise.all(done.map((job) => bytesOf(job.paintings[0]!.url)));
  expect(a!.equals(b!)).toBe(true);
  expect(a!.equals(c!)).toBe(false);
}, 60_000);

test('a running job that is cancelled stops between steps and stores nothing', async () => {
  const id = await submit({ steps: 1000, paintingCount: 16 });
  await until(id, (job) => job.previewUrl !== null);
  const { previewUrl } = await read(id);
  expect(await sharp(await bytesOf(previewUrl!)).metadata()).toMatchObject({
    format: 'webp',
    width: TINY.imageSizePx,
  });
  await ask(
    'mutation($input: CancelPaintJobInput!) { cancelPaintJob(input: $input) { paintJob { id } userErrors { code } } }',
    {
      input: { id },
    },
  );
  const job = await until(id, ended, 5000);
  expect(job).toMatchObject({ state: 'CANCELLED', paintings: [], attempts: [{ outcome: 'CANCELLED' }] });
  expect(job.stepsDone).toBeLessThan(16_000);
  expect(job.previewUrl).toBeNull();
  expect((await fetch(lab.url + previewUrl)).status).toBe(404);
}, 60_000);

test('a job whose worker is killed runs again and has exactly one result', async () => {
  const id = await submit({ steps: 600, paintingCount: 2, seed: 9 });
  await until(id, (job) => job.stepsDone > 0);
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  worker = await startWorker();
  const job = await until(id, ended);
  expect(job.state).toBe('SUCCEEDED');
  expect(job.attempts).toEqual([
    { number: 1, outcome: 'LOST' },
    { number: 2, outcome: 'SUCCEEDED' },
  ]);
  expect(job.paintings.map((p) => p.index)).toEqual([0, 1]);
}, 90_000);

test('controls: shuffled paints by another stimulus and says which, no brain by none; both differ from the job itself', async () => {
  const b = await trialOf('b');
  const paintBy = async (change: object) => {
    const job = await until(await submit({ trialIds: [b], seed: 3, ...change }), ended);
    expect(job.state).toBe('SUCCEEDED');
    return { job, bytes: await bytesOf(job.paintings[0]!.url) };
  };
  const itself = await paintBy({});
  const shuffled = await paintBy({ method: 'SHUFFLED_BRAIN' });
  const none = await paintBy({ method: 'NO_BRAIN' });
  const { shuffledTrials, trials, method } = await ask<{
    method: string;
    trials: { id: string }[];
    shuffledTrials: { id: string; stimulus: string }[];
  }>('query($id: ID!) { paintJob(id: $id) { method trials { id } shuffledTrials { id stimulus } } }', {
    id: shuffled.job.id,
  });
  expect({ method, trials }).toEqual({ method: 'SHUFFLED_BRAIN', trials: [{ id: b }] });
  expect(shuffledTrials.map((trial) => trial.stimulus)).toEqual(['a']);
  const other = await paintBy({ trialIds: shuffledTrials.map((trial) => trial.id) });
  expect(shuffled.bytes.equals(other.bytes)).toBe(true);
  const different = [itself.bytes, shuffled.bytes, none.bytes].map((bytes) => bytes.toString('base64'));
  expect(new Set(different).size).toBe(3);
});

test('a shuffled control without another stimulus of as many trials is refused, and nothing is stored', async () => {
  const before = await lab.census();
  const { data } = await lab.send(
    'mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id } userErrors { code field } } }',
    { input: { ...input, method: 'SHUFFLED_BRAIN' } },
  );
  expect(data).toEqual({
    submitPaintJob: { paintJob: null, userErrors: [{ code: 'BAD_INPUT', field: 'method' }] },
  });
  expect(await lab.census()).toEqual(before);
});

test('the two-stage baseline decodes the signal first: one more set of steps, another painting', async () => {
  const paintBy = async (method: string) => {
    const job = await until(await submit({ method, seed: 4, steps: 6, paintingCount: 2 }), ended);
    expect(job.state).toBe('SUCCEEDED');
    return { job, bytes: await Promise.all(job.paintings.map((painting) => bytesOf(painting.url))) };
  };
  const [direct, staged, again] = [
    await paintBy('BRAIN'),
    await paintBy('TWO_STAGE'),
    await paintBy('TWO_STAGE'),
  ];
  expect(direct.job.stepsTotal).toBe(12);
  expect(staged.job).toMatchObject({ stepsDone: 18, stepsTotal: 18 });
  expect(staged.bytes[0]!.equals(direct.bytes[0]!)).toBe(false);
  expect(staged.bytes.map((bytes, i) => bytes.equals(again.bytes[i]!))).toEqual([true, true]);
});
