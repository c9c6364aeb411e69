// Benchmarks, studies and raters by the SDK, against a real server and worker: from pictures to a verified export.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BenchmarkMetrics } from '../../src/sdk/benchmarks.js';
import { type BenchmarkStatus, MindPainter, type RaterStudy } from '../../src/sdk/client.js';
import { type ExportedStudy, verifyExport } from '../../src/services/study-verification.js';
import { type ClientLab, collect, failureOf, startClientLab } from '../support/client-lab.js';
import { answersTo, type StudySupplies, uploadSupplies } from '../support/client-study.js';

const PAIRS = 4;
let lab: ClientLab;
let mp: MindPainter;
let supplies: StudySupplies;
let benchmark: BenchmarkStatus;
let studyId: string;
let links: string[];

beforeAll(async () => {
  lab = await startClientLab();
  mp = new MindPainter({ url: lab.url });
  supplies = await uploadSupplies(mp, PAIRS + 1);
}, 120_000);
afterAll(async () => {
  await mp?.close();
  await lab?.close();
}, 60_000);

const order = () => ({
  name: 'small',
  imageIds: supplies.imageIds,
  signals: supplies.trialIds.map((id) => [id]),
  seed: 1,
  maskShape: { shape: 'RECTANGLE', left: 0.25, top: 0.25, width: 0.5, height: 0.5 } as const,
  arms: [
    { name: 'ours', method: 'BRAIN', modelId: supplies.modelId, steps: 1 },
    { name: 'none', method: 'NO_BRAIN', modelId: supplies.modelId, steps: 1 },
  ] as const,
});

test('a benchmark is painted while one watches, and frozen; too early it is not', async () => {
  const input = { ...order(), arms: [...order().arms], idempotencyKey: 'once' };
  const bad = await failureOf(mp.benchmarks.create({ ...input, signals: input.signals.slice(1) }));
  expect(bad).toMatchObject({ code: 'BAD_INPUT', field: 'signals' });
  const { id } = await mp.benchmarks.create(input);
  expect((await mp.benchmarks.create(input)).id).toBe(id);
  expect(await failureOf(mp.benchmarks.freeze(id))).toMatchObject({ code: 'UNAVAILABLE' });
  const late = await failureOf(mp.benchmarks.wait(id, { timeoutMs: 300 }));
  expect(late).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('0 of 10 jobs') });
  await lab.startWorker();
  const seen: number[] = [];
  const painted = await mp.benchmarks.wait(id, {
    onProgress: ({ progress }) => seen.push(progress.succeeded),
  });
  expect(painted.progress).toEqual({ total: 10, waiting: 0, running: 0, succeeded: 10, failed: 0 });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(await mp.benchmarks.failedJobs(id)).toEqual([]);
  benchmark = await mp.benchmarks.freeze(id);
  expect(benchmark).toMatchObject({ itemCount: 5, itemsSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect((await mp.benchmarks.freeze(id)).itemsSha256).toBe(benchmark.itemsSha256);
  const sheet = await mp.downloads.read(await mp.benchmarks.sheetUrl(id, { kind: 'PAIRS', from: 1 }));
  expect((await sharp(sheet).metadata()).format).toBe('png');
  expect(await collect(mp.benchmarks.list())).toMatchObject([{ id, arms: [{ name: 'ours' }, {}] }]);
  expect(await failureOf(mp.benchmarks.get('Benchmark_x'))).toMatchObject({ code: 'NOT_FOUND' });
}, 120_000);

test('it is measured: real paintings keep what lies outside the mask, and what has no value says why', async () => {
  const { id } = benchmark;
  expect(await failureOf(mp.benchmarks.metrics(id))).toMatchObject({ code: 'NOT_FOUND', field: 'id' });
  expect((await mp.benchmarks.measure(id)).id).toBe(id);
  const { arms, differences, networks, ...metrics } = await mp.benchmarks.metrics(id);
  expect(metrics).toMatchObject({
    state: 'SUCCEEDED',
    done: 10,
    total: 10,
  });
  expect(networks).toMatchObject([{ kind: 'EMBEDDING', name: 'image encoder of tiny', ofPainter: true }]);
  type Values = BenchmarkMetrics['arms'][number]['values'];
  const figure = (values: Values, metric: Values[number]['metric']) =>
    values.find((value) => value.metric === metric);
  for (const { values } of arms) {
    expect(figure(values, 'OUTSIDE_DIFFERENT_PIXELS')).toMatchObject({
      mean: 0,
      interval: { low: 0, high: 0 },
    });
    expect(figure(values, 'BOUNDARY_BAND_ERROR')!.mean).toBeGreaterThan(0);
    expect(figure(values, 'SSIM')!.undefinedReason).toMatch(/no item is painted whole/);
    expect(figure(values, 'TWO_WAY_IDENTIFICATION')!.undefinedReason).toMatch(/no picture is linked/);
  }
  expect(differences).toMatchObject([{ first: 'ours', second: arms[1]!.arm }]);
}, 180_000);

test('a study is designed, piloted and opened; what cannot be balanced, and what is sealed, is said', async () => {
  const shape = { name: 'which', benchmarkId: benchmark.id, raters: 2 };
  const unbalanced = await failureOf(mp.studies.create({ ...shape, raters: 3, groups: 2 }));
  expect(unbalanced).toMatchObject({ code: 'BAD_INPUT', message: expect.stringContaining('Feasible') });
  const study = await mp.studies.create({
    ...shape,
    catchTrials: { instructed: 1, duplicates: 0, grossFailures: 0 },
    practice: [{ position: 0, feedback: 'look closer' }],
  });
  studyId = study.id;
  expect(study).toMatchObject({ state: 'DRAFT', pilot: null, progress: { screens: 8, seats: 2 } });
  expect(await failureOf(mp.studies.open(studyId))).toMatchObject({ code: 'CONFLICT', field: 'id' });
  const { seed, balance, protocol } = await mp.studies.design(studyId);
  expect([seed, balance]).toEqual([null, expect.stringContaining('4 items, 2 raters')]);
  expect(protocol).toMatchObject({ raters: 2, consent: { version: '1' } });
  const { state, pilot } = await mp.studies.pilot(studyId, { studies: 1 });
  expect([state, pilot]).toEqual(['PILOTED', expect.objectContaining({ criteria: expect.any(Array) })]);
  expect((await mp.studies.open(studyId)).protocolSha256).toMatch(/^[0-9a-f]{64}$/);
  expect((await mp.studies.pause(studyId)).state).toBe('PAUSED');
  expect((await mp.studies.open(studyId)).state).toBe('OPEN');
  const sealed = { code: 'CONFLICT', message: expect.stringContaining('sealed') };
  expect(await failureOf(mp.studies.results(studyId))).toMatchObject(sealed);
  expect(await failureOf(mp.studies.saveExport(studyId, 'json', 'x.json'))).toMatchObject(sealed);
  expect(await failureOf(mp.studies.get('Study_x'))).toMatchObject({ code: 'NOT_FOUND' });
  expect(await collect(mp.studies.list())).toMatchObject([{ id: studyId, benchmark: { name: 'small' } }]);
  const invited = await mp.studies.invite({ studyId, names: ['ada', 'bob', 'eve'] });
  expect(invited.map(({ raterName }) => raterName)).toEqual(['ada', 'bob', 'eve']);
  links = invited.map(({ path }) => path);
}, 60_000);

test('a rater signs in by a link, and is that person in everything until signing out', async () => {
  const token = await lab.makeAdmin('lead');
  await using rater = new MindPainter({ url: lab.url, token });
  const [job] = await collect(mp.jobs.list());
  const watching = rater.jobs.watch(job!.id);
  expect((await watching.next()).value).toMatchObject({ id: job!.id });
  expect(await failureOf(rater.rater.signIn(`${links[0]}x`))).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await rater.viewer()).toMatchObject({ role: 'ADMIN' });
  const who = await rater.rater.signIn(`${lab.url}${links[0]}`);
  expect(who).toMatchObject({ role: 'RATER', user: { name: 'ada' } });
  expect(await rater.viewer()).toMatchObject({ role: 'RATER', user: { name: 'ada' } });
  // Over a socket too: what a lab may watch, a rater may not.
  expect(await failureOf(rater.jobs.watch(job!.id).next())).toMatchObject({
    code: expect.stringMatching(/NOT_FOUND|FORBIDDEN/),
  });
  expect(await failureOf(rater.studies.get(studyId))).toMatchObject({
    code: expect.stringMatching(/NOT_FOUND|FORBIDDEN/),
  });
  expect(await rater.rater.myStudies()).toMatchObject([{ id: studyId, state: 'INVITED', screen: null }]);
  await rater.rater.signOut();
  expect(await rater.viewer()).toMatchObject({ role: 'ADMIN' });
}, 60_000);

/** The server with some answers lost on their way. */
async function startProxy(isLost: (request: number) => boolean) {
  let requests = 0;
  const listener: RequestListener = async (request, response) => {
    const body = Buffer.concat(await collect<Buffer>(request));
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(lab.url + request.url, {
      method: request.method!,
      headers: headers as Record<string, string>,
      ...(body.length > 0 ? { body } : {}),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    requests += 1;
    if (isLost(requests)) return void response.destroy();
    const cookies = answer.headers.getSetCookie();
    response
      .writeHead(answer.status, {
        'content-type': answer.headers.get('content-type') ?? 'text/plain',
        ...(cookies.length > 0 ? { 'set-cookie': cookies } : {}),
      })
      .end(bytes);
  };
  const proxy = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((done) => proxy.once('listening', done));
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    close: () => void proxy.close().closeAllConnections(),
  };
}

async function rateAll({ rater }: MindPainter, start: RaterStudy): Promise<RaterStudy> {
  let shown = start;
  while (shown.screen) {
    const { slotId } = shown.screen;
    const answer = { studyId, tabId: shown.tabId!, slotId, answers: answersTo(shown.screen) };
    shown = (await rater.answer({ ...answer, responseMs: 900 })).study;
  }
  return shown;
}

test('raters agree, look, answer, undo; an answer whose reply is lost is sent again and is one answer', async () => {
  // Every third answer of the server is lost.
  const proxy = await startProxy((request) => request % 3 === 0);
  await using ada = new MindPainter({ url: proxy.url });
  await ada.rater.signIn(links[0]!);
  expect(await failureOf(ada.rater.start(studyId))).toMatchObject({
    code: 'BAD_INPUT',
    field: 'consentVersion',
  });
  const { consentVersion } = (await ada.rater.myStudies())[0]!;
  const first = await ada.rater.start(studyId, consentVersion);
  expect(first).toMatchObject({ state: 'ACTIVE', done: 0, total: 5, screen: { practice: true } });
  const { slotId, pictures } = first.screen!;
  const picture = await ada.downloads.read(pictures[0]!);
  expect(await sharp(picture).metadata()).toMatchObject({ width: 32, height: 32 });
  expect(await failureOf(mp.downloads.read(pictures[0]!))).toMatchObject({ code: 'NOT_FOUND' });
  const answer = { studyId, tabId: first.tabId!, slotId, answerId: randomUUID() };
  const answers = answersTo(first.screen!);
  const told = await ada.rater.answer({ ...answer, answers });
  expect(told).toMatchObject({ feedback: 'look closer', study: { done: 1, canUndo: true } });
  expect(await ada.rater.answer({ ...answer, answers })).toMatchObject({ study: { done: 1 } });
  const other = answers.map((one) => ({ ...one, value: 2 }));
  expect(await failureOf(ada.rater.answer({ ...answer, answers: other }))).toMatchObject({
    code: 'CONFLICT',
    field: 'answerId',
  });
  const undone = await ada.rater.undo({ studyId, tabId: first.tabId! });
  expect(undone).toMatchObject({ done: 0, screen: { slotId } });
  const end = await rateAll(ada, undone);
  expect(end).toMatchObject({ state: 'FINISHED', done: 5, completionCode: expect.any(String) });
  proxy.close();
  await using bob = new MindPainter({ url: lab.url });
  await bob.rater.signIn(links[1]!);
  await rateAll(bob, await bob.rater.start(studyId, consentVersion));
  await using eve = new MindPainter({ url: lab.url });
  await eve.rater.signIn(links[2]!);
  expect(await failureOf(eve.rater.start(studyId, consentVersion))).toMatchObject({ code: 'LIMIT_REACHED' });
}, 120_000);

test('the lead looks after raters, closes, unseals, and exports what the record verifies', async () => {
  const raters = await mp.studies.raters(studyId);
  expect(raters.map(({ name, state, answered, undone }) => [name, state, answered, undone])).toEqual([
    // Practice, four pairs, one check; sent more than once, counted once.
    ['ada', 'FINISHED', 6, 1],
    ['bob', 'FINISHED', 6, 0],
    ['eve', 'INVITED', 0, 0],
  ]);
  const { id: raterId } = raters[1]!;
  expect(
    await failureOf(mp.studies.judge({ studyId, raterId, verdict: 'CONTINUE', reason: 'ok' })),
  ).toMatchObject({ code: 'CONFLICT', field: 'raterId' });
  await mp.studies.judge({ studyId, raterId, verdict: 'EXCLUDE', reason: 'was asleep' });
  expect((await mp.studies.raters(studyId))[1]).toMatchObject({ exclusionReason: 'was asleep' });
  expect((await mp.studies.close(studyId)).chainRoot).toMatch(/^[0-9a-f]{64}$/);
  expect((await mp.studies.unseal(studyId)).state).toBe('UNSEALED');
  expect((await mp.studies.design(studyId)).seed).toEqual(expect.any(Number));
  type Results = { all: { ratings: number }; kept: { ratings: number } };
  // 2 raters x 4 pairs x 2 arms x 3 criteria.
  expect(await mp.studies.results<Results>(studyId)).toMatchObject({
    all: { ratings: 48 },
    kept: { ratings: 24 },
  });
  let sizeBytes = 0;
  const path = join(lab.folder, 'export.json');
  await mp.studies.saveExport(studyId, 'json', path, { onProgress: (now) => (sizeBytes = now) });
  const text = await readFile(path);
  expect(text.length).toBe(sizeBytes);
  expect(verifyExport(JSON.parse(text.toString()) as ExportedStudy).faults).toEqual([]);
  const csv = Buffer.concat(await collect(mp.studies.export(studyId, 'csv'))).toString();
  expect(csv.trim().split('\n')).toHaveLength(49);
  expect(Buffer.concat(await collect(mp.studies.export(studyId, 'dictionary'))).toString()).toContain(
    'criterion',
  );
  expect(Buffer.concat(await collect(mp.studies.export(studyId, 'report'))).toString()).toContain('<svg');
}, 60_000);
