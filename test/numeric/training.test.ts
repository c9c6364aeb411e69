// The trainer end to end: convergence, AdamW against plain arithmetic, exact resume, and exported graphs.
// The gradient rule of each op is tested in gradients.test.ts.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel, toFloat16 } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import type { Dim } from '../../src/graph/types.js';
import { createRng } from '../../src/random.js';
import { floats, openSession, type Tensor } from '../../src/runtime/session.js';
import { linear } from '../../src/train/layers.js';
import { meanSquaredError, symmetricContrastive } from '../../src/train/losses.js';
import { predictNoise } from '../../src/train/models/unet.js';
import { ADAMW, buildStepGraph, type OptimiserSettings } from '../../src/train/step-graph.js';
import { createTrainer } from '../../src/train/trainer.js';
import { halfValue } from '../support/half.js';

const UNET = { widths: [8, 8, 16], embedding: 16, heads: 2, latentChannels: 4 } as const;
const SIDE = 8;
const CONDITION = 12;

function unet(b: Builder, batch: Dim) {
  const sample = b.input('sample', 'float32', [batch, UNET.latentChannels, SIDE, SIDE]);
  const timestep = b.input('timestep', 'float32', [batch]);
  const condition = b.input('condition', 'float32', [batch, 1, CONDITION]);
  return predictNoise(b, sample, timestep, condition, UNET);
}

function unetStep(batch: number) {
  return buildStepGraph('unet', (b) => {
    const prediction = unet(b, batch);
    return { loss: meanSquaredError(b, prediction, b.input('target', 'float32', prediction.shape)) };
  });
}

function unetFeeds(batch: number, seed: number): Record<string, Tensor> {
  const rng = createRng(seed);
  const normals = (...shape: number[]) =>
    floats(rng.fillNormal(new Float32Array(shape.reduce((a, d) => a * d, 1))), shape);
  return {
    sample: normals(batch, UNET.latentChannels, SIDE, SIDE),
    timestep: floats(
      Float32Array.from({ length: batch }, () => rng.int(1000)),
      [batch],
    ),
    condition: normals(batch, 1, CONDITION),
    target: normals(batch, UNET.latentChannels, SIDE, SIDE),
  };
}

const numbers = (tensor: Tensor | undefined) => Array.from(tensor!.data as Float32Array);
const worst = (x: readonly number[], y: readonly number[]) => {
  expect(x.length).toBe(y.length);
  return Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));
};

describe('convergence', () => {
  test('a linear regression reaches the weights that made its data', async () => {
    const [batch, inSize, outSize] = [32, 5, 3];
    const step = buildStepGraph(
      'regression',
      (b) => {
        const y = linear(b, 'fc', b.input('x', 'float32', [batch, inSize]), outSize);
        return { loss: meanSquaredError(b, y, b.input('y', 'float32', [batch, outSize])) };
      },
      { ...ADAMW, weightDecay: 0 },
    );
    const trainer = await createTrainer(step, { seed: 1, threads: 1 });
    const rng = createRng(2);
    const truth = rng.fillNormal(new Float32Array(outSize * inSize));
    let loss = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 600; i++) {
      const x = rng.fillNormal(new Float32Array(batch * inSize));
      const y = new Float32Array(batch * outSize);
      for (let n = 0; n < batch; n++)
        for (let o = 0; o < outSize; o++) {
          y[n * outSize + o] = 0.5 * (o + 1);
          for (let k = 0; k < inSize; k++) y[n * outSize + o]! += truth[o * inSize + k]! * x[n * inSize + k]!;
        }
      const learningRate = 0.05 * (1 - i / 600);
      const feeds = { x: floats(x, [batch, inSize]), y: floats(y, [batch, outSize]) };
      loss = (await trainer.step(feeds, { learningRate })).loss;
    }
    expect(loss).toBeLessThan(1e-5);
    const { 'fc.weight': weight, 'fc.bias': bias } = trainer.weights();
    expect(worst(Array.from(weight!), Array.from(truth))).toBeLessThan(0.01);
    expect(worst(Array.from(bias!), [0.5, 1, 1.5])).toBeLessThan(0.01);
    await trainer.close();
  });

  test('a loss that is not finite is refused, and the weights stay as they were', async () => {
    const trainer = await createTrainer(unetStep(1), { seed: 1, threads: 1 });
    await trainer.step(unetFeeds(1, 1), { learningRate: 1e-3 });
    const before = trainer.weights();
    const bad = unetFeeds(1, 2);
    (bad.target!.data as Float32Array)[3] = Number.NaN;
    await expect(trainer.step(bad, { learningRate: 1e-3 })).rejects.toThrow(
      /unet: the loss is NaN at step 2/,
    );
    expect(trainer.stepsDone()).toBe(1);
    expect(trainer.weights()).toEqual(before);
    await trainer.close();
  });

  test('a gradient that is not finite is refused too, although the loss is finite', async () => {
    // At x = 0 the root is finite and its slope is not.
    const step = buildStepGraph('root', (b) => {
      const w = b.parameter('w', [2], { kind: 'ones' });
      return { loss: op.meanAll(b, op.sqrt(b, op.mul(b, w, b.input('x', 'float32', [2])))) };
    });
    const trainer = await createTrainer(step, { seed: 1, threads: 1 });
    const feeds = { x: floats(Float32Array.of(0, 1), [2]) };
    await expect(trainer.step(feeds, { learningRate: 1e-3 })).rejects.toThrow(
      /root: the gradient's norm is /,
    );
    expect(Array.from(trainer.weights().w!)).toEqual([1, 1]);
    await trainer.close();
  });
});

describe('AdamW', () => {
  const variants: Record<string, Partial<OptimiserSettings>> = {
    'clipping far below the norm, decay': { clipNorm: 0.1, weightDecay: 0.1, epsilon: 1e-3 },
    'clipping never reached': { clipNorm: 1e6, weightDecay: 0.3 },
    'no decay, other betas': { weightDecay: 0, beta1: 0.5, beta2: 0.95 },
  };
  for (const [name, change] of Object.entries(variants)) {
    test(`five steps equal plain arithmetic: ${name}`, async () => {
      const settings = { ...ADAMW, ...change };
      // loss = sum of w.x + b.y, so that the gradients are the inputs; only the matrix is decayed.
      const build = (b: Builder) => {
        const bias = b.parameter('bias', [2], { kind: 'ones' });
        const weight = b.parameter('weight', [2, 3], { kind: 'ones' });
        const all = (v: typeof bias, rank: number) => op.reduceSum(b, v, [...Array(rank).keys()]);
        const x = b.input('x', 'float32', [2, 3]);
        const y = b.input('y', 'float32', [2]);
        return { loss: op.add(b, all(op.mul(b, weight, x), 2), all(op.mul(b, bias, y), 1)) };
      };
      const trainer = await createTrainer(buildStepGraph('adam', build, settings), {
        seed: 1,
        threads: 1,
      });
      const rng = createRng(5);
      const plain = Array.from({ length: 8 }, (_, i) => ({ p: 1, m: 0, v: 0, ema: 1, decayed: i < 6 }));
      for (let t = 1; t <= 5; t++) {
        const g = rng.fillNormal(new Float32Array(8));
        const learningRate = 0.1 / t;
        const feeds = { x: floats(g.slice(0, 6), [2, 3]), y: floats(g.slice(6), [2]) };
        const result = await trainer.step(feeds, { learningRate, emaDecay: 0.25 });
        const norm = Math.hypot(...g);
        expect(result.gradientNorm).toBeCloseTo(norm, 5);
        const factor = settings.clipNorm === undefined ? 1 : Math.min(1, settings.clipNorm / norm);
        // The average follows faster than its decay says during the first steps.
        const emaDecay = Math.min(0.25, t / (9 + t));
        plain.forEach((s, i) => {
          const slope = g[i]! * factor;
          s.m = settings.beta1 * s.m + (1 - settings.beta1) * slope;
          s.v = settings.beta2 * s.v + (1 - settings.beta2) * slope ** 2;
          const [m, v] = [s.m / (1 - settings.beta1 ** t), s.v / (1 - settings.beta2 ** t)];
          if (s.decayed) s.p *= 1 - learningRate * settings.weightDecay;
          s.p -= (learningRate * m) / (Math.sqrt(v) + settings.epsilon);
          s.ema = emaDecay * s.ema + (1 - emaDecay) * s.p;
        });
      }
      const flat = ({ weight, bias }: Record<string, Float32Array>) => [...weight!, ...bias!];
      expect(
        worst(
          flat(trainer.weights()),
          plain.map((s) => s.p),
        ),
      ).toBeLessThan(1e-5);
      expect(
        worst(
          flat(trainer.weights('average')),
          plain.map((s) => s.ema),
        ),
      ).toBeLessThan(1e-5);
      await trainer.close();
    });
  }
});

describe('checkpoints', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'checkpoint-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const options = { learningRate: 3e-3, emaDecay: 0.9 };
  test('a resumed training gives the same losses and weights to the last bit', async () => {
    const path = join(folder, 'unet.ckpt');
    const first = await createTrainer(unetStep(2), { seed: 3, threads: 1 });
    const rng = createRng(11);
    for (let i = 0; i < 3; i++) await first.step(unetFeeds(2, rng.int(1e6)), options);
    await first.save(path, { rng: rng.state() });
    const later: number[] = [];
    for (let i = 0; i < 3; i++) later.push((await first.step(unetFeeds(2, rng.int(1e6)), options)).loss);

    const second = await createTrainer(unetStep(2), { seed: 999, threads: 1 });
    const extra = (await second.load(path)) as { rng: number[] };
    const restored = createRng(0);
    restored.restore(extra.rng);
    expect(second.stepsDone()).toBe(3);
    const resumed: number[] = [];
    for (let i = 0; i < 3; i++)
      resumed.push((await second.step(unetFeeds(2, restored.int(1e6)), options)).loss);
    expect(resumed).toEqual(later);
    expect(second.weights()).toEqual(first.weights());
    expect(second.weights('average')).toEqual(first.weights('average'));
    expect(second.weights('average')).not.toEqual(second.weights());
    expect(await readdir(folder)).toEqual(['unet.ckpt']);
    await Promise.all([first.close(), second.close()]);
  });

  test('a damaged or foreign checkpoint is refused, and nothing of it is taken over', async () => {
    const path = join(folder, 'whole.ckpt');
    const trainer = await createTrainer(unetStep(1), { seed: 4, threads: 1 });
    await trainer.save(path);
    const bytes = await readFile(path);
    await trainer.step(unetFeeds(1, 1), options);
    const before = [trainer.weights(), trainer.weights('average')];
    const cut = join(folder, 'cut.ckpt');
    await writeFile(cut, bytes.subarray(0, bytes.length - 4));
    await expect(trainer.load(cut)).rejects.toThrow(/truncated/);
    await writeFile(cut, 'something else altogether');
    await expect(trainer.load(cut)).rejects.toThrow(/is not a checkpoint/);
    const other = await createTrainer(
      buildStepGraph('other', (b) => ({
        loss: op.meanAll(b, linear(b, 'fc', b.input('x', 'float32', [1, 2]), 2)),
      })),
      { seed: 1, threads: 1 },
    );
    await expect(other.load(path)).rejects.toThrow(/another network \(unet/);
    expect([trainer.weights(), trainer.weights('average')]).toEqual(before);
    expect(trainer.stepsDone()).toBe(1);
    await Promise.all([trainer.close(), other.close()]);
  });
});

describe('exported graphs', () => {
  const forward = () => {
    const b = createBuilder('unet');
    b.output('noise', unet(b, 'batch'));
    return b.freeze();
  };

  test('with a dynamic batch: equal to the training forward, and each row independent of the others', async () => {
    const trainer = await createTrainer(unetStep(3), { seed: 6, threads: 1 });
    for (let i = 0; i < 2; i++) await trainer.step(unetFeeds(3, i), { learningRate: 1e-2 });
    const weights = trainer.weights();
    const { target, ...feeds } = unetFeeds(3, 77);
    const { loss } = await trainer.step({ ...feeds, target: target! }, { learningRate: 0 });
    const session = await openSession(encodeModel(forward(), { weights }), { threads: 1 });
    expect(session.inputs.map(({ name, shape }) => [name, shape[0]])).toEqual([
      ['sample', 'batch'],
      ['timestep', 'batch'],
      ['condition', 'batch'],
    ]);
    const noise = (await session.run(feeds)).noise!;
    expect(noise.shape).toEqual([3, UNET.latentChannels, SIDE, SIDE]);
    const errors = numbers(noise).map((value, i) => (value - numbers(target)[i]!) ** 2);
    expect(errors.reduce((a, e) => a + e, 0) / errors.length).toBeCloseTo(loss, 5);
    const row = (tensor: Tensor, n: number) => {
      const size = tensor.data.length / 3;
      return floats((tensor.data as Float32Array).slice(n * size, (n + 1) * size), [
        1,
        ...tensor.shape.slice(1),
      ]);
    };
    for (const n of [0, 2]) {
      const alone = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, row(value, n)]));
      expect(worst(numbers((await session.run(alone)).noise), numbers(row(noise, n)))).toBeLessThan(1e-5);
    }
    await Promise.all([trainer.close(), session.close()]);
  });

  test('float16 storage computes with the rounded weights and is about half the size', async () => {
    const trainer = await createTrainer(unetStep(1), { seed: 8, threads: 1 });
    await trainer.step(unetFeeds(1, 1), { learningRate: 1e-2 });
    const weights = trainer.weights();
    const rounded = Object.fromEntries(
      Object.entries(weights).map(([name, w]) => [name, Float32Array.from(toFloat16(w), halfValue)]),
    );
    const { target: _unused, ...feeds } = unetFeeds(2, 5);
    const outputs: number[][] = [];
    for (const options of [{ weights, storage: 'float16' as const }, { weights: rounded }, { weights }]) {
      const session = await openSession(encodeModel(forward(), options), { threads: 1 });
      outputs.push(numbers((await session.run(feeds)).noise));
      await session.close();
    }
    expect(worst(outputs[0]!, outputs[1]!)).toBeLessThan(1e-5);
    expect(worst(outputs[0]!, outputs[2]!)).toBeGreaterThan(1e-5);
    const bytes = (storage: 'float16' | 'float32') => encodeModel(forward(), { weights, storage }).length;
    expect(bytes('float32') - bytes('float16')).toBeGreaterThan(trainer.parameterCount * 2 * 0.5);
    await trainer.close();
  });

  test('missing or misshapen weights are refused by name', () => {
    expect(() => encodeModel(forward())).toThrow(/unet: parameter \S+ \[[\d,]+\] was given no values/);
  });
});

describe('symmetric contrastive loss', () => {
  test.each([0.05, 0.5, 2])('equals plain arithmetic at temperature %d', async (tau) => {
    const [batch, size] = [5, 4];
    const rng = createRng(13);
    const rows = () =>
      Array.from({ length: batch }, () => Array.from(rng.fillNormal(new Float32Array(size))));
    const [x, y] = [rows(), rows()];
    const dot = (u: number[], v: number[]) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    const logit = (i: number, j: number) =>
      dot(x[i]!, y[j]!) / Math.sqrt(dot(x[i]!, x[i]!) * dot(y[j]!, y[j]!)) / tau;
    const indices = [...Array(batch).keys()];
    const perSample = indices.map((i) => {
      const log = (values: number[]) => Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
      const forward = log(indices.map((j) => logit(i, j))) - logit(i, i);
      const backward = log(indices.map((j) => logit(j, i))) - logit(i, i);
      return (forward + backward) / 2;
    });
    const expected = perSample.reduce((a, v) => a + v, 0) / batch;
    const b = createBuilder('contrastive');
    const inputs = ['x', 'y'].map((name) => b.input(name, 'float32', [batch, size]));
    b.output('loss', symmetricContrastive(b, inputs[0]!, inputs[1]!, tau));
    const session = await openSession(encodeModel(b.freeze()), { threads: 1 });
    const tensor = (values: number[][]) => floats(Float32Array.from(values.flat()), [batch, size]);
    const { loss } = await session.run({ x: tensor(x), y: tensor(y) });
    expect(Math.abs(numbers(loss)[0]! / expected - 1)).toBeLessThan(1e-5);
    await session.close();
  });
});
