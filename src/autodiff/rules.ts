// The table op -> gradient rule. A rule adds nodes for the gradients of a node's inputs, given those of its outputs.
// All shapes are static here: training graphs fix their batch.

import type { Builder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import { elementCount, knownShape, sameShape } from '../graph/shapes.js';
import type { GraphNode, Value } from '../graph/types.js';
import { convInputGradient, convWeightGradient } from './convolution.js';

/** Gradients by input position; undefined where an input needs none (shapes, axes). */
export type Rule = (b: Builder, node: GraphNode, gradients: (Value | undefined)[]) => (Value | undefined)[];

function ints(node: GraphNode, name: string): readonly number[] {
  const attribute = node.attributes[name];
  if (!attribute || !('ints' in attribute)) throw new Error(`${node.name}: no attribute ${name}`);
  return attribute.ints;
}

function int(node: GraphNode, name: string): number {
  const attribute = node.attributes[name];
  if (!attribute || !('int' in attribute)) throw new Error(`${node.name}: no attribute ${name}`);
  return attribute.int;
}

/** Sums a gradient over the axes along which its input was broadcast. */
export function unbroadcast(b: Builder, gradient: Value, like: Value): Value {
  if (sameShape(gradient.shape, like.shape)) return gradient;
  const lead = gradient.shape.length - like.shape.length;
  const axes = gradient.shape.flatMap((dim, i) =>
    i < lead || (like.shape[i - lead] === 1 && dim !== 1) ? [i] : [],
  );
  const summed = axes.length > 0 ? op.reduceSum(b, gradient, axes, true) : gradient;
  return sameShape(summed.shape, like.shape) ? summed : op.reshape(b, summed, like.shape);
}

/** The gradient of a reduction, spread over the axes that were reduced. */
function spread(b: Builder, gradient: Value, input: Value, axes: readonly number[]): Value {
  const kept = input.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const shaped = sameShape(gradient.shape, kept) ? gradient : op.reshape(b, gradient, kept);
  return op.expand(b, shaped, knownShape(input.shape, 'gradient of a reduction'));
}

function reductionAxes(b: Builder, node: GraphNode): number[] {
  const attribute = node.attributes.axes;
  if (attribute && 'ints' in attribute) return [...attribute.ints];
  const output = node.outputs[0]!;
  const input = node.inputs[0]!;
  // ReduceSum carries its axes as a constant input; recover them from the constant's integers.
  const data = b.constantData(node.inputs[1]!);
  if (!data) throw new Error(`${node.name}: axes are not constant (${input.shape} -> ${output.shape})`);
  return Array.from(data, Number);
}

/**
 * A matrix transposed in memory. The product of a turned copy is a seventh faster than the one that reads its left
 * factor transposed; the third axis keeps the runtime from making the one into the other again.
 */
function turned(b: Builder, g: Value): Value {
  const [rows, columns] = knownShape(g.shape, 'Gemm') as [number, number];
  const moved = op.transpose(b, op.reshape(b, g, [1, rows, columns]), [0, 2, 1]);
  return op.reshape(b, moved, [columns, rows]);
}

const convRule: Rule = (b, node, [g]) => {
  const [x, weight, bias] = node.inputs;
  const stride = ints(node, 'strides')[0]!;
  const padding = ints(node, 'pads')[0]!;
  return [
    convInputGradient(b, x!, g!, weight!, stride, padding),
    convWeightGradient(b, x!, g!, weight!, stride, padding),
    bias ? op.reduceSum(b, g!, [0, 2, 3]) : undefined,
  ];
};

const reductionRule =
  (mean: boolean): Rule =>
  (b, node, [g]) => {
    const input = node.inputs[0]!;
    const axes = reductionAxes(b, node);
    const scale = elementCount(node.outputs[0]!.shape) / elementCount(input.shape);
    const grown = spread(b, g!, input, axes);
    return [mean ? op.mul(b, grown, scale) : grown];
  };

/** Every op that a differentiable graph may hold. Ops not listed stop the walk with an error. */
export const RULES: Readonly<Record<string, Rule>> = {
  Identity: (_b, _node, [g]) => [g],
  Add: (b, { inputs }, [g]) => [unbroadcast(b, g!, inputs[0]!), unbroadcast(b, g!, inputs[1]!)],
  Sub: (b, { inputs }, [g]) => [unbroadcast(b, g!, inputs[0]!), unbroadcast(b, op.neg(b, g!), inputs[1]!)],
  Mul: (b, { inputs: [x, y] }, [g]) => [
    unbroadcast(b, op.mul(b, g!, y!), x!),
    unbroadcast(b, op.mul(b, g!, x!), y!),
  ],
  Div: (b, { inputs: [x, y], outputs: [z] }, [g]) => {
    const scaled = op.div(b, g!, y!);
    return [unbroadcast(b, scaled, x!), unbroadcast(b, op.neg(b, op.mul(b, scaled, z!)), y!)];
  },
  // Where both are equal, each gets half, as in PyTorch: the sign of 0 is 0.
  Max: (b, { inputs: [x, y] }, [g]) => {
    const first = op.mul(b, op.add(b, op.sign(b, op.sub(b, x!, y!)), 1), 0.5);
    return [unbroadcast(b, op.mul(b, g!, first), x!), unbroadcast(b, op.mul(b, g!, op.sub(b, 1, first)), y!)];
  },
  Neg: (b, _node, [g]) => [op.neg(b, g!)],
  Exp: (b, { outputs: [y] }, [g]) => [op.mul(b, g!, y!)],
  Log: (b, { inputs: [x] }, [g]) => [op.div(b, g!, x!)],
  Sqrt: (b, { outputs: [y] }, [g]) => [op.div(b, op.mul(b, g!, 0.5), y!)],
  Abs: (b, { inputs: [x] }, [g]) => [op.mul(b, g!, op.sign(b, x!))],
  Sin: (b, { inputs: [x] }, [g]) => [op.mul(b, g!, op.cos(b, x!))],
  Cos: (b, { inputs: [x] }, [g]) => [op.neg(b, op.mul(b, g!, op.sin(b, x!)))],
  Tanh: (b, { outputs: [y] }, [g]) => [op.mul(b, g!, op.sub(b, 1, op.square(b, y!)))],
  Relu: (b, { outputs: [y] }, [g]) => [op.mul(b, g!, op.sign(b, y!))],
  Sigmoid: (b, { outputs: [y] }, [g]) => [op.mul(b, g!, op.mul(b, y!, op.sub(b, 1, y!)))],
  MatMul: (b, { inputs: [x, y] }, [g]) => [
    unbroadcast(b, op.matmul(b, g!, op.transposeLast(b, y!)), x!),
    matmulRightGradient(b, x!, y!, g!),
  ],
  Gemm: (b, node, [g]) => {
    const [x, y, bias] = node.inputs;
    const [transposeX, transposeY] = [int(node, 'transA') === 1, int(node, 'transB') === 1];
    return [
      transposeX
        ? op.gemm(b, y!, g!, { transposeX: transposeY, transposeY: true })
        : op.gemm(b, g!, y!, { transposeY: !transposeY }),
      transposeY
        ? op.gemm(b, turned(b, g!), x!, { transposeY: transposeX })
        : op.gemm(b, x!, g!, { transposeX: !transposeX }),
      bias ? op.reduceSum(b, g!, [0]) : undefined,
    ];
  },
  Transpose: (b, node, [g]) => {
    const perm = ints(node, 'perm');
    const inverse = perm.map((_, i) => perm.indexOf(i));
    return [op.transpose(b, g!, inverse)];
  },
  Reshape: (b, { inputs: [x] }, [g]) => [op.reshape(b, g!, x!.shape)],
  Concat: (b, node, [g]) => {
    const axis = int(node, 'axis');
    return op.split(
      b,
      g!,
      axis,
      node.inputs.map((value) => knownShape(value!.shape, 'Concat')[axis]!),
    );
  },
  Split: (b, node, gradients) => {
    const whole = gradients.map(
      (g, i) => g ?? op.expand(b, b.constant(0), knownShape(node.outputs[i]!.shape, 'Split')),
    );
    return [op.concat(b, whole, int(node, 'axis'))];
  },
  Slice: (b, { inputs, outputs }, [g]) => {
    const [x, starts, , axes, steps] = inputs;
    const at = Number(b.constantData(axes!)![0]);
    const start = Number(b.constantData(starts!)![0]);
    if (Number(b.constantData(steps!)![0]) !== 1) throw new Error('Slice: only step 1 has a gradient');
    const size = knownShape(x!.shape, 'Slice')[at]!;
    const length = knownShape(outputs[0]!.shape, 'Slice')[at]!;
    const before = x!.shape.map((_, i) => (i === at ? start : 0));
    const after = x!.shape.map((_, i) => (i === at ? size - start - length : 0));
    return [op.pad(b, g!, before, after)];
  },
  Pad: (b, { inputs }, [g]) => {
    const amounts = Array.from(b.constantData(inputs[1]!)!, Number);
    const shape = knownShape(inputs[0]!.shape, 'Pad');
    return [
      shape.reduce((value, size, i) => {
        const start = amounts[i]!;
        return value.shape[i] === size ? value : op.slice(b, value, i, start, start + size);
      }, g!),
    ];
  },
  Expand: (b, { inputs: [x] }, [g]) => [unbroadcast(b, g!, x!)],
  ReduceSum: reductionRule(false),
  ReduceMean: reductionRule(true),
  Softmax: (b, node, [g]) => {
    const y = node.outputs[0]!;
    const scaled = op.mul(b, g!, y);
    const total = op.reduceSum(b, scaled, [int(node, 'axis')], true);
    return [op.sub(b, scaled, op.mul(b, y, total))];
  },
  LogSoftmax: (b, node, [g]) => {
    const total = op.reduceSum(b, g!, [int(node, 'axis')], true);
    return [op.sub(b, g!, op.mul(b, op.exp(b, node.outputs[0]!), total))];
  },
  Conv: convRule,
  DepthToSpace: (b, node, [g]) => [op.spaceToDepth(b, g!, int(node, 'blocksize'))],
  Resize: (b, { inputs: [x] }, [g]) => {
    // Only nearest upsampling by two is built: each input pixel gathers its four copies.
    const [n, c, h, w] = knownShape(x!.shape, 'Resize') as [number, number, number, number];
    return [op.reduceSum(b, op.reshape(b, g!, [n, c, h, 2, w, 2]), [3, 5])];
  },
  LayerNormalization: (b, { inputs: [x], outputs: [y, , inverseStd] }, [g]) => {
    // d/dx of (x - mean) / std: (g - mean(g) - y mean(g y)) / std; the op's scale is a constant 1.
    const last = x!.shape.length - 1;
    const centred = op.sub(b, g!, op.reduceMean(b, g!, [last], true));
    const along = op.reduceMean(b, op.mul(b, g!, y!), [last], true);
    return [op.mul(b, op.sub(b, centred, op.mul(b, y!, along)), inverseStd!)];
  },
};

/** x^T g, with the batch axes of a plain weight folded into the rows so that one MatMul does it. */
function matmulRightGradient(b: Builder, x: Value, y: Value, g: Value): Value {
  if (y.shape.length === 2 && x.shape.length > 2) {
    const [inner, columns] = knownShape(y.shape, 'MatMul') as [number, number];
    const rows = elementCount(x.shape) / inner;
    const flatX = op.reshape(b, x, [rows, inner]);
    return op.matmul(b, op.transposeLast(b, flatX), op.reshape(b, g, [rows, columns]));
  }
  return unbroadcast(b, op.matmul(b, op.transposeLast(b, x), g), y);
}
