// Checkpoints and pools over 2 GiB, which no single read takes, and files that a power cut or a full disk has torn.

import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import type { DiffusionPool } from '../../src/train/diffusion-pool.js';
import { linear } from '../../src/train/layers.js';
import { meanSquaredError } from '../../src/train/losses.js';
import { bytesOf, readParts, writeParts } from '../../src/train/parts-file.js';
import { cachedPool } from '../../src/train/pool-file.js';
import { buildStepGraph } from '../../src/train/step-graph.js';
import { createTrainer } from '../../src/train/trainer.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-large-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a checkpoint of 3 GiB is opened: of the wrong length here, which is what is said', async () => {
  const path = join(folder, 'small.ckpt');
  const step = buildStepGraph('small', (b) => ({
    loss: meanSquaredError(
      b,
      linear(b, 'fc', b.input('x', 'float32', [4, 3]), 2),
      b.input('y', 'float32', [4, 2]),
    ),
  }));
  const trainer = await createTrainer(step, { seed: 1, threads: 1 });
  await trainer.save(path, { note: 1 });
  expect(await trainer.load(path)).toEqual({ note: 1 });
  // Sparse: it takes no room on the disk.
  await truncate(path, 3 * 2 ** 30);
  await expect(trainer.load(path)).rejects.toThrow(/truncated or has extra bytes/);
  await trainer.close();
});

test('parts of any length come back as they were, however many reads they take', async () => {
  const path = join(folder, 'parts.bin');
  const long = new Float32Array((1 << 24) + 5);
  for (let i = 0; i < long.length; i += 4096) long[i] = i;
  long[long.length - 1] = -1;
  const short = Uint8Array.of(7, 8, 9);
  await writeParts(path, [short, bytesOf(long), short]);
  await readParts(path, async (file) => {
    expect(file.sizeBytes).toBe(long.byteLength + 6);
    expect(await file.read(new Uint8Array(3))).toEqual(short);
    expect(Buffer.compare(bytesOf(await file.read(new Float32Array(long.length))), bytesOf(long))).toBe(0);
    expect(await file.read(new Uint8Array(3))).toEqual(short);
    await expect(file.read(new Uint8Array(1))).rejects.toThrow(/truncated/);
  });
});

/** A real pool in all but its encoders: two samples with seeded values. */
function pool(): DiffusionPool {
  const rng = createRng(2);
  const values = (count: number) => rng.fillNormal(new Float32Array(count));
  return {
    count: 2,
    geometry: { imageSizePx: 8, regionSizePx: 4, latentSide: 2, latentChannels: 3, embeddingSize: 5 },
    latents: values(24),
    maskedLatents: values(24),
    keep: values(8),
    embeddings: values(10),
    scale: 0.5,
  };
}

test('a pool is built once and then read; one that is torn anywhere is built again', async () => {
  const path = join(folder, 'pool.bin');
  let built = 0;
  const build = async () => {
    built += 1;
    return pool();
  };
  expect(await cachedPool(path, build)).toEqual(pool());
  expect(await cachedPool(path, build)).toEqual(pool());
  expect(built).toBe(1);
  const bytes = await readFile(path);
  const torn = [0, 3, 40, bytes.length - 4].map((end) => bytes.subarray(0, end));
  // A file whose length reached the disk and whose content did not.
  for (const left of [...torn, Buffer.alloc(bytes.length)]) {
    await writeFile(path, left);
    expect(await cachedPool(path, build)).toEqual(pool());
  }
  expect(built).toBe(6);
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
});

test('a part that cannot be written leaves nothing behind', async () => {
  const before = await readdir(folder);
  const wrong = 7 as unknown as Uint8Array;
  await expect(writeParts(join(folder, 'torn'), [Buffer.alloc(9), wrong])).rejects.toThrow();
  expect(await readdir(folder)).toEqual(before);
});
