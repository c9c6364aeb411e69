// The two gradients of a 2-d convolution, in the forms that run fastest on the CPU.

import type { Builder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import { knownShape } from '../graph/shapes.js';
import type { Value } from '../graph/types.js';

type Four = [number, number, number, number];

/** Gradient of a convolution's input: at stride 1 a convolution by the turned kernel, else a transposed one. */
export function convInputGradient(
  b: Builder,
  x: Value,
  g: Value,
  weight: Value,
  stride: number,
  padding: number,
): Value {
  const [, , height, width] = knownShape(x.shape, 'Conv gradient') as Four;
  const [, , rows, columns] = knownShape(g.shape, 'Conv gradient') as Four;
  const [out, inChannels, kh, kw] = knownShape(weight.shape, 'Conv gradient') as Four;
  if (stride === 1 && kh === kw && padding < kh) {
    const turned = op.reshape(b, op.flip(b, op.reshape(b, weight, [out, inChannels, kh * kw]), 2), [
      out,
      inChannels,
      kh,
      kw,
    ]);
    const kernel = op.transpose(b, kh === 1 ? weight : turned, [1, 0, 2, 3]);
    return op.conv2d(b, g, kernel, undefined, { padding: kh - 1 - padding });
  }
  const short = (size: number, count: number, k: number) => size - ((count - 1) * stride - 2 * padding + k);
  return op.convTranspose2d(b, g, weight, {
    stride,
    padding,
    outputPadding: [short(height, rows, kh), short(width, columns, kw)],
  });
}

/** Gradient of a convolution's weight: columns of the padded input side by side, and one matrix product a kernel row. */
export function convWeightGradient(
  b: Builder,
  x: Value,
  g: Value,
  weight: Value,
  stride: number,
  padding: number,
): Value {
  const [n, , height, width] = knownShape(x.shape, 'Conv gradient') as Four;
  const [, out, rows, columns] = knownShape(g.shape, 'Conv gradient') as Four;
  const [, inChannels, kh, kw] = knownShape(weight.shape, 'Conv gradient') as Four;
  const positions = n * rows * columns;
  // Channels first, then all positions of the batch: both matrices are [channel, position].
  const gFlat = op.reshape(b, op.transpose(b, g, [1, 0, 2, 3]), [out, positions]);
  const xFirst = op.transpose(b, x, [1, 0, 2, 3]);
  const need = (k: number, count: number, size: number) =>
    Math.max(0, (count - 1) * stride + k - size - padding);
  const [bottom, right] = [need(kh, rows, height), need(kw, columns, width)];
  const padded =
    padding + bottom + right > 0
      ? op.pad(b, xFirst, [0, 0, padding, padding], [0, 0, bottom, right])
      : xFirst;
  const shifted = (value: Value, axis: number, by: number, count: number) =>
    count === value.shape[axis] ? value : op.slice(b, value, axis, by, by + (count - 1) * stride + 1, stride);
  // Columns are cut once for all kernel rows; the cuts by rows that follow copy whole runs of memory.
  const byColumn = Array.from({ length: kw }, (_, j) => shifted(padded, 3, j, columns));
  const stacked = byColumn.length === 1 ? byColumn[0]! : op.concat(b, byColumn, 0);
  const products = Array.from({ length: kh }, (_, i) => {
    const patches = op.reshape(b, shifted(stacked, 2, i, rows), [kw * inChannels, positions]);
    return op.matmul(b, gFlat, op.transpose(b, patches, [1, 0]));
  });
  const whole = products.length === 1 ? products[0]! : op.concat(b, products, 1);
  return op.transpose(b, op.reshape(b, whole, [out, kh, kw, inChannels]), [0, 3, 1, 2]);
}
