// Pictures on their way into training: one at a time, and none decoded twice while there is room.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import { encodePng, resizeRgb } from '../../src/imaging/decode.js';
import type { RgbImage } from '../../src/imaging/types.js';
import { openPoolPictures } from '../../src/jobs/pool-pictures.js';
import { openSession } from '../../src/runtime/session.js';
import { embedPictures } from '../../src/train/pictures.js';
import { noisyPicture } from '../support/tiny-bundle.js';

/** Pictures by hash, and how often each was read. */
async function library(images: readonly RgbImage[]) {
  const files = new Map<string, Buffer>();
  for (const image of images) {
    const png = await encodePng(image);
    files.set(createHash('sha256').update(png).digest('hex'), png);
  }
  const reads: string[] = [];
  const get = async (hash: string) => {
    reads.push(hash);
    return files.get(hash)!;
  };
  return { hashes: [...files.keys()], reads, blobs: { get } };
}

test('a large picture is shrunk, a small one stays as it is, and each is decoded once', async () => {
  const [large, small] = [noisyPicture(120, 80), noisyPicture(50, 32)];
  const { hashes, reads, blobs } = await library([large, small]);
  const pictureOf = openPoolPictures(blobs, 40);
  for (let i = 0; i < 3; i++) {
    expect(await pictureOf(hashes[0]!)).toEqual(await resizeRgb(large, 60, 40));
    expect(await pictureOf(hashes[1]!)).toEqual(small);
  }
  expect(reads).toEqual(hashes);
});

test('what is kept has a limit: the picture that was not asked for the longest goes first', async () => {
  const images = [20, 21, 22].map((width) => noisyPicture(width, 20));
  const { hashes, reads, blobs } = await library(images);
  const [a, b, c] = hashes as [string, string, string];
  const pictureOf = openPoolPictures(blobs, 40, 2 * 22 * 20 * 3);
  for (const hash of [a, b, a, c, a, c, b, c]) await pictureOf(hash);
  expect(reads).toEqual([a, b, c, b]);
  // One that is larger than all room is given, and not kept.
  const narrow = openPoolPictures(blobs, 40, 10);
  expect(await narrow(a)).toEqual(images[0]);
  expect(await narrow(a)).toEqual(images[0]);
  expect(reads.slice(4)).toEqual([a, a]);
});

test('pictures to embed are asked for one after the other', async () => {
  const b = createBuilder('mean');
  const x = b.input('pixel_values', 'float32', ['batch', 3, 8, 8]);
  b.output('image_embeds', op.reduceMean(b, x, [2, 3]));
  const encoder = await openSession(encodeModel(b.freeze(), { weights: {} }), { threads: 1 });
  let [open, most] = [0, 0];
  const embedded = await embedPictures(encoder, 5, async (i) => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 5));
    open -= 1;
    return { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(51 * i) };
  });
  await encoder.close();
  expect(most).toBe(1);
  expect(embedded).toHaveLength(15);
  for (let i = 0; i < 5; i++) expect(embedded[3 * i]!).toBeCloseTo((51 * i) / 127.5 - 1, 5);
});
