// Contact sheets: their size, pictures in their own proportions, and letters that need no font of the machine.

import { expect, test } from 'vitest';
import { makeContactSheet, tintMask } from '../../src/imaging/contact-sheet.js';
import { decodeRgb } from '../../src/imaging/decode.js';
import type { RgbImage } from '../../src/imaging/types.js';

const flat = (width: number, height: number, value: number): RgbImage => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(value),
});

/** Dark pixels within a rectangle. */
function darkPixels(image: RgbImage, x0: number, y0: number, x1: number, y1: number): number {
  let count = 0;
  for (let y = y0; y < y1; y++)
    for (let x = x0; x < x1; x++) if (image.data[(y * image.width + x) * 3]! < 128) count += 1;
  return count;
}

test('cells stand in a grid on white, each picture in its own proportions', async () => {
  const options = { cellWidthPx: 100, cellHeightPx: 80, gapPx: 10 };
  const png = await makeContactSheet(
    [[{ image: flat(50, 20, 0) }, {}], [{ image: flat(40, 80, 0) }]],
    options,
  );
  const sheet = await decodeRgb(png, 'sheet');
  expect([sheet.width, sheet.height]).toEqual([10 + 2 * 110, 10 + 2 * (80 + 26 + 10)]);
  expect(darkPixels(sheet, 10, 10, 110, 90)).toBe(100 * 40);
  expect(darkPixels(sheet, 10, 126, 110, 206)).toBe(40 * 80);
  expect(darkPixels(sheet, 0, 0, sheet.width, sheet.height)).toBe(100 * 40 + 40 * 80);
});

test('captions show every letter; one that the font lacks is a box, never nothing', async () => {
  const ink = async (caption: string) => {
    const sheet = await decodeRgb(await makeContactSheet([[{ caption }]]), 'sheet');
    return darkPixels(sheet, 0, 0, sheet.width, sheet.height);
  };
  for (const letter of 'AMZaz0189%/=_-.:,+()?') expect(await ink(letter), letter).toBeGreaterThan(7);
  expect(await ink(' ')).toBe(0);
  expect(await ink('\u00e9')).toBe(await ink('\u4e2d'));
  expect(await ink('\u00e9')).toBe(4 * (7 * 2 + 2 * 3));
  expect(await ink('AB')).toBe((await ink('A')) + (await ink('B')));
});

test('a tinted mask leaves kept pixels and the given picture alone', () => {
  const image = flat(2, 1, 100);
  const tinted = tintMask(image, { width: 2, height: 1, data: Uint8Array.of(0, 255) });
  expect([...tinted.data]).toEqual([100, 100, 100, 188, 61, 113]);
  expect([...image.data]).toEqual([100, 100, 100, 100, 100, 100]);
});
