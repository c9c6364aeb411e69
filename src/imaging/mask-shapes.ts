// Masks from shapes: polygon fill without grey edges, the presets, bounds and coverage.

import { AppError } from '../errors.js';
import type { MaskImage } from './types.js';

/** Pixel rectangle, end exclusive; fractions of a pixel allowed. */
export interface MaskRect {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** Sets every pixel whose centre lies inside the polygon (even-odd rule). */
export function fillMaskPolygon(
  mask: MaskImage,
  points: readonly (readonly [number, number])[],
  value: number,
): void {
  for (let y = 0; y < mask.height; y++) {
    const centre = y + 0.5;
    const crossings: number[] = [];
    for (let i = 0; i < points.length; i++) {
      const [x0, y0] = points[i]!;
      const [x1, y1] = points[(i + 1) % points.length]!;
      if (y0 <= centre !== y1 <= centre) crossings.push(x0 + ((centre - y0) / (y1 - y0)) * (x1 - x0));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil(crossings[i]! - 0.5));
      const to = Math.min(mask.width, Math.ceil(crossings[i + 1]! - 0.5));
      if (to > from) mask.data.fill(value, y * mask.width + from, y * mask.width + to);
    }
  }
}

export type MaskPreset =
  | {
      readonly shape: 'rectangle' | 'ellipse';
      readonly left: number;
      readonly top: number;
      readonly width: number;
      readonly height: number;
    }
  | { readonly shape: 'border'; readonly border: number }
  | { readonly shape: 'full' };

/** A mask of a picture's size from a preset whose lengths are fractions (0 to 1) of width and height. */
export function presetMask(preset: MaskPreset, width: number, height: number): MaskImage {
  const mask: MaskImage = { width, height, data: new Uint8Array(width * height) };
  if (preset.shape === 'full') {
    mask.data.fill(255);
    return mask;
  }
  if (preset.shape === 'border') {
    if (!(preset.border > 0 && preset.border < 0.5)) {
      throw new AppError('BAD_INPUT', `border must be over 0 and under 0.5, it is ${preset.border}`, {
        field: 'border',
      });
    }
    mask.data.fill(255);
    const [dx, dy] = [preset.border * width, preset.border * height];
    fillMaskPolygon(
      mask,
      [
        [dx, dy],
        [width - dx, dy],
        [width - dx, height - dy],
        [dx, height - dy],
      ],
      0,
    );
  } else {
    const { left, top } = preset;
    const fits = (from: number, extent: number) => extent > 0 && from + extent <= 1.000001;
    const wrong = Object.entries({
      left: left >= 0 && left < 1,
      top: top >= 0 && top < 1,
      width: fits(left, preset.width),
      height: fits(top, preset.height),
    }).find(([, good]) => !good);
    if (wrong) {
      throw new AppError('BAD_INPUT', 'the shape must lie inside the picture: fractions from 0 to 1', {
        field: wrong[0],
      });
    }
    const [x0, y0] = [left * width, top * height];
    const [w, h] = [preset.width * width, preset.height * height];
    const points: [number, number][] =
      preset.shape === 'rectangle'
        ? [
            [x0, y0],
            [x0 + w, y0],
            [x0 + w, y0 + h],
            [x0, y0 + h],
          ]
        : Array.from({ length: 180 }, (_, i) => {
            const angle = (i * Math.PI) / 90;
            return [x0 + (w / 2) * (1 + Math.cos(angle)), y0 + (h / 2) * (1 + Math.sin(angle))];
          });
    fillMaskPolygon(mask, points, 255);
  }
  if (!maskBounds(mask)) throw new AppError('BAD_INPUT', 'the mask covers no pixel', { field: 'shape' });
  return mask;
}

/** The box around the editable pixels, or undefined where there are none. */
export function maskBounds(mask: MaskImage): MaskRect | undefined {
  let [x0, y0, x1, y1] = [mask.width, mask.height, 0, 0];
  for (let y = 0; y < mask.height; y++) {
    const row = mask.data.subarray(y * mask.width, (y + 1) * mask.width);
    const first = row.indexOf(255);
    if (first < 0) continue;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, row.lastIndexOf(255) + 1);
    y0 = Math.min(y0, y);
    y1 = y + 1;
  }
  return x1 > 0 ? { x0, y0, x1, y1 } : undefined;
}

/** Share of the pixels that may be edited, 0 to 1. */
export function maskCoverage(mask: MaskImage): number {
  let count = 0;
  for (const value of mask.data) if (value === 255) count += 1;
  return count / mask.data.length;
}
