// Pictures on the way in: what is refused and with which error, and what every accepted kind becomes.

import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeRgb, encodePng, encodeThumbnail, inspectImage } from '../../src/imaging/decode.js';
import type { RgbImage } from '../../src/imaging/types.js';

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

/** A small PNG whose header claims another size: a decompression bomb without the bulk. */
async function pngClaiming(width: number, height: number): Promise<Buffer> {
  const png = await encodePng(flat(16, 16, 255));
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

describe('pictures on the way in', () => {
  const refused = async (bytes: Uint8Array, code: string, text: RegExp) => {
    const expected = { name: 'AppError', code, field: 'file', message: expect.stringMatching(text) };
    await expect(decodeRgb(bytes, 'file')).rejects.toMatchObject(expected);
  };

  test('what is no picture is refused', async () => {
    await refused(Buffer.from('this is a letter, not a picture'), 'UNSUPPORTED', /PNG, JPEG or WebP/);
    await refused(new Uint8Array(0), 'UNSUPPORTED', /PNG, JPEG or WebP/);
    await refused(noiseImage(40, 40).data, 'UNSUPPORTED', /PNG, JPEG or WebP/);
  });

  test('other formats and animations are refused', async () => {
    await refused(
      await raw(flat(32, 32, 9))
        .gif()
        .toBuffer(),
      'UNSUPPORTED',
      /gif/,
    );
    await refused(
      await raw(flat(32, 32, 9))
        .tiff()
        .toBuffer(),
      'UNSUPPORTED',
      /tiff/,
    );
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"></svg>';
    await refused(Buffer.from(svg), 'UNSUPPORTED', /svg/);
    const frames = new Uint8Array([...flat(32, 32, 0).data, ...flat(32, 32, 255).data]);
    const animated = await sharp(frames, {
      raw: { width: 32, height: 64, channels: 3, pageHeight: 32 },
    })
      .webp()
      .toBuffer();
    await refused(animated, 'UNSUPPORTED', /animated/);
  });

  test('truncated and damaged files are refused, never half shown', async () => {
    const image = noiseImage(120, 90);
    for (const bytes of [
      await raw(image).png().toBuffer(),
      await raw(image).jpeg({ quality: 90 }).toBuffer(),
      await raw(image).webp({ quality: 90 }).toBuffer(),
    ]) {
      await refused(bytes.subarray(0, bytes.length >> 1), 'CORRUPT', /damaged or cut off/);
    }
    const png = await raw(image).png().toBuffer();
    png.fill(0, png.length >> 1, (png.length >> 1) + 200);
    await refused(png, 'CORRUPT', /damaged or cut off/);
  });

  test('sizes are judged by the header, before pixels are decoded', async () => {
    await refused(await pngClaiming(20_000, 20_000), 'TOO_LARGE', /20000 x 20000/);
    await refused(await pngClaiming(9_000, 9_000), 'TOO_LARGE', /50000000 pixels/);
    await refused(await pngClaiming(13_000, 100), 'TOO_LARGE', /12000 a side/);
    await refused(await encodePng(flat(1, 1, 0)), 'BAD_INPUT', /1 x 1 is too small/);
    await refused(await encodePng(flat(400, 15, 0)), 'BAD_INPUT', /too small/);
    expect((await decodeRgb(await encodePng(flat(16, 16, 0)), 'file')).width).toBe(16);
  });

  test('PNG keeps every pixel; the header agrees with the decoded size', async () => {
    const image = noiseImage(53, 31);
    const png = await encodePng(image);
    expect(await inspectImage(png, 'file')).toEqual({ format: 'png', width: 53, height: 31 });
    expect(await decodeRgb(png, 'file')).toEqual(image);
    expect(await encodePng(image)).toEqual(png);
  });

  test('EXIF orientation is applied for all eight values', async () => {
    // Red left half, blue right half; 48 x 32 as stored.
    const stored = flat(48, 32, 0);
    for (let i = 0; i < 48 * 32; i++) stored.data[i * 3 + (i % 48 < 24 ? 0 : 2)] = 255;
    // Where the red half is shown for orientations 1 to 8.
    const red = ['left', 'right', 'right', 'left', 'top', 'top', 'bottom', 'bottom'];
    for (const [i, side] of red.entries()) {
      const bytes = await raw(stored)
        .withMetadata({ orientation: i + 1 })
        .jpeg({ quality: 100 })
        .toBuffer();
      const image = await decodeRgb(bytes, 'file');
      const size = i < 4 ? { width: 48, height: 32 } : { width: 32, height: 48 };
      expect(await inspectImage(bytes, 'file')).toEqual({ format: 'jpeg', ...size });
      expect({ width: image.width, height: image.height }).toEqual(size);
      const isRed = (x: number, y: number) => image.data[(y * image.width + x) * 3]! > 128;
      const [w, h] = [image.width, image.height];
      const found = isRed(4, 4) ? (isRed(w - 5, 4) ? 'top' : 'left') : isRed(w - 5, 4) ? 'right' : 'bottom';
      expect(found, `orientation ${i + 1}, ${w} x ${h}`).toBe(side);
    }
  });

  test('transparency, grey, 16 bits and CMYK become 8-bit RGB', async () => {
    const clear = sharp({
      create: { width: 20, height: 20, channels: 4, background: { r: 200, g: 0, b: 0, alpha: 0 } },
    });
    expect(await decodeRgb(await clear.png().toBuffer(), 'file')).toEqual(flat(20, 20, 255));

    const grey = await raw(flat(20, 20, 77))
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect((await sharp(grey).metadata()).channels).toBe(1);
    expect(await decodeRgb(grey, 'file')).toEqual(flat(20, 20, 77));

    const halfClearGrey = await sharp({
      create: { width: 20, height: 20, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } },
    })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect((await sharp(halfClearGrey).metadata()).channels).toBe(2);
    const half = await decodeRgb(halfClearGrey, 'file');
    expect(half.data.length).toBe(20 * 20 * 3);
    for (const value of half.data) expect(Math.abs(value - 128)).toBeLessThanOrEqual(2);

    const deep = await raw(noiseImage(20, 20)).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    const shallow = await decodeRgb(deep, 'file');
    for (const [i, value] of noiseImage(20, 20).data.entries()) {
      expect(Math.abs(shallow.data[i]! - value)).toBeLessThanOrEqual(1);
    }

    const cmyk = await raw(flat(20, 20, 255))
      .toColourspace('cmyk')
      .jpeg()
      .toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const white = await decodeRgb(cmyk, 'file');
    expect(white.data.length).toBe(20 * 20 * 3);
    expect(Math.min(...white.data)).toBeGreaterThan(240);
  });

  test('thumbnails keep proportions and never grow', async () => {
    const small = await sharp(await encodeThumbnail(noiseImage(400, 200), 100)).metadata();
    expect([small.format, small.width, small.height]).toEqual(['webp', 100, 50]);
    expect((await sharp(await encodeThumbnail(noiseImage(40, 20), 100)).metadata()).width).toBe(40);
  });

  const folder = new URL('../../../shared/data/images/', import.meta.url);
  test.skipIf(!existsSync(folder))('real photographs decode to their known sizes', async () => {
    for (const [name, format] of [
      ['kodak/kodim20.png', 'png'],
      ['parrot.jpg', 'jpeg'],
      ['owl.jpg', 'jpeg'],
    ] as const) {
      const bytes = readFileSync(new URL(name, folder));
      const header = await inspectImage(bytes, 'file');
      const image = await decodeRgb(bytes, 'file');
      expect(header).toEqual({ format, width: image.width, height: image.height });
      expect(image.data.length).toBe(image.width * image.height * 3);
      if (format === 'png') expect([image.width, image.height]).toEqual([768, 512]);
    }
  });
});
