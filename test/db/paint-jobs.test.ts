// The rules of paint jobs on a real database, with workers that are played by the test: order, fairness, keys, batches,
// deadlines, rescue, events, withdrawal.

import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Services } from '../../src/services/context.js';
import { isOnline, pauseDevice, resumeDevice, takeDevice } from '../../src/services/devices.js';
import {
  abortOverduePaintJobs,
  type ClaimedJob,
  claimPaintJob,
  finishPaintJob,
  releasePaintJob,
  reportProgress,
  rescuePaintJobs,
} from '../../src/services/paint-job-attempts.js';
import { cancelPaintJob, cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { estimatePaintJobs } from '../../src/services/paint-job-estimates.js';
import { retryPaintJobs, submitPaintJob, submitPaintJobs } from '../../src/services/paint-job-submission.js';
import { listEvents, watchEvents } from '../../src/services/paint-job-watch.js';
import { ratePainting } from '../../src/services/ratings.js';
import { reportWithdrawal, withdrawSubject } from '../../src/services/withdrawals.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices, type PaintParts, writePaintParts } from '../support/paint-lab.js';

let database: TestDatabase | undefined;
let services: Services;
let parts: PaintParts;
let worker: string;

async function close() {
  await services?.store.close();
  await database?.drop();
}
beforeEach(async () => {
  await close();
  database = await createTestDatabase();
  services = openTestServices(database.url, tmpdir());
  parts = await writePaintParts(services);
  worker = randomUUID();
  await takeDevice(services, worker);
});
afterAll(close);

const submit = (change: object = {}, facts: object = {}) =>
  submitPaintJob(services, { ...parts.order, ...change }, { submittedBy: 'ann', ...facts });
const batchOf = (count: number, facts: object = {}) =>
  submitPaintJobs(services, { common: parts.order, axes: [], runs: count }, { submittedBy: 'ann', ...facts });
const claim = () => claimPaintJob(services, worker);
const succeed = (job: ClaimedJob) =>
  finishPaintJob(services, job, {
    state: 'SUCCEEDED',
    paintings: [{ index: 0, pngSha256: 'p', thumbnailSha256: 't', outsideMaskDifferentPixels: 0 }],
  });
const jobs = (where: object = {}) =>
  services.store.prisma.paintJob.findMany({ where, orderBy: { id: 'asc' } });
/** Runs what waits, one after another, and says whose jobs they were. */
async function serve(count: number): Promise<string[]> {
  const served: string[] = [];
  for (let i = 0; i < count; i++) {
    const job = (await claim())!;
    served.push(job.submittedBy);
    await succeed(job);
  }
  return served;
}
const age = (what: string) =>
  services.store.pool.query(`UPDATE device SET beat_at = clock_timestamp() - interval '1 minute' ${what}`);

test('a key: the same request is the same answer, also at once; another request is refused', async () => {
  const key = { idempotencyKey: 'k1' };
  const first = await submit({}, key);
  const again = await Promise.all([1, 2, 3].map(() => submit({}, key)));
  expect(again.map((job) => job.id)).toEqual([first.id, first.id, first.id]);
  await expect(submit({ seed: 1 }, key)).rejects.toMatchObject({ code: 'CONFLICT', field: 'idempotencyKey' });
  await expect(submit({}, { ...key, priority: 1 })).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(batchOf(1, key)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect((await submit({}, { ...key, submittedBy: 'bob' })).id).not.toBe(first.id);
  const race = await Promise.all([1, 2, 3, 4].map(() => submit({}, { idempotencyKey: 'k2' })));
  expect(new Set(race.map((job) => job.id)).size).toBe(1);
  expect(await jobs()).toHaveLength(3);
  expect((await batchOf(3, { idempotencyKey: 'k3' })).batch!.id).toBe(
    (await batchOf(3, { idempotencyKey: 'k3' })).batch!.id,
  );
});

test('a batch is the product of its axes, zipped within an axis, with growing seeds', async () => {
  const [a, b] = parts.trialIds;
  const { batch } = await submitPaintJobs(
    services,
    {
      common: parts.order,
      axes: [
        [{ trialIds: [a!] }, { trialIds: [b!] }],
        [
          { steps: 5, guidanceScale: 1 },
          { steps: 6, guidanceScale: 3 },
        ],
      ],
      runs: 2,
    },
    { submittedBy: 'ann' },
  );
  const rows = await services.store.prisma.paintJob.findMany({
    where: { batchId: batch!.id },
    include: { trials: true },
    orderBy: { id: 'asc' },
  });
  expect(batch!.jobCount).toBe(8);
  expect(
    rows.map((r) => [r.trials[0]!.trialId === a ? 'a' : 'b', r.steps, r.guidanceScale, Number(r.seed)]),
  ).toEqual(
    ['a', 'b'].flatMap((trial) =>
      [
        [5, 1],
        [6, 3],
      ].flatMap(([steps, guidance]) => [0, 1].map((seed) => [trial, steps, guidance, seed])),
    ),
  );
});

test('a batch with faults tells each and stores nothing', async () => {
  const nothing = '00000000-0000-0000-0000-000000000000';
  const { batch, faults } = await submitPaintJobs(
    services,
    { common: parts.order, axes: [[{}, { maskId: nothing }, {}, { modelId: nothing }]], runs: 1 },
    { submittedBy: 'ann', idempotencyKey: 'k' },
  );
  expect(batch).toBeNull();
  expect(faults.map(({ index, error }) => [index, error.code, error.field])).toEqual([
    [1, 'NOT_FOUND', 'maskId'],
    [3, 'NOT_FOUND', 'modelId'],
  ]);
  const order = { common: { ...parts.order, imageId: undefined }, axes: [[{ seed: -1 }, {}]], runs: 1 };
  expect((await submitPaintJobs(services, order, { submittedBy: 'ann' })).faults).toHaveLength(2);
  await expect(batchOf(10_001)).rejects.toMatchObject({ code: 'TOO_LARGE', field: 'axes' });
  const twice = { common: parts.order, axes: [[{ seed: 1 }], [{ seed: 2 }]], runs: 1 };
  await expect(submitPaintJobs(services, twice, { submittedBy: 'ann' })).rejects.toMatchObject({
    field: 'axes',
  });
  expect(await jobs()).toEqual([]);
  expect(await services.store.prisma.paintJobBatch.count()).toBe(0);
  // The key is free: what was refused left nothing behind.
  expect((await submit({}, { idempotencyKey: 'k' })).state).toBe('QUEUED');
});

test('people are served in turn, whoever came first with however many; priority goes before', async () => {
  await batchOf(6);
  expect(await serve(2)).toEqual(['ann', 'ann']);
  await batchOf(3, { submittedBy: 'bob' });
  await submit({}, { submittedBy: 'eve', priority: 5 });
  const served = await serve(8);
  expect(served[0]).toBe('eve');
  expect([...served.slice(1, 7)].sort()).toEqual(['ann', 'ann', 'ann', 'bob', 'bob', 'bob']);
  for (let pair = 1; pair < 7; pair += 2) expect(new Set(served.slice(pair, pair + 2)).size).toBe(2);
  expect(served[7]).toBe('ann');
});

test('turns are by the work in a job: one whose jobs take four times as long gets a quarter as many', async () => {
  await submitPaintJobs(
    services,
    { common: { ...parts.order, steps: 40 }, axes: [], runs: 20 },
    { submittedBy: 'long' },
  );
  await submitPaintJobs(services, { common: parts.order, axes: [], runs: 20 }, { submittedBy: 'short' });
  const served = await serve(15);
  expect(served.filter((name) => name === 'short').length).toBe(12);
});

test('cancelling: one, many, by batch; twice is once, and what has ended stays', async () => {
  const { batch } = await batchOf(4);
  const running = (await claim())!;
  const [, second, third] = await jobs();
  expect((await cancelPaintJob(services, second!.id)).state).toBe('CANCELLED');
  await expect(cancelPaintJob(services, randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await cancelPaintJobs(services, { ids: [second!.id, third!.id, randomUUID()] })).toEqual({
    cancelledCount: 1,
    stoppingCount: 0,
  });
  expect(await cancelPaintJobs(services, { batchId: batch!.id })).toEqual({
    cancelledCount: 1,
    stoppingCount: 1,
  });
  expect(await cancelPaintJobs(services, { batchId: batch!.id })).toEqual({
    cancelledCount: 0,
    stoppingCount: 0,
  });
  expect(await reportProgress(services, running, 1, 10)).toBe(false);
  expect(await finishPaintJob(services, running, { state: 'CANCELLED' })).toBe(true);
  expect((await jobs()).map((job) => job.state)).toEqual(Array(4).fill('CANCELLED'));
  await expect(cancelPaintJobs(services, {})).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'ids' });
});

test('a deadline that passes before the start aborts; one that started is left alone', async () => {
  await submit({ seed: 1 }, { startWithinSeconds: 0.05 });
  await submit({ seed: 2 }, { startWithinSeconds: 1000 });
  const started = await submit({ seed: 3 }, { startWithinSeconds: 0.3, priority: 1 });
  const job = (await claim())!;
  expect(job.id).toBe(started.id);
  await new Promise((done) => setTimeout(done, 400));
  await abortOverduePaintJobs(services);
  expect((await jobs()).map((row) => row.state)).toEqual(['ABORTED', 'QUEUED', 'RUNNING']);
  await releasePaintJob(services, job);
  await abortOverduePaintJobs(services);
  expect((await claim())!.id).toBe(started.id);
  await expect(submit({}, { startWithinSeconds: 0 })).rejects.toMatchObject({ field: 'startWithinSeconds' });
});

test('retries are new jobs that name the old ones; what succeeded or runs is refused', async () => {
  const { batch } = await batchOf(3);
  const first = (await claim())!;
  await finishPaintJob(services, first, {
    state: 'FAILED',
    errorCode: 'UNAVAILABLE',
    errorMessage: 'no luck',
  });
  const second = (await claim())!;
  const facts = { submittedBy: 'ann', idempotencyKey: 'again' };
  await expect(retryPaintJobs(services, { ids: [second.id] }, facts)).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  await succeed(second);
  await cancelPaintJobs(services, { batchId: batch!.id });
  const retried = await retryPaintJobs(services, { batchId: batch!.id }, facts);
  expect((await retryPaintJobs(services, { batchId: batch!.id }, facts)).id).toBe(retried.id);
  const rows = await services.store.prisma.paintJob.findMany({
    where: { batchId: retried.id },
    include: { trials: true },
    orderBy: { id: 'asc' },
  });
  const old = await jobs({ batchId: batch!.id });
  expect(rows.map((row) => [row.retriedFromId, row.seed, row.state, row.attempt])).toEqual(
    [old[0]!, old[2]!].map((row) => [row.id, row.seed, 'QUEUED', 0]),
  );
  expect(rows[0]!.trials.map((trial) => trial.trialId)).toEqual(parts.order.trialIds);
  await expect(
    retryPaintJobs(services, { ids: [randomUUID()] }, { submittedBy: 'ann' }),
  ).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('retries need one connection each: more of them at once than there are connections all go through', async () => {
  const narrow = openTestServices(database!.url, tmpdir(), 2);
  const { batch } = await batchOf(1);
  await cancelPaintJobs(services, { batchId: batch!.id });
  const people = Array.from({ length: 6 }, (_, i) => `p${i}`);
  const retried = await Promise.all(
    people.map((submittedBy) => retryPaintJobs(narrow, { batchId: batch!.id }, { submittedBy })),
  );
  expect(retried.map((one) => one.jobCount)).toEqual(people.map(() => 1));
  await narrow.store.close();
}, 20_000);

test('a retry keeps the trials of a shuffled job', async () => {
  const { id } = await submit({ method: 'SHUFFLED_BRAIN' });
  await cancelPaintJob(services, id);
  const { id: batchId } = await retryPaintJobs(services, { ids: [id] }, { submittedBy: 'ann' });
  const trialsOf = (where: object) =>
    services.store.prisma.paintJobTrial.findMany({
      where,
      select: { trialId: true, shuffled: true },
      orderBy: [{ shuffled: 'asc' }, { trialId: 'asc' }],
    });
  const trials = await trialsOf({ jobId: id });
  expect(trials.map((trial) => trial.shuffled)).toEqual([false, true]);
  expect(await trialsOf({ job: { batchId } })).toEqual(trials);
});

test('a retry waits for a withdrawal under way, and then finds nothing to paint by', async () => {
  const { id } = await submit();
  await cancelPaintJob(services, id);
  const { pool } = services.store;
  const withdrawal = await pool.connect();
  await withdrawal.query('BEGIN');
  await withdrawal.query(
    `UPDATE subject SET withdrawn_at = clock_timestamp(), withdrawal_reason = 'x' WHERE id = $1`,
    [parts.subjectId],
  );
  const retry = retryPaintJobs(services, { ids: [id] }, { submittedBy: 'ann' }).catch((error) => error);
  const waiting = async () =>
    (
      await pool.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR SHARE%'`,
      )
    ).rowCount;
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  await withdrawal.query('COMMIT');
  withdrawal.release();
  expect(await retry).toMatchObject({ code: 'NOT_FOUND', field: 'ids' });
  expect(await jobs()).toHaveLength(1);
});

test("a silent worker's job goes back to its place, a living one's stays; five losses fail it", async () => {
  const job = await submit();
  const other = randomUUID();
  await takeDevice(services, other);
  for (let loss = 1; loss <= 5; loss++) {
    const stale = (await claimPaintJob(services, other))!;
    expect(await rescuePaintJobs(services)).toBe(0);
    await age(`WHERE worker_id = '${other}'`);
    expect(await rescuePaintJobs(services)).toBe(1);
    expect(await succeed(stale)).toBe(false);
    await takeDevice(services, other);
  }
  const row = await services.store.prisma.paintJob.findUniqueOrThrow({
    where: { id: job.id },
    include: { attempts: { orderBy: { number: 'asc' } }, paintings: true },
  });
  expect(row).toMatchObject({ state: 'FAILED', errorCode: 'UNAVAILABLE', attempt: 5, paintings: [] });
  expect(row.attempts.map((attempt) => attempt.outcome)).toEqual(Array(5).fill('LOST'));
  expect(await claim()).toBeUndefined();
});

test('a cancelled job whose worker dies is cancelled, not run again', async () => {
  await submit();
  const job = (await claim())!;
  await cancelPaintJob(services, job.id);
  await age('');
  expect(await rescuePaintJobs(services)).toBe(1);
  expect((await jobs())[0]!.state).toBe('CANCELLED');
});

test('a paused device takes nothing until it is resumed; a dead slot is taken again, still paused', async () => {
  await batchOf(2);
  const device = (await services.store.prisma.device.findFirstOrThrow()).id;
  await pauseDevice(services, device, 'the fan is loud');
  expect(await claim()).toBeUndefined();
  await age('');
  const next = randomUUID();
  expect(await takeDevice(services, next)).toBe(device);
  const row = await services.store.prisma.device.findUniqueOrThrow({ where: { id: device } });
  expect([isOnline(row), row.pauseReason]).toEqual([true, 'the fan is loud']);
  expect(await claimPaintJob(services, next)).toBeUndefined();
  await resumeDevice(services, device);
  expect(await claimPaintJob(services, next)).toBeDefined();
  // The one that was thought dead holds no slot any more.
  expect(await claim()).toBeUndefined();
  await expect(pauseDevice(services, device, ' ')).rejects.toMatchObject({ field: 'reason' });
  await expect(resumeDevice(services, randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('estimates come from measured steps; a cap tells when there is room', async () => {
  await batchOf(4);
  const done = (await claim())!;
  await services.store.pool.query(
    `UPDATE paint_job SET started_at = clock_timestamp() - interval '5 seconds' WHERE id = $1`,
    [done.id],
  );
  await succeed(done);
  await claim();
  const rows = await jobs({ state: { in: ['QUEUED', 'RUNNING'] } });
  const estimates = await estimatePaintJobs(
    services,
    rows.map((row) => row.id),
  );
  const [running, first, second] = rows.map((row) => estimates.get(row.id)!);
  expect([running!.queuePosition, first!.queuePosition, second!.queuePosition]).toEqual([0, 1, 2]);
  expect(running!.endsInSeconds).toBeCloseTo(5, 0);
  expect(first!.startsInSeconds).toBeCloseTo(5, 0);
  expect(second!.endsInSeconds).toBeCloseTo(15, 0);
  const capped = { ...services, maxUnfinishedJobs: 4 };
  const over = submitPaintJobs(capped, { common: parts.order, axes: [], runs: 2 }, { submittedBy: 'ann' });
  const error = await over.catch((caught) => caught);
  expect(error).toMatchObject({ code: 'LIMIT_REACHED' });
  expect(error.retryAfterSeconds).toBeCloseTo(5, 0);
  expect(error.message).toMatch(/room in about \d+ s/);
  expect((await submitPaintJob(capped, parts.order, { submittedBy: 'bob' })).state).toBe('QUEUED');
  await services.store.pool.query('UPDATE device SET paused_at = clock_timestamp()');
  expect((await estimatePaintJobs(services, [rows[1]!.id])).get(rows[1]!.id)!.startsInSeconds).toBeNull();
});

test('events: numbered in the order of commits, replayed from any of them, and live', async () => {
  const { batch } = await batchOf(2);
  const job = (await claim())!;
  await succeed(job);
  const all = await listEvents(services, { batchId: batch!.id }, 0n, 100);
  expect(all.map((event) => event.state)).toEqual(['QUEUED', 'QUEUED', 'RUNNING', 'SUCCEEDED']);
  expect(await listEvents(services, { jobId: job.id }, all[0]!.sequence, 100)).toEqual(all.slice(2));
  const seen: string[] = [];
  const follow = (async () => {
    for await (const event of watchEvents(services, { batchId: batch!.id }, all[2]!.sequence)) {
      seen.push(event.state);
      if (event.state === 'CANCELLED') return;
    }
  })();
  await submit();
  await cancelPaintJobs(services, { batchId: batch!.id });
  await follow;
  expect(seen).toEqual(['SUCCEEDED', 'CANCELLED']);
});

test('events: whoever reads after the largest number misses none, while writers overlap', async () => {
  const seen: bigint[] = [];
  let writing = true;
  const read = (async () => {
    for (let last = false; !last; ) {
      last = !writing;
      const events = await listEvents(services, {}, seen.at(-1) ?? 0n, 500);
      seen.push(...events.map((event) => event.sequence));
    }
  })();
  await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (submittedBy) => {
      for (let i = 0; i < 8; i++) await batchOf(3, { submittedBy });
    }),
  );
  writing = false;
  await read;
  expect(seen).toHaveLength(96);
});

test('a withdrawal says what falls before it acts, acts on that only, and hides it', async () => {
  await batchOf(3);
  const job = (await claim())!;
  await succeed(job);
  const painting = await services.store.prisma.painting.findFirstOrThrow();
  await ratePainting(services, { paintingId: painting.id, rater: 'r', score: 2 });
  await claim();
  const report = (await reportWithdrawal(services, parts.subjectId))!;
  expect(report).toMatchObject({
    fmriSessionCount: 1,
    trialCount: 4,
    modelCount: 1,
    paintJobCount: 3,
    unfinishedPaintJobCount: 2,
    paintingCount: 1,
    ratingCount: 1,
    raterCount: 1,
  });
  await ratePainting(services, { paintingId: painting.id, rater: 's', score: 3 });
  const act = (digest: string, reason = 'asked by letter') =>
    withdrawSubject(services, { subjectId: parts.subjectId, reason, digest });
  await expect(act(report.digest)).rejects.toMatchObject({ code: 'CONFLICT', field: 'digest' });
  const { digest } = (await reportWithdrawal(services, parts.subjectId))!;
  await expect(act(digest, '')).rejects.toMatchObject({ field: 'reason' });
  expect((await act(digest)).ratingCount).toBe(2);
  expect((await jobs()).map((row) => [row.state, row.cancelRequested, row.withdrawnAt !== null])).toEqual([
    ['SUCCEEDED', false, true],
    ['RUNNING', true, true],
    ['CANCELLED', true, true],
  ]);
  expect(await reportWithdrawal(services, parts.subjectId)).toBeNull();
  await expect(submit()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(
    ratePainting(services, { paintingId: painting.id, rater: 'r', score: 1 }),
  ).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});
