// The two-stage baseline on a tiny bundle: what its stages are, and what it refuses.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RgbImage } from '../../src/imaging/types.js';
import { openPainter, type Painter, type PaintRequest, paint } from '../../src/painter/painter.js';
import {
  blankCanvas,
  type ExemplarEncoder,
  openExemplarEncoder,
  paintTwoStage,
} from '../../src/painter/two-stage.js';
import { noisyPicture, TINY, tinySignal, writeTinyBundle } from '../support/tiny-bundle.js';

let folder: string;
let painter: Painter;
let exemplar: ExemplarEncoder;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-'));
  const bundle = await writeTinyBundle(join(folder, 'tiny'));
  painter = await openPainter(bundle, { threads: 1 });
  exemplar = await openExemplarEncoder(painter, { threads: 1 });
});
afterAll(async () => {
  await painter.close();
  await exemplar.close();
  await rm(folder, { recursive: true, force: true });
});

const request: PaintRequest = {
  source: noisyPicture(64, 48),
  mask: { width: 64, height: 48, data: new Uint8Array(64 * 48).fill(255, 600, 1500) },
  signal: tinySignal(),
  seed: 5,
  paintings: 1,
  steps: 4,
  guidanceScale: 2,
};

async function imagesOf(paintings: AsyncIterable<{ image: RgbImage }>): Promise<RgbImage[]> {
  const images: RgbImage[] = [];
  for await (const { image } of paintings) images.push(image);
  return images;
}

test('it equals its two stages done by hand: a reconstruction, then painting by that picture', async () => {
  const [decoded] = await imagesOf(paint(painter, { ...request, ...blankCanvas(TINY.imageSizePx) }));
  const [byHand] = await imagesOf(paint(painter, { ...request, signal: await exemplar.encode(decoded!) }));
  const [staged] = await imagesOf(paintTwoStage(painter, exemplar, request));
  expect(Buffer.from(staged!.data).equals(byHand!.data)).toBe(true);
  const [direct] = await imagesOf(paint(painter, request));
  expect(Buffer.from(staged!.data).equals(direct!.data)).toBe(false);
});

test('progress counts both stages and only rises', async () => {
  const seen: string[] = [];
  const onStep = (done: number, total: number) => seen.push(`${done}/${total}`);
  await imagesOf(paintTwoStage(painter, exemplar, { ...request, paintings: 2, onStep }));
  expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1}/12`));
});

test('an exemplar becomes a signal of the subject, and another picture another one', async () => {
  const [a, b] = [await exemplar.encode(noisyPicture(20, 20)), await exemplar.encode(noisyPicture(31, 31))];
  expect(a).toHaveLength(TINY.voxels);
  expect(a.every(Number.isFinite)).toBe(true);
  expect(Buffer.from(a.buffer).equals(Buffer.from(b.buffer))).toBe(false);
});

test('a bundle without an image encoder is refused by name', async () => {
  const bundle = await writeTinyBundle(join(folder, 'bare'), { exemplar: false });
  const bare = await openPainter(bundle, { threads: 1 });
  await expect(openExemplarEncoder(bare)).rejects.toMatchObject({ code: 'UNSUPPORTED', field: 'method' });
  await bare.close();
});

test('without a signal the condition plays no part, and guidance neither', async () => {
  const without = { ...request, signal: undefined };
  const [one] = await imagesOf(paint(painter, { ...without, guidanceScale: 1 }));
  const [strong] = await imagesOf(paint(painter, { ...without, guidanceScale: 9 }));
  expect(Buffer.from(one!.data).equals(strong!.data)).toBe(true);
});
