// An anti-aliased polygon filler: exact area coverage by accumulated signed areas, one pass a polygon.

import type { RgbImage } from '../imaging/types.js';

export type Point = readonly [x: number, y: number];
export type Rgb = readonly [red: number, green: number, blue: number];

/** A picture under construction: colours as floats, 0 to 255, planar by pixel. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export function createCanvas(width: number, height: number): Canvas {
  return { width, height, data: new Float32Array(width * height * 3) };
}

export function toRgbImage(canvas: Canvas): RgbImage {
  // Uint8ClampedArray rounds and clamps by itself, many times faster than a mapping function.
  const clamped = Uint8ClampedArray.from(canvas.data);
  const data = new Uint8Array(clamped.buffer);
  return { width: canvas.width, height: canvas.height, data };
}

interface Coverage {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly area: Float32Array;
}

/** Signed area that an edge adds to each pixel right of it; the running sum of a row is the coverage. */
function accumulateEdge(c: Coverage, [x0, y0]: Point, [x1, y1]: Point): void {
  if (y0 === y1) return;
  const direction = y0 < y1 ? 1 : -1;
  const [topX, topY, bottomX, bottomY] = y0 < y1 ? [x0, y0, x1, y1] : [x1, y1, x0, y0];
  const slope = (bottomX - topX) / (bottomY - topY);
  const firstRow = Math.max(0, Math.floor(topY));
  const lastRow = Math.min(c.height, Math.ceil(bottomY));
  const clampX = (x: number) => Math.max(0, Math.min(c.width, x));
  const stride = c.width + 2;
  for (let row = firstRow; row < lastRow; row++) {
    const from = Math.max(row, topY);
    const to = Math.min(row + 1, bottomY);
    if (to <= from) continue;
    const dy = (to - from) * direction;
    const a = clampX(topX + (from - topY) * slope);
    const b = clampX(topX + (to - topY) * slope);
    const [low, high] = a < b ? [a, b] : [b, a];
    const start = Math.floor(low);
    const end = Math.ceil(high);
    const base = row * stride;
    if (end <= start + 1) {
      const middle = 0.5 * (low + high) - start;
      c.area[base + start]! += dy * (1 - middle);
      c.area[base + start + 1]! += dy * middle;
      continue;
    }
    const inverse = 1 / (high - low);
    let before = 0;
    for (let column = start; column < end; column++) {
      // Area right of the edge within this pixel column, as the difference of two integrals.
      const l = Math.max(low, column);
      const r = Math.min(high, column + 1);
      const share = (r - l) * inverse;
      const inside = share * (column + 1 - 0.5 * (l + r));
      c.area[base + column]! += dy * (inside + before);
      before = share - inside;
    }
    c.area[base + end]! += dy * before;
  }
}

/** Blends a colour over the inside of a polygon (pixel coordinates, closed by itself) with an opacity. */
export function fillPolygon(canvas: Canvas, points: readonly Point[], colour: Rgb, opacity = 1): void {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const left = Math.max(0, Math.floor(Math.min(...xs)));
  const top = Math.max(0, Math.floor(Math.min(...ys)));
  const right = Math.min(canvas.width, Math.ceil(Math.max(...xs)));
  const bottom = Math.min(canvas.height, Math.ceil(Math.max(...ys)));
  if (right <= left || bottom <= top) return;
  const width = right - left;
  const height = bottom - top;
  const coverage: Coverage = { left, top, width, height, area: new Float32Array((width + 2) * height) };
  for (let i = 0; i < points.length; i++) {
    const [x0, y0] = points[i]!;
    const [x1, y1] = points[(i + 1) % points.length]!;
    accumulateEdge(coverage, [x0 - left, y0 - top], [x1 - left, y1 - top]);
  }
  for (let y = 0; y < height; y++) {
    let sum = 0;
    let at = ((top + y) * canvas.width + left) * 3;
    for (let x = 0; x < width; x++, at += 3) {
      sum += coverage.area[y * (width + 2) + x]!;
      const alpha = Math.min(1, Math.abs(sum)) * opacity;
      if (alpha < 1e-3) continue;
      for (let k = 0; k < 3; k++) canvas.data[at + k]! += (colour[k]! - canvas.data[at + k]!) * alpha;
    }
  }
}
