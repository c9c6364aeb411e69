// Parts of training runs by themselves: weights read back, weights to start from, the curve on disk, held-out figures.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel, fromFloat16, readWeights, toFloat16 } from '../../src/graph/onnx.js';
import { openCurve } from '../../src/jobs/training-curve.js';
import type { TrainingData } from '../../src/jobs/training-data.js';
import { heldOutCorrelation, heldOutIdentification } from '../../src/jobs/training-metrics.js';
import { createRng } from '../../src/random.js';
import { createBrainData } from '../../src/train/brain-data.js';
import { pickStimuli } from '../../src/train/brain-stages.js';
import { linear } from '../../src/train/layers.js';
import { meanSquaredError } from '../../src/train/losses.js';
import { buildStepGraph } from '../../src/train/step-graph.js';
import { createTrainer } from '../../src/train/trainer.js';
import { halfValue } from '../support/half.js';

const folder = mkdtempSync(join(tmpdir(), 'mindpainter-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('half precision is read back exactly, all 65536 values of it', () => {
  const words = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  expect(fromFloat16(words)).toEqual(Float32Array.from(words, halfValue));
});

const layer = (b: Builder, batch: number | string) => linear(b, 'fc', b.input('x', 'float32', [batch, 3]), 2);

test('weights come back out of a model by their names, in either precision', () => {
  const b = createBuilder('net');
  b.output('y', layer(b, 'batch'));
  const graph = b.freeze();
  const weights = {
    'fc.weight': createRng(4).fillNormal(new Float32Array(6)),
    'fc.bias': Float32Array.of(0.1, -3),
  };
  expect(readWeights(encodeModel(graph, { weights }))).toMatchObject(weights);
  const halves = Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, fromFloat16(toFloat16(values))]),
  );
  expect(readWeights(encodeModel(graph, { weights, storage: 'float16' }))).toMatchObject(halves);
});

test('a trainer starts from given weights, and refuses those of another network', async () => {
  const step = buildStepGraph('net', (b) => ({
    loss: meanSquaredError(b, layer(b, 4), b.input('y', 'float32', [4, 2])),
  }));
  const initial = { 'fc.weight': Float32Array.of(1, 2, 3, 4, 5, 6), 'fc.bias': Float32Array.of(7, 8) };
  const trainer = await createTrainer(step, { seed: 1, threads: 1, initial });
  expect(trainer.weights()).toEqual(initial);
  expect(trainer.weights('average')).toEqual(initial);
  await trainer.close();
  const wrong = { ...initial, 'fc.bias': Float32Array.of(7) };
  await expect(createTrainer(step, { seed: 1, threads: 1, initial: wrong })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('fc.bias has 1'),
  });
});

test('a curve tells its points again after a kill, without the line that the kill has torn', () => {
  const told: object[] = [];
  const first = openCurve(folder, () => {});
  first.add('diffusion', 1, { loss: 0.1, part: 1 / 3 });
  appendFileSync(join(folder, 'curve.jsonl'), '{"type":"point","sta');
  const second = openCurve(folder, (point) => told.push(point));
  second.add('diffusion', 2, { loss: 0.05 });
  const point = { type: 'point', stage: 'diffusion' };
  const points = [
    { ...point, name: 'loss', step: 1, value: 0.1 },
    { ...point, name: 'part', step: 1, value: 1 / 3 },
    { ...point, name: 'loss', step: 2, value: 0.05 },
  ];
  expect(told).toEqual(points);
  const again: object[] = [];
  openCurve(folder, (one) => again.push(one));
  expect(again).toEqual(points);
});

/** Six stimuli of two trials, the last four held out; the first voxel is excluded. */
function data(): TrainingData {
  const rng = createRng(3);
  const [voxels, embeddingSize, stimuli] = [3, 8, 6];
  const betas = rng.fillNormal(new Float32Array(2 * stimuli * voxels));
  for (let i = 0; i < betas.length; i += voxels) betas[i] = 0;
  const stimulusOfTrial = Int32Array.from({ length: 2 * stimuli }, (_, t) => t % stimuli);
  const embeddings = rng.fillNormal(new Float32Array(stimuli * embeddingSize));
  return {
    ...createBrainData({ voxels, embeddingSize, betas, stimulusOfTrial, embeddings }),
    excluded: Uint8Array.of(1, 0, 0),
    excludedCount: 1,
    training: [0, 1],
    heldOut: [2, 3, 4, 5],
    trainingTrials: [0, 1, 6, 7],
  };
}

test('a prediction that is the measured signal correlates by 1, its opposite by -1; excluded voxels do not count', () => {
  const brain = data();
  const first = brain.betas.slice(2 * 3, 6 * 3);
  expect(heldOutCorrelation(brain, first, 'SINGLE_TRIALS')).toBeCloseTo(1, 5);
  const opposite = first.map((x) => -x);
  expect(heldOutCorrelation(brain, opposite, 'SINGLE_TRIALS')).toBeCloseTo(-1, 5);
  const means = first.map((x, i) => (x + brain.betas[8 * 3 + i]!) / 2);
  expect(heldOutCorrelation(brain, means, 'MEAN_OF_REPETITIONS')).toBeCloseTo(1, 5);
  expect(heldOutCorrelation(brain, means, 'SINGLE_TRIALS')).toBeLessThan(0.999);
  expect(
    heldOutCorrelation({ ...brain, heldOut: [2, 3] }, first.slice(0, 6), 'SINGLE_TRIALS'),
  ).toBeUndefined();
});

test('identification finds right embeddings always, and those of other stimuli never', () => {
  const brain = data();
  const right = brain.embeddings.slice(2 * 8);
  const found = heldOutIdentification(brain, right);
  expect(found.twoWay).toBe(1);
  expect(found.retrieval).toMatchObject({
    candidates: 4,
    draws: 30,
    forward: { mean: 1 },
    backward: { mean: 1 },
  });
  const shifted = Float32Array.from([...right.slice(8), ...right.slice(0, 8)]);
  expect(heldOutIdentification(brain, shifted).retrieval.forward.mean).toBe(0);
});

test('a batch has no stimulus twice while there are others, every stimulus has its turn, and the state is the generator', () => {
  const rng = createRng(6);
  const stimuli = Array.from({ length: 12 }, (_, i) => 100 + 3 * i);
  const counts = new Map(stimuli.map((stimulus) => [stimulus, 0]));
  for (let i = 0; i < 600; i++) {
    const chosen = pickStimuli(rng, 8, stimuli);
    expect(new Set(chosen).size).toBe(8);
    for (const stimulus of chosen) counts.set(stimulus, counts.get(stimulus)! + 1);
  }
  // 400 each, with a standard deviation of 11.5.
  for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(60);
  expect(pickStimuli(rng, 12, stimuli).sort((a, b) => a - b)).toEqual(stimuli);
  const many = pickStimuli(rng, 30, stimuli);
  for (const stimulus of stimuli) expect([2, 3]).toContain(many.filter((other) => other === stimulus).length);
  const state = rng.state();
  const next = pickStimuli(rng, 8, stimuli);
  rng.restore(state);
  expect(pickStimuli(rng, 8, stimuli)).toEqual(next);
  expect(pickStimuli(rng, 8, stimuli)).not.toEqual(next);
});
