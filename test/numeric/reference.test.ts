// Layers, losses, objectives and the optimiser against values that PyTorch computed in float64 (test/reference).
// Every function that layers.ts, losses.ts, objectives.ts and place.ts export must have a case, or the first test fails.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.js';
import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import { knownShape } from '../../src/graph/shapes.js';
import type { Value } from '../../src/graph/types.js';
import { floats, openSession, type Tensor } from '../../src/runtime/session.js';
import { STATE_VECTORS } from '../../src/train/adamw-kernel.js';
import * as layers from '../../src/train/layers.js';
import * as losses from '../../src/train/losses.js';
import * as place from '../../src/train/models/place.js';
import * as objectives from '../../src/train/objectives.js';
import { buildStepGraph, type OptimiserSettings } from '../../src/train/step-graph.js';
import { createTrainer } from '../../src/train/trainer.js';
import reference from '../reference/values.json' with { type: 'json' };
import { drawTensor, uniformOf } from '../support/drawn-tensors.js';

interface Gradient {
  readonly values: readonly number[];
  readonly norm: number;
  readonly mix: number;
}

const x = (b: Builder, ...shape: number[]) => b.input('x', 'float32', shape);
const y = (b: Builder, ...shape: number[]) => b.input('y', 'float32', shape);

const BRAIN_ADAPTER = { batch: 4, voxels: 24, hidden: 16, blocks: 2, outputs: 12, tau: 0.07 };

/** By exported function, then by the reference's name: a value whose weighted sum is differentiated, or the loss. */
const CASES: Readonly<Record<string, Readonly<Record<string, (b: Builder) => Value>>>> = {
  linear: { linear: (b) => layers.linear(b, 'layer', x(b, 3, 5), 4) },
  conv: {
    conv: (b) => layers.conv(b, 'layer', x(b, 2, 3, 6, 5), 4),
    'conv stride 2': (b) => layers.conv(b, 'layer', x(b, 2, 3, 8, 6), 4, { kernel: 5, stride: 2 }),
    'conv kernel 1': (b) => layers.conv(b, 'layer', x(b, 2, 3, 4, 4), 5, { kernel: 1 }),
  },
  groupNorm: { groupNorm: (b) => layers.groupNorm(b, 'layer', x(b, 2, 8, 3, 4), 4) },
  layerNorm: { layerNorm: (b) => layers.layerNorm(b, 'layer', x(b, 3, 7)) },
  residualLinear: { residualLinear: (b) => layers.residualLinear(b, 'layer', x(b, 4, 9)) },
  selfAttention: {
    selfAttention: (b) => layers.selfAttention(b, 'layer', x(b, 2, 8, 3, 4), 2, 4),
    'selfAttention one head': (b) => layers.selfAttention(b, 'layer', x(b, 2, 8, 4, 4), 1, 2),
  },
  tokenAttention: {
    tokenAttention: (b) => {
      const place = b.input('place', 'float32', [2, 3, 3, 4]);
      const tokens = b.input('tokens', 'float32', [2, 6, 5, 1]);
      return layers.tokenAttention(b, 'layer', x(b, 2, 8, 3, 4), place, tokens, 2, 4);
    },
  },
  residualConv: {
    residualConv: (b) => layers.residualConv(b, 'layer', x(b, 2, 8, 4, 4), 8, { groups: 4 }),
    'residualConv embedding': (b) =>
      layers.residualConv(b, 'layer', x(b, 2, 8, 4, 4), 12, {
        groups: 4,
        embedding: b.input('embedding', 'float32', [2, 6]),
      }),
  },
  timestepEmbedding: {
    timestepEmbedding: (b) => layers.timestepEmbedding(b, b.input('timestep', 'float32', [5]), 8),
  },
  meanSquaredError: { meanSquaredError: (b) => losses.meanSquaredError(b, x(b, 3, 5), y(b, 3, 5)) },
  meanAbsoluteError: { meanAbsoluteError: (b) => losses.meanAbsoluteError(b, x(b, 3, 5), y(b, 3, 5)) },
  crossEntropy: {
    crossEntropy: (b) => losses.crossEntropy(b, x(b, 4, 6), b.input('targets', 'float32', [4, 6])),
  },
  symmetricContrastive: {
    symmetricContrastive: (b) => losses.symmetricContrastive(b, x(b, 6, 5), y(b, 6, 5), 0.07),
    'symmetricContrastive warm': (b) => losses.symmetricContrastive(b, x(b, 6, 5), y(b, 6, 5), 1.5),
  },
  autoencoderObjective: {
    autoencoderObjective: (b) =>
      objectives.autoencoderObjective(b, {
        width: 32,
        latentChannels: 3,
        patch: 4,
        batch: 2,
        imageSizePx: 16,
        kl: 0.01,
      }).loss,
  },
  imageEncoderObjective: {
    imageEncoderObjective: (b) =>
      objectives.imageEncoderObjective(b, {
        widths: [16, 32],
        neck: 4,
        embeddingSize: 16,
        batch: 3,
        imageSizePx: 16,
        kinds: 3,
        colours: 4,
      }).loss,
  },
  pseudoBrainObjective: {
    pseudoBrainObjective: (b) =>
      objectives.pseudoBrainObjective(b, {
        batch: 4,
        embeddingSize: 12,
        hidden: 16,
        blocks: 2,
        outputs: 24,
      }).loss,
  },
  brainAdapterObjective: {
    brainAdapterObjective: (b) => objectives.brainAdapterObjective(b, BRAIN_ADAPTER).loss,
    'brainAdapterObjective real': (b) =>
      objectives.brainAdapterObjective(b, { ...BRAIN_ADAPTER, signals: 'real' }).loss,
    'brainAdapterObjective pseudo': (b) =>
      objectives.brainAdapterObjective(b, { ...BRAIN_ADAPTER, signals: 'pseudo' }).loss,
  },
  diffusionObjective: {
    diffusionObjective: (b) =>
      objectives.diffusionObjective(b, {
        widths: [16, 16, 32],
        embedding: 16,
        heads: 2,
        latentChannels: 4,
        batch: 2,
        latentSide: 8,
        conditionSize: 12,
      }).loss,
    'diffusionObjective tokens': (b) =>
      objectives.diffusionObjective(b, {
        widths: [16, 16, 32],
        embedding: 16,
        heads: 2,
        latentChannels: 4,
        tokens: { count: 5, width: 8 },
        batch: 2,
        latentSide: 8,
        conditionSize: 12,
      }).loss,
  },
  placeFeatures: {
    placeFeatures: (b) => place.placeFeatures(b, b.input('keep', 'float32', [2, 1, 8, 8]), 8, 4),
  },
};

/**
 * Errors are measured against the tensor's root mean square: single elements may be nearly zero. So may whole tensors
 * (the bias of an attention's keys has no effect): a hundredth of the root mean square over the case is the least scale.
 */
const TOLERANCE = 2e-5;
/** Chains of many float32 layers, and angles of up to 1000 radians, round more. */
const LONG: Readonly<Record<string, number>> = {
  timestepEmbedding: 2e-4,
  autoencoderObjective: 2e-4,
  imageEncoderObjective: 2e-4,
  brainAdapterObjective: 2e-4,
  'brainAdapterObjective real': 2e-4,
  'brainAdapterObjective pseudo': 2e-4,
  diffusionObjective: 5e-4,
  'diffusionObjective tokens': 5e-4,
};

/** The loss and its gradients by every input and parameter that it depends on, from our graph. */
async function ours(name: string, build: (b: Builder) => Value, wanted: readonly string[]) {
  const b = createBuilder('case');
  const result = build(b);
  const shape = knownShape(result.shape, name);
  const mix = b.constant(drawTensor(name, 'mix', shape), shape);
  const axes = shape.map((_, i) => i);
  const loss = shape.length === 0 ? result : op.reduceSum(b, op.mul(b, result, mix), axes);
  const leaves = [...b.freeze().inputs, ...b.parameters().map((p) => p.value)];
  const byName = new Map(leaves.map((leaf) => [leaf.name, leaf]));
  const slopes = gradients(
    b,
    loss,
    wanted.map((leaf) => byName.get(leaf)!),
  );
  slopes.forEach((g, i) => {
    b.output(`g${i}`, op.reshape(b, g, [knownShape(g.shape, name).reduce((a, d) => a * d, 1)]));
  });
  b.output('loss', loss);
  const graph = { ...b.freeze(), parameters: [], inputs: leaves };
  const session = await openSession(encodeModel(graph), { threads: 1 });
  const feeds = Object.fromEntries(
    leaves.map((leaf) => {
      const dims = knownShape(leaf.shape, leaf.name);
      return [leaf.name, floats(drawTensor(name, leaf.name, dims), dims)];
    }),
  );
  const made = await session.run(feeds);
  await session.close();
  return {
    leaves: [...byName.keys()],
    loss: Number(made.loss!.data[0]),
    gradients: wanted.map((_, i) => made[`g${i}`]!.data as Float32Array),
  };
}

/** The largest error of a gradient's sampled values, its norm and a mixed sum of all its elements, over `scale`. */
function error(name: string, leaf: string, given: Float32Array, expected: Gradient, scale: number): number {
  const whole = scale * Math.sqrt(given.length);
  const step = Math.max(1, Math.floor(given.length / 24));
  const mix = uniformOf(`${name}/${leaf}/mix`, given.length);
  const mixed = given.reduce((sum, g, i) => sum + g * mix[i]!, 0);
  const norm = Math.hypot(...given);
  return Math.max(
    ...expected.values.map((value, i) => Math.abs(given[i * step]! - value) / scale),
    Math.abs(norm - expected.norm) / whole,
    Math.abs(mixed - expected.mix) / whole,
  );
}

describe('layers, losses and objectives as PyTorch has them', () => {
  test('every exported function has a case, and every reference value is used', () => {
    const exported = [layers, losses, objectives, place].flatMap((module) =>
      Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
    );
    expect(Object.keys(CASES).sort()).toEqual(exported.sort());
    const cases = Object.values(CASES).flatMap((entry) => Object.keys(entry));
    expect(cases.sort()).toEqual(Object.keys(reference.cases).sort());
  });
  for (const [name, build] of Object.values(CASES).flatMap((entry) => Object.entries(entry))) {
    test(name, async () => {
      const { loss, gradients: expected } = reference.cases[name as keyof typeof reference.cases];
      const wanted = Object.entries(expected as Record<string, Gradient>);
      const leaves = wanted.map(([leaf]) => leaf);
      const result = await ours(name, build, leaves);
      expect(result.leaves.sort()).toEqual(leaves.sort());
      const tolerance = LONG[name] ?? TOLERANCE;
      expect(Math.abs(result.loss - loss) / Math.max(1, Math.abs(loss))).toBeLessThan(tolerance);
      const rootMeanSquare = (norms: number[], count: number) => Math.hypot(...norms) / Math.sqrt(count);
      const least = rootMeanSquare(
        wanted.map(([, { norm }]) => norm),
        result.gradients.reduce((sum, g) => sum + g.length, 0),
      );
      wanted.forEach(([leaf, gradient], i) => {
        const given = result.gradients[i]!;
        const scale = Math.max(least / 100, rootMeanSquare([gradient.norm], given.length));
        expect([leaf, error(name, leaf, given, gradient, scale)]).toSatisfy(
          ([, worst]: [string, number]) => worst < tolerance,
        );
      });
    });
  }
});

/** The settings that values.py gives to torch.optim.AdamW, by name. */
const ADAMW: Readonly<Record<string, OptimiserSettings & { emaDecay: number }>> = {
  'adamw clipped': {
    clipNorm: 0.5,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    emaDecay: 0.3,
  },
  'adamw free': { weightDecay: 0.3, beta1: 0.5, beta2: 0.95, epsilon: 1e-3, emaDecay: 0 },
};

describe('six steps of AdamW as PyTorch takes them', () => {
  test('every reference value is used', () => {
    expect(Object.keys(ADAMW).sort()).toEqual(Object.keys(reference.adamw).sort());
  });
  for (const [name, { emaDecay, ...settings }] of Object.entries(ADAMW)) {
    test(name, async () => {
      const expected = reference.adamw[name as keyof typeof reference.adamw];
      const step = buildStepGraph(
        'small',
        (b) => ({
          loss: losses.meanSquaredError(
            b,
            layers.linear(b, 'out', layers.residualLinear(b, 'block', x(b, 4, 6)), 3),
            y(b, 4, 3),
          ),
        }),
        settings,
      );
      const folder = await mkdtemp(join(tmpdir(), 'reference-'));
      const path = join(folder, 'small.ckpt');
      const trainer = await createTrainer(step, { seed: 1, threads: 1 });
      // The weights come in, and the moments go out, by way of a checkpoint: its vectors end the file.
      await trainer.save(path);
      const start = await readFile(path);
      const { layout } = step;
      const flat = layout.parameters.flatMap(({ value, shape }) => [...drawTensor(name, value.name, shape)]);
      const vectors = [flat, flat.map(() => 0), flat.map(() => 0), flat].flat();
      const header = start.subarray(0, start.length - 4 * vectors.length);
      await writeFile(path, Buffer.concat([header, Buffer.from(Float32Array.from(vectors).buffer)]));
      await trainer.load(path);
      for (const [t, { loss, norm }] of expected.steps.entries()) {
        const feeds: Record<string, Tensor> = {
          x: floats(drawTensor(name, `x${t}`, [4, 6]), [4, 6]),
          y: floats(drawTensor(name, `y${t}`, [4, 3]), [4, 3]),
        };
        const result = await trainer.step(feeds, { learningRate: 0.05 / (t + 1), emaDecay });
        expect(Math.abs(result.loss / loss - 1)).toBeLessThan(TOLERANCE);
        expect(Math.abs(result.gradientNorm / norm - 1)).toBeLessThan(TOLERANCE);
      }
      await trainer.save(path);
      const end = await readFile(path);
      await rm(folder, { recursive: true });
      await trainer.close();
      const last = end.subarray(end.length - 4 * vectors.length);
      const given = new Float32Array(Uint8Array.from(last).buffer);
      STATE_VECTORS.forEach((vector, v) => {
        layout.parameters.forEach(({ value }, i) => {
          const from = v * layout.size + layout.offsets[i]!;
          const mine = given.subarray(from, from + layout.sizes[i]!);
          const theirs = (expected[vector] as Record<string, number[]>)[value.name]!;
          const scale = Math.hypot(...theirs) / Math.sqrt(theirs.length);
          const worst = Math.max(...theirs.map((value, j) => Math.abs(mine[j]! - value) / scale));
          expect([vector, value.name, worst]).toSatisfy(([, , e]: [string, string, number]) => e < 1e-4);
        });
      });
    });
  }
});
