// A full disk while a batch is painted, on a real one: jobs wait, the device says why, and all goes on when there is room.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPaintDevice } from '../../src/jobs/paint-device.js';
import type { PaintEvent, PaintMessage } from '../../src/painter/messages.js';
import { createInferenceProcess } from '../../src/runtime/inference-process.js';
import type { Services } from '../../src/services/context.js';
import { resumeDevice } from '../../src/services/devices.js';
import { submitPaintJobs } from '../../src/services/paint-job-submission.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices, storePaintParts } from '../support/paint-lab.js';
import { canMount, mountSmallDisk, unmount } from '../support/small-disk.js';

const CHILD = join(import.meta.dirname, '../../src/main/inference-child.ts');

let database: TestDatabase;
let services: Services;
let folder: string;
let disk: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mindpainter-full-'));
  disk = join(folder, 'disk');
  mkdirSync(disk);
  if (canMount) mountSmallDisk(disk, '256k');
  database = await createTestDatabase();
  services = openTestServices(database.url, join(disk, 'blobs'));
});
afterAll(async () => {
  await services?.store.close();
  await database?.drop();
  unmount(disk);
  rmSync(folder, { recursive: true, force: true });
});

const jobs = () =>
  services.store.prisma.paintJob.findMany({
    orderBy: { id: 'asc' },
    include: { attempts: { orderBy: { number: 'asc' } }, paintings: true },
  });

test.skipIf(!canMount)(
  'a full disk gives the job back and pauses the device; a resume paints all',
  async () => {
    const order = await storePaintParts(services, folder);
    await submitPaintJobs(services, { common: order, axes: [], runs: 3 }, { submittedBy: 'ann' });
    const filler = join(disk, 'filler');
    for (let size = 256 * 1024; size >= 512; size >>= 1) {
      try {
        writeFileSync(`${filler}-${size}`, new Uint8Array(size));
      } catch {
        // Full, as wanted: what was begun of it stays.
      }
    }
    expect(readdirSync(disk).some((name) => statSync(join(disk, name)).size > 0)).toBe(true);
    const inference = createInferenceProcess<PaintMessage, PaintEvent>(CHILD);
    const errors: unknown[] = [];
    const device = await startPaintDevice(services, inference, (error) => errors.push(error));
    try {
      const paused = async () => (await services.store.prisma.device.findFirstOrThrow()).pauseReason;
      await expect.poll(paused, { timeout: 50_000 }).toContain('the disk is full');
      const released = async () => (await jobs()).map((job) => job.state);
      await expect.poll(released, { timeout: 20_000 }).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
      expect((await jobs()).map((job) => job.attempts.map(({ outcome, error }) => [outcome, error]))).toEqual(
        [[['RELEASED', expect.stringContaining('the disk is full')]], [], []],
      );
      for (const name of readdirSync(disk)) if (name.startsWith('filler')) rmSync(join(disk, name));
      await resumeDevice(services, (await services.store.prisma.device.findFirstOrThrow()).id);
      const states = async () => (await jobs()).map((job) => [job.state, job.paintings.length]);
      await expect.poll(states, { timeout: 50_000 }).toEqual(Array(3).fill(['SUCCEEDED', 1]));
      expect(errors).toEqual([]);
    } finally {
      await device.stop();
      await inference.close();
    }
  },
  180_000,
);
