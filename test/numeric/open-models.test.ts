// What is opened is closed again: painters that nobody uses, and sessions of an opening that failed half way.

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createPainterCache } from '../../src/main/painter-cache.js';
import type { Bundle } from '../../src/painter/bundle.js';
import { openPainter } from '../../src/painter/painter.js';
import { pseudoSignalConditioner } from '../../src/train/diffusion-stage.js';
import { noisyPicture, writeTinyBundle } from '../support/tiny-bundle.js';

let folder: string;
let bundle: Bundle;
let other: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-open-'));
  bundle = await writeTinyBundle(join(folder, 'one'));
  other = await writeTinyBundle(join(folder, 'two'), { conventions: { name: 'two' } });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rm(folder, { recursive: true }));

/** Counts the runtime's own sessions that are open. */
async function countSessions(): Promise<() => number> {
  const probe = await InferenceSession.create(bundle.components.vae_encoder!);
  const create = vi.spyOn(InferenceSession, 'create');
  const release = vi.spyOn(Object.getPrototypeOf(probe), 'release');
  await probe.release();
  return () =>
    create.mock.settledResults.filter((result) => result.type === 'fulfilled').length -
    (release.mock.calls.length - 1);
}

const without = (component: string) => ({
  ...bundle,
  components: { ...bundle.components, [component]: join(folder, 'missing.onnx') },
});

test('a painter or a conditioner that cannot be opened whole leaves no session open', async () => {
  const open = await countSessions();
  await expect(openPainter(without('brain_adapter'), { threads: 1 })).rejects.toThrow();
  expect(open()).toBe(0);
  const networks = {
    pseudoBrainGenerator: bundle.components.pseudo_brain_generator!,
    brainAdapter: join(folder, 'missing.onnx'),
  };
  const noise = {} as Parameters<typeof pseudoSignalConditioner>[1];
  await expect(pseudoSignalConditioner(networks, noise, { threads: 1 })).rejects.toThrow();
  expect(open()).toBe(0);
  const painter = await openPainter(bundle, { threads: 1 });
  await painter.imageEncoder();
  expect(open()).toBe(5);
  await painter.close();
  expect(open()).toBe(0);
});

test('an image encoder that could not be opened is tried again', async () => {
  const painter = await openPainter(without('image_encoder'), { threads: 1 });
  await expect(painter.imageEncoder()).rejects.toThrow();
  await copyFile(bundle.components.image_encoder!, join(folder, 'missing.onnx'));
  expect((await painter.imageEncoder()).inputs).toHaveLength(1);
  await painter.close();
  await rm(join(folder, 'missing.onnx'));
});

test('of idle models that are large only the last used stays open; small ones stay, and so does what is at work', async () => {
  const open = await countSessions();
  const small = createPainterCache();
  await small.use(bundle.folder, bundle.hash, async () => {});
  await small.use(other.folder, other.hash, async () => {});
  expect(open()).toBe(8);

  const large = createPainterCache({ keptBytes: 1 });
  const before = open();
  const first = await large.use(bundle.folder, bundle.hash, async ({ painter, exemplarEncoder }) => {
    const { encode } = await exemplarEncoder();
    expect(await encode(noisyPicture(20, 20))).toHaveLength(bundle.conventions.voxels);
    // Another is opened while this one is at work.
    await large.use(other.folder, other.hash, async () => {
      expect(open() - before).toBe(4 + 2 + 4);
    });
    expect(open() - before).toBe(4 + 2 + 4);
    return painter;
  });
  // `other` was used last.
  expect(open() - before).toBe(4);
  await large.use(bundle.folder, bundle.hash, async ({ painter }) => {
    expect(painter).not.toBe(first);
    expect(open() - before).toBe(4);
  });
  const kept = await large.use(bundle.folder, bundle.hash, async ({ painter }) => painter);
  await large.use(bundle.folder, bundle.hash, async ({ painter }) => expect(painter).toBe(kept));
  expect(open() - before).toBe(4);
});

test('a model that could not be opened is tried again, and closes nothing', async () => {
  const cache = createPainterCache({ keptBytes: 1 });
  await expect(cache.use(bundle.folder, 'f'.repeat(64), async () => {})).rejects.toThrow(/has changed/);
  let done = false;
  await cache.use(bundle.folder, bundle.hash, async () => {
    done = true;
  });
  expect(done).toBe(true);
});
