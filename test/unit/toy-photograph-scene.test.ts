// Drawn pictures of photograph size: repeatable, full of content at any size, and honest about bad sizes.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import { drawPhotographSizeScene, PLACES } from '../../src/toy/photograph-scene.js';

test.each(PLACES)('%s: the same seed gives the same picture, another seed another', (place) => {
  const draw = (seed: number) => drawPhotographSizeScene(createRng(seed), 192, 128, place);
  const hash = (seed: number) => createHash('sha256').update(draw(seed).data).digest('hex');
  expect(hash(1)).toBe(hash(1));
  expect(hash(1)).not.toBe(hash(2));
});

test('comes at 768 x 512 unless told otherwise, with colour and detail in every quarter', () => {
  const { width, height, data } = drawPhotographSizeScene(createRng(3));
  expect([width, height, data.length]).toEqual([768, 512, 768 * 512 * 3]);
  for (const [qx, qy] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const) {
    const values: number[] = [];
    for (let y = qy * 256; y < qy * 256 + 256; y += 4) {
      for (let x = qx * 384; x < qx * 384 + 384; x += 4) values.push(data[(y * width + x) * 3]!);
    }
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    expect(std).toBeGreaterThan(12);
  }
});

test('a seed chooses among all places, portrait or landscape', () => {
  const chosen = new Set<number>();
  for (let seed = 0; seed < 20; seed++) chosen.add(createRng(seed).int(PLACES.length));
  expect(chosen.size).toBe(PLACES.length);
  const portrait = drawPhotographSizeScene(createRng(4), 96, 160);
  expect(portrait.data.length).toBe(96 * 160 * 3);
});

test.each([
  ['width', 20, 512],
  ['width', 100.5, 512],
  ['height', 768, 20000],
])('refuses a bad %s', (field, width, height) => {
  expect(() => drawPhotographSizeScene(createRng(1), width, height)).toThrow(
    expect.objectContaining({ name: 'AppError', code: 'BAD_INPUT', field }),
  );
});
