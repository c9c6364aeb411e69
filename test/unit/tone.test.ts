// Tones at the edge of a mask: what is wrong next to it is put right within it, and nothing else changes.

import { expect, test } from 'vitest';
import { presetMask } from '../../src/imaging/mask-shapes.js';
import { matchTones } from '../../src/imaging/tone.js';
import type { RgbImage } from '../../src/imaging/types.js';

const SIZE = 128;
const mask = presetMask({ shape: 'rectangle', left: 0.25, top: 0.3, width: 0.5, height: 0.4 }, SIZE, SIZE);

/** A picture by a function of place and channel. */
function picture(value: (x: number, y: number, k: number) => number): RgbImage {
  const data = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return Math.max(0, Math.min(255, Math.round(value(pixel % SIZE, Math.floor(pixel / SIZE), i % 3))));
  });
  return { width: SIZE, height: SIZE, data };
}

/** The largest difference of two pictures where `inside` says. */
function farthest(a: RgbImage, b: RgbImage, inside: (pixel: number) => boolean): number {
  let most = 0;
  for (let i = 0; i < a.data.length; i++)
    if (inside(Math.floor(i / 3))) most = Math.max(most, Math.abs(a.data[i]! - b.data[i]!));
  return most;
}

const masked = (pixel: number) => mask.data[pixel] === 255;
const scene = picture((x, y, k) => 90 + 0.3 * x + 0.2 * y + 10 * k);

test('an even shift of tones is undone wholly, each channel by its own', () => {
  const shifted = picture((x, y, k) => 90 + 0.3 * x + 0.2 * y + 10 * k + [14, -9, 5][k]!);
  expect(farthest(matchTones(shifted, scene, mask), scene, masked)).toBeLessThanOrEqual(1);
});

test('a shift that changes over the picture is undone to a few levels, where it was 16', () => {
  const slanted = picture((x, y, k) => 90 + 0.3 * x + 0.2 * y + 10 * k + (x - 64) / 4);
  expect(farthest(slanted, scene, masked)).toBeGreaterThanOrEqual(7);
  expect(farthest(matchTones(slanted, scene, mask), scene, masked)).toBeLessThanOrEqual(4);
});

test('what is painted stays: an object that the source has not moves with its surroundings only', () => {
  const disc = (x: number, y: number) => (x - 64) ** 2 + (y - 64) ** 2 < 15 ** 2;
  const painted = picture((x, y, k) => (disc(x, y) ? 200 : 90 + 0.3 * x + 0.2 * y + 10 * k) - 8);
  const matched = matchTones(painted, scene, mask);
  const centre = 3 * (64 * SIZE + 64);
  expect(Math.abs(matched.data[centre]! - 200)).toBeLessThanOrEqual(1);
});

test('blurred edges outside leave no streaks: fine differences that cancel out count for nothing', () => {
  const stripes = picture((x) => 128 + (x % 2 === 0 ? 60 : -60));
  const flat = picture(() => 128);
  expect(farthest(matchTones(flat, stripes, mask), flat, masked)).toBeLessThanOrEqual(2);
});

test('kept pixels and a picture under a full mask stay as they are', () => {
  const painted = picture((x, y) => (x * 7 + y * 3) % 256);
  expect(farthest(matchTones(painted, scene, mask), painted, (pixel) => !masked(pixel))).toBe(0);
  const full = presetMask({ shape: 'full' }, SIZE, SIZE);
  expect(matchTones(painted, scene, full).data).toEqual(painted.data);
});
