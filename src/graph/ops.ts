// The ops that graphs are built of: each checks its shapes, infers its result's, and adds standard ONNX nodes (opset 17).
// Layers with parameters live in train/layers.ts; gradients in autodiff/rules.ts.

import { type Builder, GraphError } from './builder.js';
import { broadcastShapes, known, positiveAxis } from './shapes.js';
import type { Attributes, Dim, Shape, Value } from './types.js';

function single(
  b: Builder,
  op: string,
  inputs: (Value | undefined)[],
  shape: Shape,
  attributes: Attributes = {},
): Value {
  return b.node(op, inputs, attributes, [{ dtype: 'float32', shape }])[0]!;
}

function binary(op: string) {
  return (b: Builder, x: Value | number, y: Value | number): Value => {
    const left = typeof x === 'number' ? b.constant(x) : x;
    const right = typeof y === 'number' ? b.constant(y) : y;
    return single(b, op, [left, right], broadcastShapes(left.shape, right.shape, op));
  };
}

function unary(op: string) {
  return (b: Builder, x: Value): Value => single(b, op, [x], x.shape);
}

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const maximum = binary('Max');
export const neg = unary('Neg');
export const exp = unary('Exp');
export const log = unary('Log');
export const sqrt = unary('Sqrt');
export const abs = unary('Abs');
export const sign = unary('Sign');
export const sin = unary('Sin');
export const cos = unary('Cos');
export const tanh = unary('Tanh');
export const relu = unary('Relu');
export const sigmoid = unary('Sigmoid');

export function square(b: Builder, x: Value): Value {
  return mul(b, x, x);
}

/** x * sigmoid(x) (Elfwing et al. 2018). */
export function silu(b: Builder, x: Value): Value {
  return mul(b, x, sigmoid(b, x));
}

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul(b: Builder, x: Value, y: Value): Value {
  const inner = x.shape.at(-1);
  if (x.shape.length < 2 || y.shape.length < 2 || inner !== y.shape.at(-2)) {
    throw new GraphError(`MatMul: [${x.shape}] and [${y.shape}] do not multiply`);
  }
  const batch = broadcastShapes(x.shape.slice(0, -2), y.shape.slice(0, -2), 'MatMul');
  return single(b, 'MatMul', [x, y], [...batch, x.shape.at(-2)!, y.shape.at(-1)!]);
}

export interface GemmOptions {
  readonly transposeX?: boolean;
  readonly transposeY?: boolean;
  /** Added to every row. */
  readonly bias?: Value;
}

/** Matrix product of two matrices, either of them transposed without being moved, plus a bias. */
export function gemm(b: Builder, x: Value, y: Value, options: GemmOptions = {}): Value {
  const { transposeX = false, transposeY = false, bias } = options;
  const [rows, inner] = transposeX ? [x.shape[1], x.shape[0]] : x.shape;
  const [innerY, columns] = transposeY ? [y.shape[1], y.shape[0]] : y.shape;
  if (x.shape.length !== 2 || y.shape.length !== 2 || inner !== innerY) {
    throw new GraphError(`Gemm: [${x.shape}] and [${y.shape}] do not multiply`);
  }
  return single(b, 'Gemm', bias ? [x, y, bias] : [x, y], [rows!, columns!], {
    transA: { int: transposeX ? 1 : 0 },
    transB: { int: transposeY ? 1 : 0 },
  });
}

export function transpose(b: Builder, x: Value, perm: readonly number[]): Value {
  if (perm.length !== x.shape.length)
    throw new GraphError(`Transpose: perm [${perm}] for shape [${x.shape}]`);
  return single(
    b,
    'Transpose',
    [x],
    perm.map((axis) => x.shape[axis]!),
    { perm: { ints: perm } },
  );
}

/** Swaps the last two axes. */
export function transposeLast(b: Builder, x: Value): Value {
  const rank = x.shape.length;
  const perm = Array.from({ length: rank }, (_, i) =>
    i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i,
  );
  return transpose(b, x, perm);
}

/** New dimensions for the same elements; at most one may be symbolic. */
export function reshape(b: Builder, x: Value, shape: Shape): Value {
  const symbolic = shape.filter((dim) => typeof dim === 'string');
  if (symbolic.length > 1) throw new GraphError(`Reshape: more than one symbolic dimension in [${shape}]`);
  const count = (s: Shape) => s.reduce<number>((a, dim) => (typeof dim === 'number' ? a * dim : a), 1);
  const symbolicBefore = x.shape.filter((dim) => typeof dim === 'string');
  if (count(x.shape) !== count(shape) || symbolic.join() !== symbolicBefore.join()) {
    throw new GraphError(`Reshape: [${x.shape}] does not fit [${shape}]`);
  }
  const target = b.integers(shape.map((dim) => (typeof dim === 'string' ? -1 : dim)));
  return single(b, 'Reshape', [x, target], shape);
}

export function concat(b: Builder, values: readonly Value[], axis: number): Value {
  const first = values[0];
  if (!first) throw new GraphError('Concat: no values');
  const at = positiveAxis(axis, first.shape.length, 'Concat');
  for (const value of values) {
    if (
      value.shape.length !== first.shape.length ||
      value.shape.some((dim, i) => i !== at && dim !== first.shape[i])
    ) {
      throw new GraphError(`Concat on axis ${at}: [${first.shape}] and [${value.shape}]`);
    }
  }
  const total = values.reduce((sum, value) => sum + known(value.shape[at], 'Concat'), 0);
  return single(
    b,
    'Concat',
    [...values],
    first.shape.map((dim, i) => (i === at ? total : dim)),
    { axis: { int: at } },
  );
}

/** Elements start <= i < end of one axis. */
export function slice(b: Builder, x: Value, axis: number, start: number, end: number, step = 1): Value {
  const at = positiveAxis(axis, x.shape.length, 'Slice');
  const size = known(x.shape[at], 'Slice');
  if (start < 0 || end > size || start >= end)
    throw new GraphError(`Slice: ${start}..${end} of an axis of ${size}`);
  const length = Math.ceil((end - start) / step);
  const shape = x.shape.map((dim, i) => (i === at ? length : dim));
  return single(
    b,
    'Slice',
    [x, b.integers([start]), b.integers([end]), b.integers([at]), b.integers([step])],
    shape,
  );
}

/** The same elements in reverse order along one axis. */
export function flip(b: Builder, x: Value, axis: number): Value {
  const at = positiveAxis(axis, x.shape.length, 'Slice');
  const end = -known(x.shape[at], 'Slice') - 1;
  return single(
    b,
    'Slice',
    [x, b.integers([-1]), b.integers([end]), b.integers([at]), b.integers([-1])],
    x.shape,
  );
}

export function split(b: Builder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  const at = positiveAxis(axis, x.shape.length, 'Split');
  if (sizes.reduce((a, s) => a + s, 0) !== x.shape[at])
    throw new GraphError(`Split: [${sizes}] of [${x.shape}]`);
  const specs = sizes.map((size) => ({
    dtype: x.dtype,
    shape: x.shape.map((dim, i) => (i === at ? size : dim)),
  }));
  return b.node('Split', [x, b.integers(sizes)], { axis: { int: at } }, specs);
}

/** Zero padding: amounts before and after each axis. */
export function pad(b: Builder, x: Value, before: readonly number[], after: readonly number[]): Value {
  const shape = x.shape.map((dim, i) => {
    const extra = before[i]! + after[i]!;
    return extra === 0 ? dim : known(dim, 'Pad') + extra;
  });
  return single(b, 'Pad', [x, b.integers([...before, ...after])], shape);
}

/** Repeats along axes of size 1 until the shape is reached (all dimensions known). */
export function expand(b: Builder, x: Value, shape: readonly number[]): Value {
  broadcastShapes(x.shape, shape, 'Expand');
  return single(b, 'Expand', [x, b.integers(shape)], shape);
}

function reducedShape(
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
  op: string,
): { at: number[]; shape: Dim[] } {
  const at = axes.map((axis) => positiveAxis(axis, x.shape.length, op));
  const shape = x.shape.flatMap((dim, i): Dim[] => (at.includes(i) ? (keepDims ? [1] : []) : [dim]));
  return { at, shape };
}

export function reduceSum(b: Builder, x: Value, axes: readonly number[], keepDims = false): Value {
  const { at, shape } = reducedShape(x, axes, keepDims, 'ReduceSum');
  return single(b, 'ReduceSum', [x, b.integers(at)], shape, { keepdims: { int: keepDims ? 1 : 0 } });
}

export function reduceMean(b: Builder, x: Value, axes: readonly number[], keepDims = false): Value {
  const { at, shape } = reducedShape(x, axes, keepDims, 'ReduceMean');
  return single(b, 'ReduceMean', [x], shape, { axes: { ints: at }, keepdims: { int: keepDims ? 1 : 0 } });
}

/** Mean of all elements: a scalar. */
export function meanAll(b: Builder, x: Value): Value {
  return reduceMean(
    b,
    x,
    x.shape.map((_, i) => i),
  );
}

export function softmax(b: Builder, x: Value, axis = -1): Value {
  return single(b, 'Softmax', [x], x.shape, { axis: { int: positiveAxis(axis, x.shape.length, 'Softmax') } });
}

export function logSoftmax(b: Builder, x: Value, axis = -1): Value {
  return single(b, 'LogSoftmax', [x], x.shape, {
    axis: { int: positiveAxis(axis, x.shape.length, 'LogSoftmax') },
  });
}

/** 2-d convolution. x [batch, in, y, x], weight [out, in, kh, kw], bias [out]. */
export function conv2d(
  b: Builder,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  options: { stride?: number; padding?: number } = {},
): Value {
  const { stride = 1, padding = 0 } = options;
  if (x.shape.length !== 4 || weight.shape.length !== 4 || x.shape[1] !== weight.shape[1]) {
    throw new GraphError(`Conv: x [${x.shape}] with weight [${weight.shape}]`);
  }
  const [kh, kw] = [known(weight.shape[2], 'Conv'), known(weight.shape[3], 'Conv')];
  const size = (dim: Dim | undefined, k: number) =>
    Math.floor((known(dim, 'Conv') + 2 * padding - k) / stride) + 1;
  return single(
    b,
    'Conv',
    bias ? [x, weight, bias] : [x, weight],
    [x.shape[0]!, weight.shape[0]!, size(x.shape[2], kh), size(x.shape[3], kw)],
    {
      kernel_shape: { ints: [kh, kw] },
      strides: { ints: [stride, stride] },
      pads: { ints: [padding, padding, padding, padding] },
    },
  );
}

/** Transposed convolution. x [batch, in, y, x], weight [in, out, kh, kw]. */
export function convTranspose2d(
  b: Builder,
  x: Value,
  weight: Value,
  options: { stride?: number; padding?: number; outputPadding?: readonly [number, number] } = {},
): Value {
  const { stride = 1, padding = 0, outputPadding = [0, 0] } = options;
  if (x.shape[1] !== weight.shape[0])
    throw new GraphError(`ConvTranspose: x [${x.shape}], weight [${weight.shape}]`);
  const [kh, kw] = [known(weight.shape[2], 'ConvTranspose'), known(weight.shape[3], 'ConvTranspose')];
  const size = (dim: Dim | undefined, k: number, extra: number) =>
    (known(dim, 'ConvTranspose') - 1) * stride - 2 * padding + k + extra;
  return single(
    b,
    'ConvTranspose',
    [x, weight],
    [
      x.shape[0]!,
      weight.shape[1]!,
      size(x.shape[2], kh, outputPadding[0]),
      size(x.shape[3], kw, outputPadding[1]),
    ],
    {
      kernel_shape: { ints: [kh, kw] },
      strides: { ints: [stride, stride] },
      pads: { ints: [padding, padding, padding, padding] },
      output_padding: { ints: [...outputPadding] },
    },
  );
}

/** [batch, c*s*s, y, x] -> [batch, c, y*s, x*s], ONNX mode CRD (PyTorch's pixel_shuffle). */
export function depthToSpace(b: Builder, x: Value, blockSize: number): Value {
  const channels = known(x.shape[1], 'DepthToSpace') / (blockSize * blockSize);
  if (!Number.isInteger(channels))
    throw new GraphError(`DepthToSpace: ${x.shape[1]} channels, block ${blockSize}`);
  const [h, w] = [known(x.shape[2], 'DepthToSpace'), known(x.shape[3], 'DepthToSpace')];
  return single(b, 'DepthToSpace', [x], [x.shape[0]!, channels, h * blockSize, w * blockSize], {
    blocksize: { int: blockSize },
    mode: { string: 'CRD' },
  });
}

/** [batch, c, y, x] -> [batch, c*s*s, y/s, x/s]: the inverse of depthToSpace, by reshape and transpose. */
export function spaceToDepth(b: Builder, x: Value, blockSize: number): Value {
  const [n, c, h, w] = x.shape as [Dim, number, number, number];
  const [rows, columns] = [h / blockSize, w / blockSize];
  const six = reshape(b, x, [n, c, rows, blockSize, columns, blockSize]);
  const moved = transpose(b, six, [0, 1, 3, 5, 2, 4]);
  return reshape(b, moved, [n, c * blockSize * blockSize, rows, columns]);
}

/** Nearest-neighbour upsampling by two, as Resize. */
export function upsampleNearest2x(b: Builder, x: Value): Value {
  const [n, c, h, w] = x.shape as [Dim, number, number, number];
  const scales = b.constant([1, 1, 2, 2]);
  return single(b, 'Resize', [x, undefined, scales], [n, c, h * 2, w * 2], {
    mode: { string: 'nearest' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
  });
}

/** Normalises the last axis to mean 0 and variance 1 (epsilon 1e-5), without scale and shift. */
export function normaliseLast(b: Builder, x: Value, epsilon = 1e-5): Value {
  const size = known(x.shape.at(-1), 'LayerNormalization');
  const statistics = { dtype: 'float32' as const, shape: [...x.shape.slice(0, -1), 1] };
  const ones = b.constant(new Float32Array(size).fill(1));
  return b.node('LayerNormalization', [x, ones], { axis: { int: -1 }, epsilon: { float: epsilon } }, [
    { dtype: 'float32', shape: x.shape },
    statistics,
    statistics,
  ])[0]!;
}

/** x / ||x|| along the last axis. */
export function l2Normalise(b: Builder, x: Value, epsilon = 1e-12): Value {
  const norm = sqrt(b, add(b, reduceSum(b, square(b, x), [-1], true), epsilon));
  return div(b, x, norm);
}
