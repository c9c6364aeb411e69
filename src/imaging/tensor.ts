// Pixels <-> planar float values: the form that networks take.

import type { MaskImage, RgbImage } from './types.js';

/** Writes an image as [3, y, x] in [-1, 1] at an offset; `hidden` pixels (mask 255) become `fill` (0: mid grey). */
export function writePlanar(
  target: Float32Array,
  offset: number,
  image: RgbImage,
  hidden?: MaskImage,
  fill = 0,
): void {
  const count = image.width * image.height;
  for (let i = 0; i < count; i++) {
    const keep = !hidden || hidden.data[i] === 0;
    for (let k = 0; k < 3; k++) {
      target[offset + k * count + i] = keep ? image.data[i * 3 + k]! / 127.5 - 1 : fill;
    }
  }
}

/** What a network takes its colours by: (x - mean) / std of values in [0, 1], red, green and blue. */
export interface ColourScale {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Planar pictures [n, 3, plane] from [-1, 1] to a scale, in place; none: they stay. Mid grey, which hides, goes along. */
export function scaleColours(pixels: Float32Array, plane: number, scale: ColourScale | undefined): void {
  if (!scale) return;
  for (let at = 0, k = 0; at < pixels.length; at += plane, k = (k + 1) % 3) {
    const [mean, std] = [scale.mean[k]!, scale.std[k]!];
    for (let i = at; i < at + plane; i++) pixels[i] = ((pixels[i]! + 1) / 2 - mean) / std;
  }
}

/** [3, y, x] in [-1, 1] at an offset -> 8-bit image; values outside are clamped. */
export function readPlanar(source: Float32Array, offset: number, width: number, height: number): RgbImage {
  const count = width * height;
  // Clamps and rounds as it is written to.
  const data = new Uint8ClampedArray(count * 3);
  for (let k = 0; k < 3; k++) {
    const plane = offset + k * count;
    for (let i = 0; i < count; i++) data[i * 3 + k] = (source[plane + i]! + 1) * 127.5;
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

/**
 * The masked region's own picture, as the image encoder takes it: the square around the mask's box, everything
 * outside the mask mid grey, resampled (area or linear) to [3, size, size] in [-1, 1].
 */
export function writeRegion(
  target: Float32Array,
  offset: number,
  image: RgbImage,
  mask: MaskImage | undefined,
  box: { x0: number; y0: number; x1: number; y1: number },
  sizePx: number,
): void {
  const side = Math.max(box.x1 - box.x0, box.y1 - box.y0);
  const left = (box.x0 + box.x1 - side) / 2;
  const top = (box.y0 + box.y1 - side) / 2;
  const step = side / sizePx;
  const taps = Math.max(1, Math.round(step));
  const plane = sizePx * sizePx;
  for (let y = 0; y < sizePx; y++) {
    for (let x = 0; x < sizePx; x++) {
      const sums = [0, 0, 0];
      for (let j = 0; j < taps; j++) {
        for (let i = 0; i < taps; i++) {
          const sx = Math.floor(left + (x + (i + 0.5) / taps) * step);
          const sy = Math.floor(top + (y + (j + 0.5) / taps) * step);
          if (sx < 0 || sy < 0 || sx >= image.width || sy >= image.height) continue;
          const at = sy * image.width + sx;
          if (mask && mask.data[at] === 0) continue;
          for (let k = 0; k < 3; k++) sums[k]! += image.data[at * 3 + k]! / 127.5 - 1;
        }
      }
      for (let k = 0; k < 3; k++) target[offset + k * plane + y * sizePx + x] = sums[k]! / (taps * taps);
    }
  }
}
