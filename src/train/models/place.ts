// Where a position lies within the hole of a mask: features that let a network draw parts of an object at their places.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import type { Value } from '../../graph/types.js';

const FREQUENCIES = [1, 2, 4];
/** Channels of placeFeatures. */
export const PLACE_CHANNELS = 2 * (1 + 2 * FREQUENCIES.length);

/** Centres of `count` cells over `extent` units, along x or y, as [1, 1, count or 1, 1 or count]. */
function centres(b: Builder, count: number, extent: number, axis: 'x' | 'y'): Value {
  const values = Float32Array.from({ length: count }, (_, i) => ((i + 0.5) * extent) / count);
  return b.constant(values, axis === 'x' ? [1, 1, 1, count] : [1, 1, count, 1]);
}

/**
 * keep [batch, 1, side, side] (1 = keep, 0 = hole) -> [batch, PLACE_CHANNELS, here, here]: x and y of every position, relative
 * to the hole's centre in units of half its longer side, squashed, and their sines and cosines. For a square hole the units
 * are exact; other shapes are measured by their spread. A mask without a hole gives finite values of no meaning.
 */
export function placeFeatures(b: Builder, keep: Value, side: number, here: number): Value {
  const hole = op.sub(b, 1, keep);
  const area = op.add(b, op.reduceSum(b, hole, [2, 3], true), 1e-3);
  const moments = (['x', 'y'] as const).map((axis) => {
    const at = centres(b, side, side, axis);
    const mean = op.div(b, op.reduceSum(b, op.mul(b, hole, at), [2, 3], true), area);
    const spread = op.square(b, op.sub(b, at, mean));
    return { axis, mean, variance: op.div(b, op.reduceSum(b, op.mul(b, hole, spread), [2, 3], true), area) };
  });
  const [first, second] = moments.map(({ variance }) => variance) as [Value, Value];
  // A uniform distribution of half width h has variance h^2 / 3.
  const half = op.sqrt(b, op.add(b, op.mul(b, op.maximum(b, first, second), 3), 0.25));
  const flat = b.constant(new Float32Array(here * here), [1, 1, here, here]);
  const channels = moments.flatMap(({ axis, mean }) => {
    const offset = op.div(b, op.sub(b, centres(b, here, side, axis), mean), half);
    const wide = op.add(b, offset, flat);
    const waves = FREQUENCIES.flatMap((k) => {
      const angle = op.mul(b, wide, (k * Math.PI) / 2);
      return [op.sin(b, angle), op.cos(b, angle)];
    });
    return [op.tanh(b, wide), ...waves];
  });
  return op.concat(b, channels, 1);
}
