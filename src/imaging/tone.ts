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

/** Where `count` positions at even distances lie between the centres of `side` cells: the cell before, the share of the next. */
function between(count: number, side: number): { readonly cell: Int32Array; readonly share: Float32Array } {
  const cell = new Int32Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = Math.max(0, Math.min(side - 1, ((i + 0.5) * side) / count - 0.5));
    cell[i] = Math.min(Math.floor(at), Math.max(0, side - 2));
    share[i] = at - cell[i]!;
  }
  return { cell, share };
}

/** The field at `count` x `count` positions, bilinear, edges held: [y][x][channel]. */
function enlarge({ side, values }: Field, count: number): Float32Array {
  const { cell, share } = between(count, side);
  const [right, below] = side > 1 ? [3, 3 * side] : [0, 0];
  const out = new Float32Array(3 * count * count);
  for (let y = 0, to = 0; y < count; y++) {
    const fy = share[y]!;
    for (let x = 0; x < count; x++) {
      const fx = share[x]!;
      const from = 3 * (cell[y]! * side + cell[x]!);
      for (let k = from; k < from + 3; k++, to++) {
        const upper = values[k]! + fx * (values[k + right]! - values[k]!);
        const lower = values[k + below]! + fx * (values[k + below + right]! - values[k + below]!);
        out[to] = upper + fy * (lower - upper);
      }
    }
  }
  return out;
}

/** Fills what is not known from coarser and coarser averages (pull and push: Gortler et al. 1996, The Lumigraph, 3.2). */
function fill(field: Field): Field {
  if (field.side === 1) return field;
  const { side, values: known, weights } = field;
  const values = enlarge(fill(halve(field)), side);
  for (let i = 0; i < values.length; i++)
    values[i]! += weights[Math.floor(i / 3)]! * (known[i]! - values[i]!);
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
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      if (mask.data[i] === 255) continue;
      kept += 1;
      const cell = cellOf[y]! * side + cellOf[x]!;
      counts[cell]! += 1;
      for (let k = 0; k < 3; k++) sums[3 * cell + k]! += source.data[3 * i + k]! - painted.data[3 * i + k]!;
    }
  }
  if (kept === 0) return painted;
  const whole = (size / side) ** 2;
  const field = fill({
    side,
    values: sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / 3)]!)),
    weights: counts.map((count) => Math.min(1, count / whole)),
  });
  const shift = enlarge(field, size);
  const data = new Uint8Array(painted.data);
  for (let i = 0; i < size * size; i++) {
    if (mask.data[i] !== 255) continue;
    for (let k = 3 * i; k < 3 * i + 3; k++)
      data[k] = Math.max(0, Math.min(255, Math.round(data[k]! + shift[k]!)));
  }
  return { width: size, height: size, data };
}
