// Masks (uploaded, preset, sampled for training) and the painter's geometry: crop, and paste on pictures of real size.

import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import {
  countDifferentOutside,
  distanceInside,
  extractCrop,
  pasteBack,
  planBlend,
  planCrop,
} from '../../src/imaging/crop.js';
import { decodeRgb } from '../../src/imaging/decode.js';
import { maskFromImage } from '../../src/imaging/mask-image.js';
import { type MaskMode, sampleTrainingMask } from '../../src/imaging/mask-sampler.js';
import { maskBounds, maskCoverage, presetMask } from '../../src/imaging/mask-shapes.js';
import type { MaskImage, RgbImage } from '../../src/imaging/types.js';
import { createRng } from '../../src/random.js';

function noiseImage(width: number, height: number, seed = 1): RgbImage {
  const data = new Uint8Array(width * height * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return { width, height, data };
}

const flat = (width: number, height: number, value: number): RgbImage => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(value),
});

const raw = (image: RgbImage) =>
  sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } });

describe('masks', () => {
  test('an uploaded mask is white or black; lossy noise is forgiven, grey is not', async () => {
    const picture = flat(40, 30, 0);
    picture.data.fill(255, 0, 40 * 3 * 10);
    const lossy = await decodeRgb(await raw(picture).jpeg({ quality: 85 }).toBuffer(), 'mask');
    const mask = maskFromImage(lossy, { width: 40, height: 30 }, 'mask');
    expect(maskBounds(mask)).toEqual({ x0: 0, y0: 0, x1: 40, y1: 10 });
    expect([...new Set(mask.data)].sort()).toEqual([0, 255]);

    const refused = (image: RgbImage, text: RegExp, size = { width: 40, height: 30 }) => {
      const expected = { code: 'BAD_INPUT', field: 'mask', message: expect.stringMatching(text) };
      expect(() => maskFromImage(image, size, 'mask')).toThrow(expect.objectContaining(expected));
    };
    refused(picture, /40 x 30, the picture 30 x 40/, { width: 30, height: 40 });
    refused(flat(40, 30, 0), /no white pixel/);
    const grey = flat(40, 30, 255);
    grey.data.fill(128, (7 * 40 + 12) * 3, (7 * 40 + 13) * 3);
    refused(grey, /pixel \(12, 7\) is grey/);
    const coloured = flat(40, 30, 0);
    coloured.data[0] = 255;
    refused(coloured, /pixel \(0, 0\)/);
  });

  test('presets cover what they say, and shapes outside the picture are refused', () => {
    const box = presetMask({ shape: 'rectangle', left: 0.25, top: 0.5, width: 0.5, height: 0.25 }, 80, 40);
    expect(maskBounds(box)).toEqual({ x0: 20, y0: 20, x1: 60, y1: 30 });
    expect(maskCoverage(box)).toBe(0.125);
    const disc = presetMask({ shape: 'ellipse', left: 0, top: 0, width: 1, height: 1 }, 200, 100);
    expect(maskCoverage(disc)).toBeCloseTo(Math.PI / 4, 2);
    const border = presetMask({ shape: 'border', border: 0.25 }, 40, 20);
    expect(maskCoverage(border)).toBe(0.75);
    expect(border.data[10 * 40 + 20]).toBe(0);
    expect(maskCoverage(presetMask({ shape: 'full' }, 9, 7))).toBe(1);
    for (const bad of [
      { shape: 'rectangle', left: 0.6, top: 0, width: 0.5, height: 0.5 },
      { shape: 'rectangle', left: -0.1, top: 0, width: 0.5, height: 0.5 },
      { shape: 'ellipse', left: 0, top: 0, width: 0, height: 0.5 },
      { shape: 'ellipse', left: Number.NaN, top: 0, width: 0.1, height: 0.5 },
      { shape: 'rectangle', left: 0.01, top: 0.01, width: 0.0001, height: 0.0001 },
      { shape: 'border', border: 0.5 },
      { shape: 'border', border: 0 },
    ] as const) {
      expect(() => presetMask(bad, 100, 100)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
    }
    expect(maskBounds({ width: 2, height: 2, data: new Uint8Array(4) })).toBeUndefined();
  });

  test('training masks: frequencies, shapes, and the seed decides', () => {
    const objectBox = { x0: 40, y0: 30, x1: 90, y1: 100 };
    const draw = (seed: number, n: number) => {
      const rng = createRng(seed);
      return Array.from({ length: n }, () => sampleTrainingMask(rng, { sizePx: 128, objectBox }));
    };
    const n = 2000;
    const masks = draw(5, n);
    const of = (mode: MaskMode) => masks.filter((one) => one.mode === mode);
    // Four standard errors of a proportion around the stated 0.5, 0.3 and 0.2.
    for (const [mode, p] of [
      ['inpaint', 0.5],
      ['outpaint', 0.3],
      ['random', 0.2],
    ] as const) {
      expect(Math.abs(of(mode).length / n - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n));
    }
    for (const { mask } of masks) {
      expect(maskCoverage(mask)).toBeGreaterThan(0);
    }
    for (const { mask } of masks.slice(0, 100))
      expect(mask.data.every((value) => value === 0 || value === 255)).toBe(true);
    const inner = (objectBox.x1 - objectBox.x0) * (objectBox.y1 - objectBox.y0);
    let rectangles = 0;
    for (const { mask } of of('inpaint')) {
      const box = maskBounds(mask)!;
      // Grown by at most 0.4 of the free space (and the jitter of 2 % of the outer width).
      expect(box.x0).toBeGreaterThanOrEqual(Math.floor(objectBox.x0 * 0.6) - 3);
      expect(box.x1).toBeLessThanOrEqual(Math.ceil(objectBox.x1 + 0.4 * 38) + 3);
      let covered = 0;
      for (let y = objectBox.y0; y < objectBox.y1; y++)
        for (let x = objectBox.x0; x < objectBox.x1; x++) covered += mask.data[y * 128 + x]! / 255;
      expect(covered / inner).toBeGreaterThan(0.9);
      if (maskCoverage(mask) * 128 * 128 === (box.x1 - box.x0) * (box.y1 - box.y0)) rectangles += 1;
    }
    const share = rectangles / of('inpaint').length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.07);
    for (const { mask } of of('outpaint')) {
      expect(maskCoverage(mask)).toBeGreaterThan(1 - 0.67 ** 2);
      expect(maskCoverage(mask)).toBeLessThan(1 - 0.28 ** 2);
    }
    const full = of('random').filter(({ mask }) => maskCoverage(mask) === 1).length / of('random').length;
    expect(Math.abs(full - 0.35)).toBeLessThan(0.1);

    const bytes = (seed: number) => Buffer.concat(draw(seed, 6).map(({ mask }) => mask.data));
    expect(bytes(7).equals(bytes(7))).toBe(true);
    expect(bytes(7).equals(bytes(8))).toBe(false);
    const only = { inpaint: 0, outpaint: 1, random: 0 };
    const rng = createRng(3);
    for (let i = 0; i < 20; i++)
      expect(sampleTrainingMask(rng, { sizePx: 32, probabilities: only }).mode).toBe('outpaint');
  }, 30_000);

  test('a mask that is stretched covers the same share of a picture that is no square', () => {
    for (let seed = 0; seed < 40; seed++) {
      const square = sampleTrainingMask(createRng(seed), { sizePx: 200 });
      const stretchTo = { width: 320, height: 90 };
      const wide = sampleTrainingMask(createRng(seed), { sizePx: 200, stretchTo });
      expect(wide.mode).toBe(square.mode);
      expect([wide.mask.width, wide.mask.height]).toEqual([320, 90]);
      expect(Math.abs(maskCoverage(wide.mask) - maskCoverage(square.mask))).toBeLessThan(0.02);
    }
  });
});

describe('crop and paste', () => {
  test('the square holds the mask, and lies inside the picture whenever it can', () => {
    const rng = createRng(11);
    for (let i = 0; i < 500; i++) {
      const [width, height] = [20 + rng.int(500), 20 + rng.int(500)];
      const [x0, y0] = [rng.int(width), rng.int(height)];
      const box = { x0, y0, x1: x0 + 1 + rng.int(width - x0), y1: y0 + 1 + rng.int(height - y0) };
      const plan = planCrop({ width, height }, box, 1 + 2 * rng.uniform(), 128);
      expect(Number.isInteger(plan.left) && Number.isInteger(plan.top) && Number.isInteger(plan.side)).toBe(
        true,
      );
      expect(plan.left).toBeLessThanOrEqual(box.x0);
      expect(plan.top).toBeLessThanOrEqual(box.y0);
      expect(plan.left + plan.side).toBeGreaterThanOrEqual(box.x1);
      expect(plan.top + plan.side).toBeGreaterThanOrEqual(box.y1);
      if (plan.side <= Math.min(width, height)) {
        expect(plan.left).toBeGreaterThanOrEqual(0);
        expect(plan.top).toBeGreaterThanOrEqual(0);
        expect(plan.left + plan.side).toBeLessThanOrEqual(width);
        expect(plan.top + plan.side).toBeLessThanOrEqual(height);
      }
    }
  });

  test('the small mask covers every masked pixel, however small', async () => {
    const rng = createRng(4);
    const image = flat(300, 200, 90);
    for (let round = 0; round < 10; round++) {
      const mask: MaskImage = { width: 300, height: 200, data: new Uint8Array(300 * 200) };
      for (let i = 0; i < 5; i++) mask.data[rng.int(mask.data.length)] = 255;
      const plan = planCrop(image, maskBounds(mask)!, 1.5, 32);
      const crop = await extractCrop(image, mask, plan);
      expect([crop.image.width, crop.mask.width]).toEqual([32, 32]);
      expect(crop.image.data.every((value) => value === 90)).toBe(true);
      for (let at = 0; at < mask.data.length; at++) {
        if (mask.data[at] !== 255) continue;
        const x = Math.floor((((at % 300) - plan.left) * 32) / plan.side);
        const y = Math.floor(((Math.floor(at / 300) - plan.top) * 32) / plan.side);
        expect(crop.mask.data[y * 32 + x]).toBe(255);
      }
    }
  });

  test('distances inside a mask follow its edge', () => {
    const mask: MaskImage = { width: 9, height: 9, data: new Uint8Array(81) };
    for (let y = 2; y < 7; y++) mask.data.fill(255, y * 9 + 2, y * 9 + 7);
    const across = (limit?: number) =>
      [1, 2, 3, 4, 5, 6, 7].map((x) => distanceInside(mask, limit)[4 * 9 + x]);
    expect(across()).toEqual([0, 3, 6, 9, 6, 3, 0]);
    expect(across(5)).toEqual([0, 3, 5, 5, 5, 3, 0]);
  });

  test('a 12-megapixel picture: outside the mask every byte stays, inside is painted with a feather', async () => {
    const source = noiseImage(4000, 3000, 77);
    const mask = presetMask(
      { shape: 'ellipse', left: 0.4, top: 0.35, width: 0.15, height: 0.2 },
      source.width,
      source.height,
    );
    const plan = planCrop(source, maskBounds(mask)!, 1.5, 128);
    const before = Buffer.from(source.data);
    const crop = await extractCrop(source, mask, plan);
    const painted = flat(crop.image.width, crop.image.height, 0);
    const result = await pasteBack(source, painted, plan, planBlend(mask, maskBounds(mask)!, 8));
    expect(before.equals(source.data)).toBe(true);
    expect([result.width, result.height]).toEqual([4000, 3000]);
    expect(countDifferentOutside(source, result, mask)).toBe(0);
    const centre = (Math.round(0.45 * 3000) * 4000 + Math.round(0.475 * 4000)) * 3;
    expect([...result.data.subarray(centre, centre + 3)]).toEqual([0, 0, 0]);
    // Just inside the left edge the source shows through.
    const row = Math.round(0.45 * 3000);
    const edge = row * 4000 + mask.data.subarray(row * 4000, (row + 1) * 4000).indexOf(255);
    const shade = (i: number) => result.data[i * 3]! / Math.max(1, source.data[i * 3]!);
    expect(shade(edge)).toBeGreaterThan(0.8);
    expect(shade(edge + 20)).toBe(0);
  }, 30_000);

  test('outside stays identical where the square is larger than the picture, with and without feather', async () => {
    const rng = createRng(21);
    for (let round = 0; round < 12; round++) {
      const source = noiseImage(40 + rng.int(300), 40 + rng.int(60), round + 1);
      const mask = presetMask(
        { shape: 'rectangle', left: 0.05, top: 0.2, width: 0.9, height: 0.5 },
        source.width,
        source.height,
      );
      const plan = planCrop(source, maskBounds(mask)!, 1.5, 64);
      const painted = noiseImage(64, 64, 99);
      const feather = round % 2 ? 3 : 0;
      const result = await pasteBack(source, painted, plan, planBlend(mask, maskBounds(mask)!, feather));
      expect(countDifferentOutside(source, result, mask)).toBe(0);
      const inverse = { ...mask, data: mask.data.map((value) => 255 - value) };
      expect(countDifferentOutside(source, result, inverse)).toBeGreaterThan(100);
    }
  });

  test('the feather holds on every edge, also where the mask is as wide as the square', async () => {
    const source = flat(400, 200, 200);
    const mask = presetMask(
      { shape: 'rectangle', left: 0.05, top: 0.25, width: 0.9, height: 0.5 },
      source.width,
      source.height,
    );
    const plan = planCrop(source, maskBounds(mask)!, 1.5, 64);
    expect(plan.side).toBe(360);
    const result = await pasteBack(source, flat(64, 64, 0), plan, planBlend(mask, maskBounds(mask)!, 3));
    const shade = (x: number, y: number) => result.data[(y * 400 + x) * 3];
    const across = [0, 1, 2, 3, 4];
    expect(across.map((i) => shade(19 + i, 100))).toEqual([200, 150, 100, 50, 0]);
    expect(across.map((i) => shade(380 - i, 100))).toEqual([200, 150, 100, 50, 0]);
    expect(across.map((i) => shade(200, 49 + i))).toEqual([200, 150, 100, 50, 0]);
    expect(across.map((i) => shade(200, 150 - i))).toEqual([200, 150, 100, 50, 0]);
  });

  test('the counter of different pixels counts, and only outside', () => {
    const a = noiseImage(10, 10);
    const b = { ...a, data: Uint8Array.from(a.data) };
    const mask: MaskImage = { width: 10, height: 10, data: new Uint8Array(100) };
    mask.data[5] = 255;
    for (const pixel of [3, 5, 99]) b.data[pixel * 3 + 2]! ^= 1;
    expect(countDifferentOutside(a, b, mask)).toBe(2);
  });
});
