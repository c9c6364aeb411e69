// What a model cannot be asked for is stored when it is registered, and an order for it is refused before it waits.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeBundle } from '../../src/main/platform.js';
import type { Services } from '../../src/services/context.js';
import { registerModel } from '../../src/services/models.js';
import { submitPaintJob, submitPaintJobs } from '../../src/services/paint-job-submission.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices, storePaintParts } from '../support/paint-lab.js';
import { TINY, writeTinyBundle } from '../support/tiny-bundle.js';

let database: TestDatabase;
let services: Services;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-limits-'));
  database = await createTestDatabase();
  services = openTestServices(database.url, join(folder, 'blobs'));
});
afterAll(async () => {
  await services?.store.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

const facts = { submittedBy: 'ann' };

test('more steps than trained timesteps, and two stages without the networks for it, are refused by field', async () => {
  const order = await storePaintParts(services, folder);
  const bare = join(folder, 'bare');
  await writeTinyBundle(bare, { exemplar: false, scheduler: { num_train_timesteps: 50 } });
  const { id: modelId } = await registerModel(services, await describeBundle(bare));
  const submit = (change: object) => submitPaintJob(services, { ...order, modelId, ...change }, facts);
  await expect(submit({ steps: 51 })).rejects.toMatchObject({
    code: 'BAD_INPUT',
    field: 'steps',
    message: expect.stringContaining('50'),
  });
  await expect(submit({ method: 'TWO_STAGE' })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    field: 'method',
  });
  const batch = { common: { ...order, modelId }, axes: [[{ steps: 50 }, { steps: 51 }]], runs: 1 };
  const { faults } = await submitPaintJobs(services, batch, facts);
  expect(faults.map(({ index, error }) => [index, error.field])).toEqual([[1, 'steps']]);
  expect(await services.store.prisma.paintJob.count()).toBe(0);
  expect((await submit({ steps: 50 })).steps).toBe(50);
  const whole = { ...order, steps: 51, method: 'TWO_STAGE' as const };
  expect((await submitPaintJob(services, whole, facts)).steps).toBe(51);
});

test('a model of before learns its limits when it is registered anew', async () => {
  const bare = await describeBundle(join(folder, 'bare'));
  await services.store.pool.query('UPDATE model SET max_steps = 1000, two_stage = true');
  expect(await registerModel(services, bare)).toMatchObject({ maxSteps: 50, twoStage: false });
});

test('a bundle whose own defaults cannot be painted is not registered', async () => {
  const defaults = { steps: 5, guidanceScale: 2 };
  const write = (name: string, options: Parameters<typeof writeTinyBundle>[1]) =>
    writeTinyBundle(join(folder, name), options);
  const choosing = { exemplar: false, conventions: { defaults: { ...defaults, candidates: 2 } } };
  await expect(write('choosing', choosing)).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'bundle' });
  const long = { scheduler: { num_train_timesteps: 4 }, conventions: { defaults } };
  await expect(write('long', long)).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'bundle' });
  expect((await write('fine', { conventions: { defaults } })).conventions.voxels).toBe(TINY.voxels);
});
