// The SDK against a real server and worker: the main job, batches, and what lost connections, cut-off downloads and full disks do.

import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedCount, type Job, MindPainter } from '../../src/sdk/client.js';
import { type ClientLab, collect, failureOf, startClientLab } from '../support/client-lab.js';

let lab: ClientLab;
let mp: MindPainter;
const order = { imageId: '', maskId: '', modelId: '', trialIds: [] as string[] };

beforeAll(async () => {
  lab = await startClientLab();
  mp = new MindPainter({ url: lab.url });
  const subject = await mp.subjects.create('sub-01', { simulated: true });
  await mp.subjects.importSession({
    subjectId: subject.id,
    label: '01',
    betas: createReadStream(join(lab.folder, 'betas.npy')),
    trials: new TextEncoder().encode('stimulus\na\nb\na\n'),
  });
  const image = await mp.images.upload(join(lab.folder, 'photo.png'));
  order.imageId = image.id;
  order.maskId = (await mp.masks.upload(image.id, await readFile(join(lab.folder, 'mask.png')))).id;
  order.modelId = (await collect(mp.models.list()))[0]!.id;
  order.trialIds = (await collect(mp.subjects.trials({ subjectLabel: '01', stimulus: 'a' }))).map(
    (t) => t.id,
  );
  await lab.startWorker();
}, 120_000);
afterAll(async () => {
  await mp?.close();
  await lab?.close();
}, 60_000);

test('submit, wait with progress, download whole, rate', async () => {
  expect(order.trialIds).toHaveLength(2);
  const seen: Job[] = [];
  const { id } = await mp.jobs.submit({ ...order, steps: 60, seed: 3 });
  const job = await mp.jobs.wait(id, { onProgress: (now) => seen.push(now), timeoutMs: 60_000 });
  expect(job).toMatchObject({ state: 'SUCCEEDED', stepsDone: 60 });
  const steps = seen.map((now) => now.stepsDone);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  const [painting] = job.paintings;
  const path = join(lab.folder, 'painting.png');
  await mp.downloads.save(painting!, path);
  expect(await sharp(path).metadata()).toMatchObject({ width: 90, height: 70 });
  expect(await mp.downloads.read(painting!)).toEqual(await readFile(path));
  expect(await mp.jobs.rate({ paintingId: painting!.id, score: 2, rater: 'me' })).toMatchObject({ score: 2 });
});

test('a server that is killed in the middle of wait and of events, and comes back, is waited for', async () => {
  const batch = await mp.jobs.submitBatch({
    common: { ...order, steps: 1000 },
    axes: [[{ seed: 1 }, { seed: 2 }]],
  });
  const [second, first] = await collect(mp.jobs.list({ batchId: batch.id }));
  let lost = 0;
  let isRunning = () => {};
  const running = new Promise<void>((done) => {
    isRunning = done;
  });
  const wait = mp.jobs.wait(first!.id, {
    onLost: () => (lost += 1),
    onProgress: (now) => now.state === 'RUNNING' && isRunning(),
  });
  const done = new AbortController();
  const sequences: bigint[] = [];
  const listen = (async () => {
    for await (const event of mp.jobs.events({ batchId: batch.id }, { signal: done.signal })) {
      sequences.push(BigInt(event.sequence));
      if (event.paintJob.id === second!.id && event.state === 'SUCCEEDED') return;
    }
  })();
  await running;
  await lab.killServer();
  await sleep(1500);
  await lab.startServer();
  expect(await wait).toMatchObject({ state: 'SUCCEEDED', stepsDone: 1000 });
  expect(lost).toBeGreaterThan(0);
  await listen;
  const growing = [...new Set(sequences)].sort((a, b) => (a < b ? -1 : 1));
  expect(sequences).toEqual(growing);
  const replay: bigint[] = [];
  for await (const event of mp.jobs.events({ batchId: batch.id })) {
    replay.push(BigInt(event.sequence));
    if (replay.length === sequences.length) break;
  }
  expect(sequences).toEqual(replay);
  const ended = await mp.jobs.waitForBatch(batch.id);
  expect(endedCount(ended)).toBe(2);
}, 120_000);

test('waiting ends on time, on a signal, and with the reason of a job that did not succeed', async () => {
  const { id } = await mp.jobs.submit({ ...order, steps: 1000, paintingCount: 16 });
  expect(await failureOf(mp.jobs.wait(id, { timeoutMs: 300 }))).toMatchObject({ code: 'TIMEOUT' });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  expect(await failureOf(mp.jobs.wait(id, { signal: stop.signal }))).toMatchObject({ name: 'AbortError' });
  await mp.jobs.cancel(id);
  expect(await failureOf(mp.jobs.wait(id))).toMatchObject({ code: 'CANCELLED' });
  const again = await mp.jobs.retry({ ids: [id] });
  expect(again.jobCount).toBe(1);
  await mp.jobs.cancelMany({ batchId: again.id });
  expect(await failureOf(mp.jobs.wait('PaintJob_x'))).toMatchObject({ code: 'NOT_FOUND' });
});

test('a refusal names code, field and each fault of a batch; the same key gives the same jobs', async () => {
  expect(await failureOf(mp.jobs.submit({ ...order, steps: 0 }))).toMatchObject({
    code: 'BAD_INPUT',
    field: 'steps',
  });
  const faults = await failureOf(
    mp.jobs.submitBatch({ common: order, axes: [[{}, { seed: -1 }, { steps: 0 }]] }),
  );
  expect(faults.errors.map(({ index, field }) => [index, field])).toEqual([
    [1, 'seed'],
    [2, 'steps'],
  ]);
  const input = { common: order, axes: [[{ seed: 5 }, { seed: 6 }]], idempotencyKey: 'once' };
  const [a, b] = await Promise.all([mp.jobs.submitBatch(input), mp.jobs.submitBatch(input)]);
  expect(a.id).toBe(b.id);
  expect(await mp.query('{ nothing }').catch((e) => e.code)).toBe('BAD_REQUEST');
});

/** A neighbour of the server that spoils some of its answers. */
async function startProxy(spoil: RequestListener): Promise<{ url: string; close(): void }> {
  const proxy = createServer(spoil).listen(0, '127.0.0.1');
  await new Promise((done) => proxy.once('listening', done));
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    close: () => void proxy.close().closeAllConnections(),
  };
}

test('a submission whose answer is lost is sent again, and is one job; a busy server is asked again after its pause', async () => {
  let requests = 0;
  const proxy = await startProxy(async (request, response) => {
    const chunks = await collect<Buffer>(request);
    requests += 1;
    if (requests === 1) return void response.writeHead(503, { 'retry-after': '1' }).end('busy');
    const { 'content-type': type = '' } = request.headers;
    const answer = await fetch(`${lab.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: Buffer.concat(chunks),
    });
    if (requests === 2) return void response.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  const before = (await collect(mp.jobs.list())).length;
  const started = Date.now();
  const job = await new MindPainter({ url: proxy.url }).jobs.submit({ ...order, steps: 1 });
  expect(Date.now() - started).toBeGreaterThan(1000);
  expect(requests).toBe(3);
  expect((await collect(mp.jobs.list())).length).toBe(before + 1);
  await mp.jobs.wait(job.id);
  proxy.close();
}, 90_000);

test('a download that is cut off or wrong is fetched again; one that stays so, or cannot be written, leaves no file', async () => {
  const bytes = await mp.downloads.read((await collect(mp.images.list()))[0]!);
  const etag = await sha256(bytes);
  let answers = 0;
  const proxy = await startProxy((request, response) => {
    answers += 1;
    const whole = { etag: `"${etag}"`, 'content-length': String(bytes.length) };
    const good = request.url === '/files/a.png' && answers > 2;
    if (good) return void response.writeHead(200, whole).end(bytes);
    // First cut off, then of the right length but with a wrong byte.
    response.writeHead(200, whole);
    if (answers === 1) return void response.write(bytes.subarray(0, 100), () => response.destroy());
    const wrong = Buffer.from(bytes);
    wrong[wrong.length >> 1]! ^= 1;
    response.end(wrong);
  });
  const spoilt = new MindPainter({ url: proxy.url });
  const folder = join(lab.folder, 'downloads');
  await mkdir(folder);
  await spoilt.downloads.save('/files/a.png', join(folder, 'a.png'));
  expect(answers).toBe(3);
  expect(await readFile(join(folder, 'a.png'))).toEqual(bytes);
  expect(await failureOf(spoilt.downloads.save('/files/b.png', join(folder, 'b.png')))).toMatchObject({
    code: 'CORRUPT',
  });
  expect(await readdir(folder)).toEqual(['a.png']);
  proxy.close();
  const nowhere = await failureOf(mp.downloads.save('/files/x/y.png', join(folder, 'y.png')));
  expect(nowhere.code).toBe('NOT_FOUND');
  const { url } = (await collect(mp.images.list()))[0]!;
  const missing = await failureOf(mp.downloads.save(url, join(folder, 'no', 'a.png')));
  expect(missing).toMatchObject({ code: 'LOCAL_FILE', message: expect.stringContaining('no such folder') });
  // The device that is always full stands for a full disk; a folder without its write bit for one that is not ours.
  const full = await failureOf(mp.downloads.save(url, '/dev/full/a.png'));
  expect(full).toMatchObject({ code: 'LOCAL_FILE' });
  if (process.getuid?.() !== 0) {
    await chmod(folder, 0o555);
    expect(await failureOf(mp.downloads.save(url, join(folder, 'c.png')))).toMatchObject({
      code: 'LOCAL_FILE',
    });
    // So that it can be removed.
    await chmod(folder, 0o755);
  }
}, 90_000);

test('a server that is not there, and one that is something else, are said to be so at once', async () => {
  const gone = await startProxy(() => {});
  gone.close();
  const nobody = new MindPainter({ url: gone.url });
  const started = Date.now();
  const error = await failureOf(collect(nobody.models.list()));
  expect(error).toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('no server answers at'),
  });
  const notWatched = await failureOf(nobody.jobs.wait('PaintJob_x', { timeoutMs: 30_000 }));
  expect(notWatched).toMatchObject({ code: 'UNREACHABLE' });
  await nobody.close();
  expect(Date.now() - started).toBeLessThan(10_000);
  const proxy = await startProxy((_, response) => void response.end('<html>'));
  const other = await failureOf(collect(new MindPainter({ url: proxy.url }).models.list()));
  expect(other.message).toContain('not as MindPainter does');
  proxy.close();
  expect(() => new MindPainter({ url: 'nonsense' })).toThrow(/give one like http/);
});

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  return Buffer.from(digest).toString('hex');
}
