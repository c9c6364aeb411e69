// Tones across the edge of a mask: what a network gets wrong where the picture is known, it gets wrong next to it too.

import type { MaskImage, RgbImage } from './types.js';

/** Cells along a side in which differences are averaged: finer ones would carry blurred edges into the painting. */
const CELLS = 32;

/** Three channels on a square grid; a weight of 0 means that nothing is known there. */
interface Field {
  readonly side: number;
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

/** Four cells to one, each by its weight. */
function halve({ side, values, weights }: Field): Field {
  const half = Math.ceil(side / 2);
  const out = {
    side: half,
    values: new Float32Array(3 * half * half),
    weights: new Float32Array(half * half),
  };
  for (let i = 0; i < side * side; i++) {
    const to = (Math.floor(i / side) >> 1) * half + ((i % side) >> 1);
    out.weights[to]! += weights[i]!;
    for (let k = 0; k < 3; k++) out.values[3 * to + k]! += weights[i]! * values[3 * i + k]!;
  }
  for (let i = 0; i < half * half; i++) {
    if (out.weights[i] === 0) continue;
    for (let k = 0; k < 3; k++) out.values[3 * i + k]! /= out.weights[i]!;
    // What is known of a cell is known wholly: a sum would outweigh finer levels.
    out.weights[i] = Math.min(1, out.weights[i]!);
  }
  return out;
}

/** Between the centres of the grid's cells, bilinear; positions in cells, edges held. */
function sampleAt({ side, values }: Field, x: number, y: number, k: number): number {
  const [cx, cy] = [Math.max(0, Math.min(side - 1, x - 0.5)), Math.max(0, Math.min(side - 1, y - 0.5))];
  const [x0, y0] = [Math.floor(cx), Math.floor(cy)];
  const [x1, y1] = [Math.min(side - 1, x0 + 1), Math.min(side - 1, y0 + 1)];
  const at = (px: number, py: number) => values[3 * (py * side + px) + k]!;
  const [fx, fy] = [cx - x0, cy - y0];
  return (
    (at(x0, y0) * (1 - fx) + at(x1, y0) * fx) * (1 - fy) + (at(x0, y1) * (1 - fx) + at(x1, y1) * fx) * fy
  );
}

/** Fills what is not known from coarser and coarser averages (pull and push: Gortler et al. 1996, The Lumigraph, 3.2). */
function fill(field: Field): Field {
  if (field.side === 1) return field;
  const coarse = fill(halve(field));
  const { side, weights } = field;
  const values = new Float32Array(field.values);
  for (let i = 0; i < side * side; i++) {
    const [x, y] = [i % side, Math.floor(i / side)];
    for (let k = 0; k < 3; k++) {
      const guess = sampleAt(coarse, (x + 0.5) / 2, (y + 0.5) / 2, k);
      values[3 * i + k] = guess + weights[i]! * (values[3 * i + k]! - guess);
    }
  }
  return { side, values, weights };
}

/**
 * The painted square with its tones moved to meet the source at the mask's edge: the mean difference in the kept area is
 * continued smoothly into the editable one (as seamless cloning does: Perez et al. 2003, by a smoother membrane). All three
 * are squares of one size; pixels under a full mask stay as they are.
 */
export function matchTones(painted: RgbImage, source: RgbImage, mask: MaskImage): RgbImage {
  const size = painted.width;
  const side = Math.min(CELLS, size);
  const cellOf = Uint16Array.from({ length: size }, (_, i) => Math.floor((i * side) / size));
  const sums = new Float32Array(3 * side * side);
  const counts = new Float32Array(side * side);
  let kept = 0;
  for (let i = 0; i < size * size; i++) {
    if (mask.data[i] === 255) continue;
    kept += 1;
    const cell = cellOf[Math.floor(i / size)]! * side + cellOf[i % size]!;
    counts[cell]! += 1;
    for (let k = 0; k < 3; k++) sums[3 * cell + k]! += source.data[3 * i + k]! - painted.data[3 * i + k]!;
  }
  if (kept === 0) return painted;
  const whole = (size / side) ** 2;
  const field = fill({
    side,
    values: sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / 3)]!)),
    weights: counts.map((count) => Math.min(1, count / whole)),
  });
  const data = new Uint8Array(painted.data);
  for (let i = 0; i < size * size; i++) {
    if (mask.data[i] !== 255) continue;
    const [x, y] = [((i % size) + 0.5) * (side / size), (Math.floor(i / size) + 0.5) * (side / size)];
    for (let k = 0; k < 3; k++) {
      const value = painted.data[3 * i + k]! + sampleAt(field, x, y, k);
      data[3 * i + k] = Math.max(0, Math.min(255, Math.round(value)));
    }
  }
  return { width: size, height: size, data };
}
