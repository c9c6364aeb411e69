// The mean signal over trials of many sessions: right, each session read once, one matrix in memory at a time.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Services } from '../../src/services/context.js';
import { meanSignal } from '../../src/services/subjects.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices } from '../support/paint-lab.js';

let database: TestDatabase;
let services: Services;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mindpainter-mean-'));
  database = await createTestDatabase();
  services = openTestServices(database.url, folder);
});
afterAll(async () => {
  await services?.store.close();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const [VOXELS, TRIALS, SESSIONS] = [50_000, 40, 6];
const betaOf = (session: number, trial: number, v: number) => session + trial * 8 + (v % 16);

test('the mean over sessions is that of all trials, and memory holds one matrix at a time', async () => {
  const { prisma } = services.store;
  const { id: subjectId } = await prisma.subject.create({ data: { label: '01' } });
  for (let session = 0; session < SESSIONS; session++) {
    const betas = Float32Array.from({ length: TRIALS * VOXELS }, (_, i) =>
      betaOf(session, Math.floor(i / VOXELS), i % VOXELS),
    );
    const betasSha256 = await services.blobs.put(Buffer.from(betas.buffer));
    const label = `${session}`;
    const facts = {
      subjectId,
      label,
      voxels: VOXELS,
      constantVoxels: 0,
      normalisation: '',
      uploadSha256: label,
    };
    const trials = { create: [3, 7].map((index) => ({ index, stimulus: 'a', repetition: 1 })) };
    await prisma.fmriSession.create({ data: { ...facts, betasSha256, trials } });
  }
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const held: number[] = [];
  const watched: Services = {
    ...services,
    blobs: {
      ...services.blobs,
      async get(sha256) {
        // Buffers are freed on a thread of the collector's, which a busy machine lets wait.
        for (let i = 0; i < 3; i++) {
          collect();
          await sleep(20);
        }
        held.push(process.memoryUsage().arrayBuffers);
        return services.blobs.get(sha256);
      },
    },
  };
  const trials = await prisma.trial.findMany();
  const chosen = trials.slice(0, -1).map((trial) => trial.id);
  const mean = await meanSignal(watched, chosen);
  const expected = (v: number) => {
    const rows = Array.from({ length: SESSIONS }, (_, s) => [betaOf(s, 3, v), betaOf(s, 7, v)]).flat();
    return rows.slice(0, -1).reduce((sum, x) => sum + x, 0) / chosen.length;
  };
  for (const v of [0, 1, 17, VOXELS - 1]) expect(mean[v]).toBeCloseTo(expected(v), 4);
  expect(held).toHaveLength(SESSIONS);
  const matrixBytes = TRIALS * VOXELS * 4;
  expect(held.at(-1)! - held[0]!).toBeLessThan(3.5 * matrixBytes);
});
