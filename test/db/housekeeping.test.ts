// What is removed from the disk: blobs that no row names, folders of runs without a model, bundles of who withdrew.

import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHousekeeping, sweepLeftovers } from '../../src/jobs/housekeeping.js';
import { runTraining } from '../../src/jobs/train.js';
import type { Services } from '../../src/services/context.js';
import { reportWithdrawal, withdrawSubject } from '../../src/services/withdrawals.js';
import { readSql } from '../../src/store/sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices, storePaintParts } from '../support/paint-lab.js';

let database: TestDatabase;
let services: Services;
let folder: string;
let blobFolder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mindpainter-sweep-'));
  blobFolder = join(folder, 'blobs');
  database = await createTestDatabase();
  services = openTestServices(database.url, blobFolder);
});
afterAll(async () => {
  await services?.store.close();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const DAY = 24 * 3_600_000;
function age(path: string): void {
  const then = new Date(Date.now() - 2 * DAY);
  utimesSync(path, then, then);
}
const pathOf = (hash: string) => join(blobFolder, hash.slice(0, 2), hash);
async function putOld(text: string): Promise<string> {
  const hash = await services.blobs.put(Buffer.from(text));
  age(pathOf(hash));
  return hash;
}

test('every column of a sha256 is asked before a blob is removed', async () => {
  const { rows } = await services.store.pool.query<{ table: string; column: string }>(
    `SELECT table_name AS table, column_name AS column FROM information_schema.columns
     WHERE table_schema = 'public' AND column_name LIKE '%sha256%' ORDER BY 1, 2`,
  );
  expect(rows.length).toBeGreaterThan(8);
  const sql = readSql('referenced-blobs').replace(' AS hash', '');
  const missing = rows.filter(
    ({ table, column }) => !sql.includes(`SELECT ${column} FROM ${table} WHERE ${column} = ANY ($1::text[])`),
  );
  expect(missing).toEqual([]);
});

test('a sweep removes old blobs that no row names, and torn writes; what rows name and what is young stays', async () => {
  const { imageId, maskId, trialIds, modelId } = await storePaintParts(services, folder);
  const { prisma } = services.store;
  const image = await prisma.sourceImage.findUniqueOrThrow({ where: { id: imageId } });
  const mask = await prisma.mask.findUniqueOrThrow({ where: { id: maskId } });
  const trial = await prisma.trial.findUniqueOrThrow({
    where: { id: trialIds[0]! },
    include: { session: true },
  });
  const [png, thumbnail] = [await putOld('painting'), await putOld('thumbnail')];
  const job = { imageId, maskId, modelId, seed: 1n, steps: 1, guidanceScale: 1, paintingCount: 1 };
  await prisma.painting.create({
    data: {
      index: 0,
      pngSha256: png,
      thumbnailSha256: thumbnail,
      outsideMaskDifferentPixels: 0,
      job: { create: job },
    },
  });
  const named = [
    image.pngSha256,
    image.thumbnailSha256,
    mask.sha256,
    mask.pngSha256,
    trial.session.betasSha256,
    png,
    thumbnail,
  ];
  for (const hash of named) age(pathOf(hash));
  const orphan = await putOld('of an attempt that was lost');
  const young = await services.blobs.put(Buffer.from('of an attempt under way'));
  const torn = join(blobFolder, 'incoming', 'torn');
  writeFileSync(torn, 'x');
  age(torn);
  await sweepLeftovers(services, folder);
  expect([orphan].map((hash) => existsSync(pathOf(hash)))).toEqual([false]);
  expect(existsSync(torn)).toBe(false);
  expect([...named, young].filter((hash) => !existsSync(pathOf(hash)))).toEqual([]);
});

test('housekeeping sweeps by itself, and ends when it is told to', async () => {
  const orphan = await putOld('left over');
  const errors: unknown[] = [];
  const keeping = startHousekeeping(services, folder, (error) => errors.push(error), {
    firstMs: 1,
    everyMs: 1,
  });
  await expect.poll(() => existsSync(pathOf(orphan)), { timeout: 20_000 }).toBe(false);
  await keeping.stop();
  expect(errors).toEqual([]);
});

/** A run of a state with both its folders. */
async function addRun(state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'PAUSED' | 'RUNNING') {
  const { prisma } = services.store;
  const { id: subjectId } = await prisma.subject.findFirstOrThrow();
  const { id: baseModelId } = await prisma.model.findFirstOrThrow();
  const finishedAt = state === 'PAUSED' || state === 'RUNNING' ? null : new Date();
  const modelId = state === 'SUCCEEDED' ? baseModelId : null;
  const parts = ['DIFFUSION' as const];
  const { id } = await prisma.trainingRun.create({
    data: { name: state, subjectId, baseModelId, modelId, parts, settings: {}, state, finishedAt },
  });
  const folders = [
    join(folder, 'training', id),
    join(folder, 'models', id),
    join(folder, 'models', `${id}.new`),
  ];
  for (const one of folders) mkdirSync(one, { recursive: true });
  return { id, left: () => folders.map((one) => existsSync(one)) };
}

test('folders of ended runs go: checkpoints that nothing goes on from, bundles without a model', async () => {
  const runs = {
    SUCCEEDED: await addRun('SUCCEEDED'),
    FAILED: await addRun('FAILED'),
    CANCELLED: await addRun('CANCELLED'),
    PAUSED: await addRun('PAUSED'),
    RUNNING: await addRun('RUNNING'),
  };
  const strange = join(folder, 'models', 'a-model-of-the-labs-own');
  mkdirSync(strange);
  await sweepLeftovers(services, folder);
  expect(Object.fromEntries(Object.entries(runs).map(([state, run]) => [state, run.left()]))).toEqual({
    SUCCEEDED: [false, true, true],
    FAILED: [true, false, false],
    CANCELLED: [false, false, false],
    PAUSED: [true, true, true],
    RUNNING: [true, true, true],
  });
  expect(existsSync(strange)).toBe(true);
});

test("a withdrawal wakes a worker for each of the subject's runs, which removes the bundles", async () => {
  const [trained, waiting] = [await addRun('SUCCEEDED'), await addRun('PAUSED')];
  const { prisma, pool } = services.store;
  const { id: subjectId } = await prisma.subject.findFirstOrThrow();
  const { digest } = (await reportWithdrawal(services, subjectId))!;
  await withdrawSubject(services, { subjectId, reason: 'asked by letter', digest });
  const { rows } = await pool.query<{ id: string }>(
    `SELECT payload->>'trainingRunId' AS id FROM graphile_worker._private_jobs`,
  );
  expect(rows.map((row) => row.id)).toEqual(expect.arrayContaining([trained.id, waiting.id]));
  const none = () => {
    throw new Error('nothing is trained');
  };
  const deps = {
    dataDir: folder,
    blobFolder,
    threads: 1,
    openChild: none,
    describeBundle: none,
    codeVersion: none,
  };
  for (const { id } of [trained, waiting])
    await runTraining(services, deps, id, new AbortController().signal, async () => {});
  expect([trained.left(), waiting.left()]).toEqual([
    [false, false, false],
    [false, false, false],
  ]);
});
