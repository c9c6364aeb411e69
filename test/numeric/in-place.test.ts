// Outputs written to given memory, and a step graph's way of making every gradient an output of its own.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import { floats, openSession, type Session } from '../../src/runtime/session.js';
import { buildStepGraph } from '../../src/train/step-graph.js';
import { createTrainer } from '../../src/train/trainer.js';

/** Results of every kind: of an op, another's result reshaped, read by a later node, of constants alone. */
function graph() {
  const b = createBuilder('kinds');
  const x = b.input('x', 'float32', [2, 3]);
  const doubled = op.mul(b, x, 2);
  b.output('doubled', doubled);
  b.output('flat', op.reshape(b, doubled, [6]));
  b.output('sum', op.reduceSum(b, doubled, [0, 1]));
  b.output('constant', op.expand(b, op.mul(b, b.constant(2), b.constant(3)), [2, 2]));
  return b.freeze();
}

let session: Session;
beforeAll(async () => {
  session = await openSession(encodeModel(graph(), { endCopying: true }), { threads: 1 });
});
afterAll(() => session.close());

test('outputs land in the given memory, run after run, also within a larger array', async () => {
  const memory = new Float32Array(20).fill(-1);
  const targets = {
    doubled: floats(memory.subarray(1, 7), [2, 3]),
    flat: floats(memory.subarray(7, 13), [6]),
    sum: floats(memory.subarray(13, 14), []),
    constant: floats(memory.subarray(15, 19), [2, 2]),
  };
  for (const x of [
    [1, 2, 3, 4, 5, 6],
    [0, 0, 0, 0, 0, 7],
  ]) {
    await session.runInto({ x: floats(Float32Array.from(x), [2, 3]) }, targets);
    const doubled = x.map((value) => 2 * value);
    const sum = doubled.reduce((a, value) => a + value);
    expect([...memory]).toEqual([-1, ...doubled, ...doubled, sum, -1, 6, 6, 6, 6, -1]);
  }
});

test('an error of the run itself is not taken for the end of copying', async () => {
  const target = { doubled: floats(new Float32Array(6), [2, 3]) };
  await expect(session.runInto({ x: floats(new Float32Array(4), [2, 2]) }, target)).rejects.toThrow(
    /dimension/i,
  );
  await expect(session.runInto({}, target)).rejects.toThrow(/'x' is missing/);
  const wrong = { doubled: floats(new Float32Array(6), [3, 2]) };
  await expect(session.runInto({ x: floats(new Float32Array(6), [2, 3]) }, wrong)).rejects.toThrow(
    /invalid dimensions for output/,
  );
});

test('parameters with one common gradient, and one whose gradient is a plain input, are both updated', async () => {
  const step = buildStepGraph('common', (b) => {
    const [first, second, third] = ['first', 'second', 'third'].map((name) =>
      b.parameter(name, [2], { kind: 'zeros' }),
    );
    const slope = b.input('slope', 'float32', [2]);
    const sum = op.mul(b, op.square(b, slope), op.add(b, first!, second!));
    return { loss: op.reduceSum(b, op.add(b, sum, op.mul(b, third!, slope)), [0]) };
  });
  const trainer = await createTrainer(step, { seed: 1, threads: 1 });
  const { gradientNorm } = await trainer.step(
    { slope: floats(Float32Array.of(2, -3), [2]) },
    { learningRate: 0.1 },
  );
  // Slopes 4 and 9 twice, 2 and -3 once; the first step of Adam has the learning rate's length, whatever the slope's.
  expect(gradientNorm).toBeCloseTo(Math.sqrt(2 * (16 + 81) + 4 + 9), 5);
  const weights = trainer.weights();
  for (const name of ['first', 'second']) {
    expect(weights[name]![0]).toBeCloseTo(-0.1, 5);
    expect(weights[name]![1]).toBeCloseTo(-0.1, 5);
  }
  expect(weights.third![0]).toBeCloseTo(-0.1, 5);
  expect(weights.third![1]).toBeCloseTo(0.1, 5);
  await trainer.close();
});

test('a frozen graph holds only what its outputs need', () => {
  const b = createBuilder('dead');
  const x = b.input('x', 'float32', [3]);
  op.exp(b, op.mul(b, x, 7));
  b.output('y', op.add(b, x, 5));
  const { nodes, constants } = b.freeze();
  expect(nodes.map((node) => node.op)).toEqual(['Add']);
  expect(constants.map(({ data }) => [...data])).toEqual([[5]]);
});
