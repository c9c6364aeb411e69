// The small version of `npm run test:kill`.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Services } from '../../src/services/context.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { runKills } from '../support/kill-run.js';
import { openTestServices, storePaintParts } from '../support/paint-lab.js';

let database: TestDatabase;
let services: Services;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-kill-'));
  database = await createTestDatabase();
  services = openTestServices(database.url, join(folder, 'blobs'));
});
afterAll(async () => {
  await services?.store.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

test('jobs on workers that are killed end all, each with one result, and none waits long', async () => {
  const order = { ...(await storePaintParts(services, folder)), steps: 200, seed: 1 };
  const result = await runKills(services, order, {
    jobs: 16,
    workers: 2,
    killEveryMs: [200, 1500],
    mostKills: 4,
    databaseUrl: database.url,
    dataDir: folder,
    timeoutMs: 150_000,
  });
  expect(result).toMatchObject({ jobs: 16, lost: 0, doubled: 0 });
  expect(result.kills).toBeGreaterThan(0);
  expect(result.maxRescueSeconds).toBeLessThan(60);
}, 180_000);
