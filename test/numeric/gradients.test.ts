// Every op's gradient rule against central differences; the case table and the rule table must name the same ops.

import { describe, expect, test } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.js';
import { RULES } from '../../src/autodiff/rules.js';
import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import { knownShape } from '../../src/graph/shapes.js';
import type { Value } from '../../src/graph/types.js';
import { createRng } from '../../src/random.js';
import { floats, openSession, type Tensor } from '../../src/runtime/session.js';

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (b: Builder, values: Value[]) => Value;
  /** Maps standard normals to a range in which the op is smooth. */
  readonly range?: (x: number) => number;
}

const positive = (x: number) => 0.5 + Math.abs(x);
const awayFromZero = (x: number) => x + Math.sign(x) * 0.3;
const unary = (f: (b: Builder, x: Value) => Value, range?: (x: number) => number): Case => ({
  shapes: [[3, 4]],
  build: (b, [x]) => f(b, x!),
  ...(range ? { range } : {}),
});

const CASES: Readonly<Record<string, readonly Case[]>> = {
  // A scaled Identity stands for itself: nothing in ops.ts makes one but imported graphs may hold it.
  Identity: [unary((b, x) => b.node('Identity', [x], {}, [{ dtype: 'float32', shape: x.shape }])[0]!)],
  Add: [
    {
      shapes: [
        [2, 3],
        [2, 3],
      ],
      build: (b, [x, y]) => op.add(b, x!, y!),
    },
    { shapes: [[2, 3], [3]], build: (b, [x, y]) => op.add(b, x!, y!) },
  ],
  Sub: [
    {
      shapes: [
        [2, 1],
        [2, 3],
      ],
      build: (b, [x, y]) => op.sub(b, x!, y!),
    },
  ],
  Mul: [
    {
      shapes: [
        [2, 3],
        [1, 3],
      ],
      build: (b, [x, y]) => op.mul(b, x!, y!),
    },
    { shapes: [[2, 3]], build: (b, [x]) => op.mul(b, x!, x!) },
  ],
  Div: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      build: (b, [x, y]) => op.div(b, x!, y!),
      range: positive,
    },
  ],
  Max: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      build: (b, [x, y]) => op.maximum(b, x!, y!),
    },
    // Equal everywhere: each side gets half, together one.
    { shapes: [[2, 3]], build: (b, [x]) => op.maximum(b, x!, x!) },
  ],
  Neg: [unary(op.neg)],
  Exp: [unary(op.exp)],
  Log: [unary(op.log, positive)],
  Sqrt: [unary(op.sqrt, positive)],
  Abs: [unary(op.abs, awayFromZero)],
  Sin: [unary(op.sin)],
  Cos: [unary(op.cos)],
  Tanh: [unary(op.tanh)],
  Relu: [unary(op.relu, awayFromZero)],
  Sigmoid: [unary(op.sigmoid), unary(op.silu)],
  MatMul: [
    {
      shapes: [
        [3, 4],
        [4, 2],
      ],
      build: (b, [x, y]) => op.matmul(b, x!, y!),
    },
    {
      shapes: [
        [2, 3, 4],
        [4, 2],
      ],
      build: (b, [x, y]) => op.matmul(b, x!, y!),
    },
    {
      shapes: [
        [2, 3, 4],
        [2, 4, 2],
      ],
      build: (b, [x, y]) => op.matmul(b, x!, y!),
    },
  ],
  Gemm: [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ].map(([transposeX, transposeY]) => ({
    shapes: [transposeX ? [4, 3] : [3, 4], transposeY ? [2, 4] : [4, 2], [2]],
    build: (b: Builder, [x, y, bias]: Value[]) =>
      op.gemm(b, x!, y!, { transposeX: transposeX!, transposeY: transposeY!, bias: bias! }),
  })),
  Transpose: [{ shapes: [[2, 3, 4]], build: (b, [x]) => op.transpose(b, x!, [2, 0, 1]) }],
  Reshape: [{ shapes: [[2, 6]], build: (b, [x]) => op.reshape(b, x!, [3, 4]) }],
  Concat: [
    {
      shapes: [
        [2, 3],
        [2, 2],
      ],
      build: (b, [x, y]) => op.concat(b, [x!, y!], 1),
    },
  ],
  Split: [
    {
      shapes: [[2, 5]],
      build: (b, [x]) => {
        const [left] = op.split(b, x!, 1, [2, 3]) as [Value, Value];
        return left;
      },
    },
  ],
  Slice: [{ shapes: [[4, 5]], build: (b, [x]) => op.slice(b, x!, 1, 1, 4) }],
  Pad: [{ shapes: [[2, 3]], build: (b, [x]) => op.pad(b, x!, [1, 0], [0, 2]) }],
  Expand: [{ shapes: [[2, 1]], build: (b, [x]) => op.expand(b, x!, [2, 3]) }],
  ReduceSum: [
    { shapes: [[2, 3, 4]], build: (b, [x]) => op.reduceSum(b, x!, [1]) },
    { shapes: [[2, 3, 4]], build: (b, [x]) => op.reduceSum(b, x!, [0, 2], true) },
  ],
  ReduceMean: [{ shapes: [[2, 3, 4]], build: (b, [x]) => op.reduceMean(b, x!, [-1]) }],
  Softmax: [unary((b, x) => op.softmax(b, x))],
  LogSoftmax: [unary((b, x) => op.logSoftmax(b, x))],
  Conv: [
    [1, 1, 3, 5, 5],
    [1, 0, 1, 4, 4],
    [2, 1, 3, 6, 6],
    [2, 2, 5, 6, 6],
    [2, 1, 3, 5, 7],
  ].map(([stride, padding, k, h, w]) => ({
    shapes: [[2, 3, h!, w!], [4, 3, k!, k!], [4]],
    build: (b: Builder, [x, weight, bias]: Value[]) =>
      op.conv2d(b, x!, weight!, bias!, { stride: stride!, padding: padding! }),
  })),
  DepthToSpace: [{ shapes: [[2, 8, 2, 3]], build: (b, [x]) => op.depthToSpace(b, x!, 2) }],
  Resize: [{ shapes: [[2, 2, 3, 2]], build: (b, [x]) => op.upsampleNearest2x(b, x!) }],
  LayerNormalization: [{ shapes: [[3, 6]], build: (b, [x]) => op.normaliseLast(b, x!) }],
};

async function worstRelativeError({ shapes, build, range = (x) => x }: Case): Promise<number> {
  const rng = createRng(7);
  const b = createBuilder('case');
  const inputs = shapes.map((shape, i) => b.input(`x${i}`, 'float32', shape));
  const result = build(b, inputs);
  // A random weighting of the result makes every element's gradient different.
  const shape = knownShape(result.shape, 'case');
  const weights = b.constant(rng.fillNormal(new Float32Array(shape.reduce((a, d) => a * d, 1))), shape);
  const weighted = op.mul(b, result, weights);
  const loss = op.reduceSum(
    b,
    weighted,
    shape.map((_, i) => i),
  );
  const slopes = gradients(b, loss, inputs);
  b.output('loss', loss);
  slopes.forEach((g, i) => {
    b.output(`g${i}`, op.mul(b, g, 1));
  });
  const session = await openSession(encodeModel(b.freeze()), { threads: 1 });
  const data = shapes.map((s) => rng.fillNormal(new Float32Array(s.reduce((a, d) => a * d, 1))).map(range));
  const feeds = (): Record<string, Tensor> =>
    Object.fromEntries(data.map((values, i) => [`x${i}`, floats(values, shapes[i]!)]));
  const exact = await session.run(feeds());
  let worst = 0;
  for (let i = 0; i < data.length; i++) {
    for (let j = 0; j < data[i]!.length; j++) {
      const before = data[i]![j]!;
      const h = 1e-2;
      const at = async (x: number) => {
        data[i]![j] = x;
        return Number((await session.run(feeds(), ['loss'])).loss!.data[0]);
      };
      // Richardson extrapolation: the error of the differences is O(h^4), so that float32 rounding stays small.
      const wide = ((await at(before + 2 * h)) - (await at(before - 2 * h))) / (4 * h);
      const narrow = ((await at(before + h)) - (await at(before - h))) / (2 * h);
      data[i]![j] = before;
      const expected = (4 * narrow - wide) / 3;
      const given = Number(exact[`g${i}`]!.data[j]);
      worst = Math.max(worst, Math.abs(given - expected) / Math.max(1, Math.abs(expected)));
    }
  }
  await session.close();
  return worst;
}

describe('gradient rules', () => {
  test('the case table names exactly the ops of the rule table', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(RULES).sort());
  });
  for (const [name, cases] of Object.entries(CASES)) {
    cases.forEach((entry, i) => {
      test(`${name} ${i}: ${entry.shapes.map((s) => `[${s}]`).join(' ')}`, async () => {
        expect(await worstRelativeError(entry)).toBeLessThan(2e-3);
      });
    });
  }
});
