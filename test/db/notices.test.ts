// Notices on a real database: heard by who waits for them, never waited for in vain, heard again after a lost connection.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { ENDINGS, openStore, type Store } from '../../src/store/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let store: Store;

beforeEach(async () => {
  database = await createTestDatabase();
  store = openStore(database.url);
});
afterEach(async () => {
  await store.close();
  await database.drop();
});

const notify = (payload: string) => store.pool.query('SELECT pg_notify($1, $2)', [ENDINGS, payload]);

async function listeners(): Promise<number[]> {
  const { rows } = await store.pool.query(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN%'",
  );
  return rows.map((row) => row.pid);
}

/** Waits shortly again and again until one connection listens. */
async function listening(): Promise<number> {
  for (;;) {
    await store.endings.wait('nobody', 20);
    const [pid] = await listeners();
    if (pid) return pid;
  }
}

/** Whether the notice came, not the time limit. */
async function hears(payload: string, said: string, timeoutMs: number): Promise<boolean> {
  const start = performance.now();
  const waited = store.endings.wait(payload, timeoutMs);
  await notify(said);
  await waited;
  return performance.now() - start < timeoutMs - 5;
}

test('a notice wakes who waits for it, and nobody else', async () => {
  await listening();
  expect(await hears('a', 'a', 30_000)).toBe(true);
  expect(await hears('a', 'b', 300)).toBe(false);
}, 60_000);

test('a lost connection leaves the time limit, and the next wait listens anew', async () => {
  const first = await listening();
  await store.pool.query('SELECT pg_terminate_backend($1)', [first]);
  expect(await listening()).not.toBe(first);
  expect(await hears('a', 'a', 30_000)).toBe(true);
  expect(await listeners()).toHaveLength(1);
}, 60_000);

test('without a database a wait still ends', async () => {
  const nowhere = openStore('postgres://nobody@127.0.0.1:1/none');
  await nowhere.endings.wait('a', 50);
  await nowhere.endings.wait('a', 50);
  await nowhere.close();
});
