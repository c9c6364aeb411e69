// Shape arithmetic: broadcasting, element counts, axes. Pure functions over shapes, no graph.

import { GraphError } from './builder.js';
import type { Dim, Shape } from './types.js';

/** The number in a dimension, or an error that says which op needed it known. */
export function known(dim: Dim | undefined, what: string): number {
  if (typeof dim !== 'number') throw new GraphError(`${what}: dimension ${String(dim)} must be known here`);
  return dim;
}

/** All dimensions as numbers. */
export function knownShape(shape: Shape, what: string): number[] {
  return shape.map((dim) => known(dim, what));
}

export function elementCount(shape: Shape, what = 'elementCount'): number {
  return knownShape(shape, what).reduce((a, b) => a * b, 1);
}

/** An axis counted from the front. */
export function positiveAxis(axis: number, rank: number, what: string): number {
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank)
    throw new GraphError(`${what}: axis ${axis} is not in a tensor of rank ${rank}`);
  return result;
}

/** NumPy broadcasting of two shapes; symbolic dimensions meet only themselves or 1. */
export function broadcastShapes(a: Shape, b: Shape, what: string): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new GraphError(`${what}: shapes [${a}] and [${b}] do not broadcast`);
  });
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}
