// What training on few trials needs: a stage that starts from given weights, pseudo signals of pictures that nobody saw,
// and noise whose covariance is shrunk.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cosineSimilarities, twoWayIdentification } from '../../src/metrics/brain.js';
import { createRng } from '../../src/random.js';
import { floats, openSession } from '../../src/runtime/session.js';
import { createBrainData } from '../../src/train/brain-data.js';
import {
  addResidualNoise,
  predictSignals,
  type ResidualNoise,
  residualDeviations,
  trainBrainAdapter,
  trainPseudoBrainGenerator,
} from '../../src/train/brain-stages.js';
import { linear } from '../../src/train/layers.js';
import { meanSquaredError } from '../../src/train/losses.js';
import { brainAdapterNetwork } from '../../src/train/networks.js';
import { mapRows } from '../../src/train/rows.js';
import { trainStage } from '../../src/train/stage.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'few-trials-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a stage starts from the weights it is given, and refuses those of another network', async () => {
  const train = (name: string, steps: number, initial?: Record<string, Float32Array>, size = 2) =>
    trainStage(
      'line',
      { steps, batch: 4, learningRate: 1e-4, emaDecay: 0 },
      (b) => {
        const x = b.input('x', 'float32', [4, 3]);
        const target = b.input('target', 'float32', [4, size]);
        return { loss: meanSquaredError(b, linear(b, 'line', x, size), target) };
      },
      (rng) => ({
        x: floats(rng.fillNormal(new Float32Array(12)), [4, 3]),
        target: floats(new Float32Array(4 * size), [4, size]),
      }),
      { folder: join(folder, name), seed: 1, threads: 1, ...(initial ? { initial } : {}) },
    );
  const initial = { 'line.weight': Float32Array.of(5, 6, 7, 8, 9, 10), 'line.bias': Float32Array.of(3, 4) };
  const { weights } = await train('start', 1, initial);
  // One step of AdamW moves a weight by the learning rate, and decays it by a millionth.
  weights['line.weight']!.forEach((value, i) => {
    expect(Math.abs(value - (5 + i))).toBeLessThan(2e-4);
    expect(value).not.toBe(5 + i);
  });
  // A checkpoint goes before them: the second run goes on from the first.
  const other = { 'line.weight': new Float32Array(6), 'line.bias': new Float32Array(2) };
  expect((await train('start', 1, other)).weights).toEqual(weights);
  await expect(train('other', 1, initial, 3)).rejects.toThrow('line.weight has 6 values, the network 9');
});

/** A linear subject: 200 stimuli of which the first 40 were seen once; noise of one shared direction. */
function linearSubject() {
  const rng = createRng(5);
  const [voxels, embeddingSize, stimuli, trials] = [24, 8, 200, 40];
  const embeddings = rng.fillNormal(new Float32Array(stimuli * embeddingSize));
  const mix = rng.fillNormal(new Float32Array(voxels * embeddingSize));
  const shared = rng.fillNormal(new Float32Array(voxels));
  const betas = new Float32Array(trials * voxels);
  for (let t = 0; t < trials; t++) {
    const swing = rng.normal();
    for (let v = 0; v < voxels; v++) {
      let sum = 0.3 * rng.normal() + swing * shared[v]!;
      for (let k = 0; k < embeddingSize; k++)
        sum += (mix[v * embeddingSize + k]! * embeddings[t * embeddingSize + k]!) / Math.sqrt(embeddingSize);
      betas[t * voxels + v] = sum;
    }
  }
  const stimulusOfTrial = Int32Array.from({ length: trials }, (_, t) => t);
  return createBrainData({ voxels, embeddingSize, betas, stimulusOfTrial, embeddings });
}

test('shrunk noise keeps its size in each voxel and loses its correlations in part', () => {
  const data = linearSubject();
  const trials = Array.from(data.stimulusOfTrial);
  const rng = createRng(6);
  const residuals = { data, predicted: new Float32Array(200 * 24), trials, sigma: [1, 1] } as const;
  const deviations = residualDeviations(residuals);
  const measure = (share: number) => {
    const rows = 4000;
    const noise = new Float32Array(rows * 24);
    addResidualNoise(noise, { ...residuals, white: { share, deviations } }, rng);
    let [own, cross] = [0, 0];
    for (let r = 0; r < rows; r++) {
      own += noise[r * 24]! ** 2 / rows;
      cross += (noise[r * 24]! * noise[r * 24 + 1]!) / rows;
    }
    return { own, cross };
  };
  const [none, half] = [measure(0), measure(0.5)];
  expect(none.own / deviations[0]! ** 2).toBeCloseTo(1, 1);
  expect(half.own / deviations[0]! ** 2).toBeCloseTo(1, 1);
  expect(Math.abs(none.cross)).toBeGreaterThan(0.2);
  expect(half.cross / none.cross).toBeCloseTo(0.5, 1);
});

test('an adapter learns from pseudo signals of stimuli without trials, and reads held-out trials', async () => {
  const data = linearSubject();
  const options = { folder, seed: 7, threads: 1 };
  const [training, heldOut] = [
    Array.from({ length: 30 }, (_, t) => t),
    Array.from({ length: 10 }, (_, t) => 30 + t),
  ];
  const plan = { steps: 200, batch: 16, learningRate: 3e-3, emaDecay: 0.9 };
  const size = { hidden: 24, blocks: 1 };
  const generator = await trainPseudoBrainGenerator(data, training, { size, plan, inputNoise: 0.5 }, options);
  const predicted = await predictSignals(data, generator.weights, size, { threads: 1 });
  const residuals: ResidualNoise = { data, predicted, trials: training, sigma: [0.5, 1] };
  const noise = { ...residuals, white: { share: 0.5, deviations: residualDeviations(residuals) } };
  const pseudoStimuli = Array.from({ length: 160 }, (_, i) => 40 + i);
  const adapter = await trainBrainAdapter(
    noise,
    training,
    { size, plan, tau: 0.1, pseudoStimuli, inputNoise: 0.5 },
    options,
  );
  const network = brainAdapterNetwork(adapter.weights, { ...size, outputs: 8, voxels: 24 });
  const session = await openSession(network, { threads: 1 });
  const adapted = await mapRows(session, data.betas.slice(30 * 24), [24]);
  await session.close();
  const similarity = cosineSimilarities(adapted, data.embeddings.slice(30 * 8, 40 * 8), 8);
  expect(twoWayIdentification(similarity, heldOut.length)).toBeGreaterThan(0.8);
});
