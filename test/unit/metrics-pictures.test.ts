// src/metrics/pictures.ts against values that other programs computed (test/reference/pictures.py names them).

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cosineSimilarities } from '../../src/metrics/brain.js';
import {
  boundaryBand,
  boundaryBandError,
  greyOf,
  pearson,
  shareIdentified,
  structuralSimilarity,
} from '../../src/metrics/pictures.js';
import { drawBytes, drawPair, type PictureCase } from '../support/drawn-pictures.js';

interface Reference {
  pictures: (PictureCase & { ssim: number; pixCorr: number })[];
  identification: { name: string; n: number; size: number; shares: number[]; cosines: number[] }[];
  bands: { name: string; width: number; height: number; bandPx: number; pixels: number; error: number }[];
}
const reference: Reference = JSON.parse(readFileSync('test/reference/pictures.json', 'utf8'));

test.each(reference.pictures)('SSIM and PixCorr of $width x $height, $kind', (drawn) => {
  const [a, b] = drawPair(drawn);
  const { width, height } = drawn;
  expect(structuralSimilarity(greyOf(a), greyOf(b), width, height)).toBeCloseTo(drawn.ssim, 9);
  expect(pearson(a, b)).toBeCloseTo(drawn.pixCorr, 9);
});

test.each(reference.identification)('two-way identification and cosine among $n', (drawn) => {
  const { name, n, size } = drawn;
  const reals = drawBytes(`${name}/reals`, n * size);
  const noise = drawBytes(`${name}/recons`, n * size);
  const rows = <T>(of: (row: number) => T) => Array.from({ length: n }, (_, row) => of(row));
  const real = rows((row) => Float32Array.from(reals.subarray(row * size, (row + 1) * size)));
  const recon = rows((row) => real[row]!.map((value, k) => value + 2 * noise[row * size + k]!));
  rows((row) => {
    const own = pearson(recon[row]!, real[row]!);
    const others = real.filter((_, other) => other !== row).map((other) => pearson(recon[row]!, other));
    expect(shareIdentified(own, others)).toBeCloseTo(drawn.shares[row]!, 12);
    expect(cosineSimilarities(real[row]!, recon[row]!, size)[0]).toBeCloseTo(drawn.cosines[row]!, 9);
  });
});

/** Blobs of five by five around the bytes over 235. */
function drawMask(name: string, width: number, height: number): Uint8Array {
  const seeds = drawBytes(`${name}/mask`, width * height);
  return seeds.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    for (let v = Math.max(0, y - 2); v <= Math.min(height - 1, y + 2); v++)
      for (let u = Math.max(0, x - 2); u <= Math.min(width - 1, x + 2); u++)
        if (seeds[v * width + u]! > 235) return 255;
    return 0;
  });
}

test.each(reference.bands)('boundary band of $bandPx px in $width x $height', (drawn) => {
  const { name, width, height, bandPx } = drawn;
  const mask = { width, height, data: drawMask(name, width, height) };
  const [source, painting] = ['source', 'painting'].map((of) =>
    drawBytes(`${name}/${of}`, width * height * 3),
  );
  const band = boundaryBand(mask.data, width, height, bandPx);
  expect(band.reduce((sum, value) => sum + value, 0)).toBe(drawn.pixels);
  expect(boundaryBandError(painting!, source!, mask, bandPx)).toBeCloseTo(drawn.error, 12);
});

describe('where there is nothing to measure', () => {
  test('a flat picture has no correlation, a full mask no edge', () => {
    expect(pearson([3, 3, 3], [1, 2, 3])).toBeNaN();
    const full = { width: 4, height: 4, data: new Uint8Array(16).fill(255) };
    expect(boundaryBandError(new Uint8Array(48), new Uint8Array(48), full, 2)).toBeNaN();
  });
  test('ties are misses: a network that sees no difference identifies nothing', () => {
    expect(shareIdentified(0.5, [0.5, 0.5])).toBe(0);
  });
});
