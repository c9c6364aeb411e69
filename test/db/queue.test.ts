// The queue on a real database: enqueued with the row or not at all; no task is lost, none runs on for ever.

import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { enqueue } from '../../src/queue/queue.js';
import type { Handlers } from '../../src/queue/tasks.js';
import { runWorker, type Worker } from '../../src/queue/worker.js';
import { openStore, type Store } from '../../src/store/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let store: Store;
const workers: Worker[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  store = openStore(database.url);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
  await store.close();
  await database.drop();
});

type Run = Handlers['train']['run'];

async function work(run: Run, giveUp: (id: string) => Promise<void> = async () => {}) {
  const errors: unknown[] = [];
  const worker = await runWorker(
    store,
    {
      train: { run, giveUp: ({ trainingRunId }) => giveUp(trainingRunId) },
      measure: { run: async () => {}, giveUp: async () => {} },
      webhooks: { run: async () => {}, giveUp: async () => {} },
    },
    {
      concurrency: { train: 2, measure: 1, webhooks: 1 },
      onError: (error) => errors.push(error),
      beatMs: 100,
      deadAfterMs: 500,
    },
  );
  workers.push(worker);
  return { worker, errors };
}

async function put(): Promise<string> {
  const trainingRunId = randomUUID();
  await store.prisma.$transaction((tx) => enqueue(tx, 'train', { trainingRunId }));
  return trainingRunId;
}

async function entries(): Promise<{ attempts: number; locked_by: string | null; due: boolean }[]> {
  const { rows } = await store.pool.query(
    'SELECT attempts, locked_by, run_at <= clock_timestamp() AS due FROM graphile_worker.jobs',
  );
  return rows;
}

test('an entry exists when its transaction commits, and only then', async () => {
  await expect(
    store.prisma.$transaction(async (tx) => {
      await enqueue(tx, 'train', { trainingRunId: randomUUID() });
      throw new Error('rolled back');
    }),
  ).rejects.toThrow('rolled back');
  expect(await entries()).toEqual([]);
  await put();
  expect(await entries()).toEqual([{ attempts: 0, locked_by: null, due: true }]);
});

test('a payload that is not of the task is refused before it is stored', async () => {
  const wrong = store.prisma.$transaction((tx) => enqueue(tx, 'train', { trainingRunId: 'x' }));
  await expect(wrong).rejects.toThrow();
  expect(await entries()).toEqual([]);
});

test('tasks run, each once, and leave the queue', async () => {
  const ran: string[] = [];
  await work(async ({ trainingRunId }) => void ran.push(trainingRunId));
  const ids = await Promise.all([put(), put(), put(), put(), put()]);
  await expect.poll(() => ran.length, { timeout: 5000 }).toBe(5);
  expect([...ran].sort()).toEqual([...ids].sort());
  await expect.poll(entries).toEqual([]);
});

test('a task whose handler is missing stops the start', async () => {
  const start = runWorker(store, {} as Handlers, {
    concurrency: { train: 1, measure: 1, webhooks: 1 },
    onError: () => {},
  });
  await expect(start).rejects.toThrow('train');
});

test("a dead worker's task runs again within seconds; a living worker's long task is left alone", async () => {
  let runs = 0;
  let release = () => {};
  const id = await put();
  // What a worker leaves that was killed: a lock, and no heartbeat.
  await store.pool.query(
    `UPDATE graphile_worker._private_jobs SET locked_by = 'dead', locked_at = clock_timestamp(), attempts = 1`,
  );
  const { errors } = await work(async ({ trainingRunId }) => {
    expect(trainingRunId).toBe(id);
    runs++;
    await new Promise<void>((done) => {
      release = done;
    });
  });
  await expect.poll(() => runs, { timeout: 5000 }).toBe(1);
  await new Promise((done) => setTimeout(done, 1500));
  expect(runs).toBe(1);
  release();
  await expect.poll(entries).toEqual([]);
  expect(errors).toEqual([]);
});

test('a task that fails is reported and waits for its next attempt', async () => {
  const { errors } = await work(async () => {
    throw new Error('no luck');
  });
  await put();
  await expect.poll(() => errors.length, { timeout: 5000 }).toBe(1);
  expect(String(errors[0])).toContain('no luck');
  await expect.poll(entries).toEqual([{ attempts: 1, locked_by: null, due: false }]);
});

test('a task without attempts left is given up once, whoever held it last', async () => {
  const givenUp: string[] = [];
  const id = await put();
  await store.pool.query(
    `UPDATE graphile_worker._private_jobs SET locked_by = 'dead', locked_at = clock_timestamp(), attempts = max_attempts`,
  );
  const { errors } = await work(
    async () => {
      throw new Error('must not run');
    },
    async (given) => {
      givenUp.push(given);
      if (givenUp.length === 1) throw new Error('the database was away');
    },
  );
  await expect.poll(entries, { timeout: 5000 }).toEqual([]);
  expect(givenUp).toEqual([id, id]);
  expect(errors.map(String)).toEqual(['Error: the database was away']);
});

test('a worker that stops gives its task back at once, without the loss of an attempt', async () => {
  let started = 0;
  const untilAborted: Run = (_, abort) =>
    new Promise((_done, fail) => {
      started++;
      abort.addEventListener('abort', () => fail(new Error('stopping')));
    });
  const { worker, errors } = await work(untilAborted);
  await put();
  await expect.poll(() => started, { timeout: 5000 }).toBe(1);
  workers.length = 0;
  await worker.stop();
  expect(errors).toEqual([]);
  expect(await entries()).toEqual([{ attempts: 0, locked_by: null, due: true }]);
  expect((await store.pool.query('SELECT * FROM worker_heartbeat')).rows).toEqual([]);
  let ran = 0;
  await work(async () => void ran++);
  await expect.poll(() => ran, { timeout: 5000 }).toBe(1);
});

/** Puts a task under a key that waits in the queue, or runs, already. */
async function putKeyed(trainingRunId: string): Promise<void> {
  await store.prisma.$transaction((tx) => enqueue(tx, 'train', { trainingRunId }, `train:${trainingRunId}`));
}

test('an entry that was put anew while it ran, and then lost its worker, gives up nothing: the new one runs', async () => {
  const id = randomUUID();
  await putKeyed(id);
  await store.pool.query(
    `UPDATE graphile_worker._private_jobs SET locked_by = 'dead', locked_at = clock_timestamp(), attempts = 1`,
  );
  await putKeyed(id);
  const spent = 'SELECT 1 FROM graphile_worker._private_jobs WHERE attempts = max_attempts';
  expect((await store.pool.query(spent)).rowCount).toBe(1);
  const [ran, givenUp]: [string[], string[]] = [[], []];
  let release = () => {};
  await work(
    async ({ trainingRunId }) => {
      ran.push(trainingRunId);
      await new Promise<void>((done) => {
        release = done;
      });
    },
    async (given) => void givenUp.push(given),
  );
  await expect.poll(entries, { timeout: 5000 }).toMatchObject([{ attempts: 1 }]);
  expect(givenUp).toEqual([]);
  await expect.poll(() => ran).toEqual([id]);
  release();
  await expect.poll(entries).toEqual([]);
  expect(givenUp).toEqual([]);
});

test('an entry that was put anew while it ran is not given back as well when its worker stops', async () => {
  let started = 0;
  const { worker } = await work(
    (_, abort) =>
      new Promise((_done, fail) => {
        started++;
        abort.addEventListener('abort', () => fail(new Error('stopping')));
      }),
  );
  const id = randomUUID();
  await putKeyed(id);
  await expect.poll(() => started, { timeout: 5000 }).toBe(1);
  await store.prisma.$transaction(async (tx) => {
    await enqueue(tx, 'train', { trainingRunId: id }, `train:${id}`);
    // Not for this worker, which has room for it.
    await tx.$executeRaw`UPDATE graphile_worker._private_jobs SET run_at = now() + interval '1 hour' WHERE key IS NOT NULL`;
  });
  workers.length = 0;
  await worker.stop();
  // The old entry is spent: a last beat may have swept it already.
  const { rows } = await store.pool.query(
    'SELECT key IS NOT NULL AS keyed FROM graphile_worker._private_jobs WHERE attempts < max_attempts',
  );
  expect(rows).toEqual([{ keyed: true }]);
});

test('an attempt that moved on is counted as the first; one that did not is counted on', async () => {
  const [moves, stays] = [await put(), await put()];
  await store.pool.query('UPDATE graphile_worker._private_jobs SET attempts = 3');
  const { errors } = await work(async ({ trainingRunId }, _, movedOn) => {
    if (trainingRunId === moves) await movedOn();
    throw new Error('killed');
  });
  await expect.poll(() => errors.length, { timeout: 5000 }).toBe(2);
  const attemptsOf = async (id: string) =>
    (
      await store.pool.query(
        `SELECT attempts FROM graphile_worker._private_jobs WHERE payload->>'trainingRunId' = $1`,
        [id],
      )
    ).rows[0].attempts;
  expect([await attemptsOf(moves), await attemptsOf(stays)]).toEqual([1, 4]);
});
