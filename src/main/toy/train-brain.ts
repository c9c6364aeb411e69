// The two brain stages: pseudo brain generator, then brain adapter on real and pseudo signals.

import { floats, openSession, type Tensor } from '../../runtime/session.js';
import { brainAdapterObjective, pseudoBrainObjective } from '../../train/objectives.js';
import type { Rng } from '../../train/rng.js';
import { type BrainData, mapRows, signalOf } from './brain-data.js';
import { brainAdapterNetwork, pseudoBrainNetwork, type Weights } from './networks.js';
import { PLAN, TOY } from './settings.js';
import { type StageOptions, type StageResult, trainStage } from './stage.js';

const EMBEDDING = TOY.imageEncoder.embeddingSize;
const VOXELS = TOY.voxels;

export interface BrainStages {
  readonly generator: StageResult;
  readonly adapter: StageResult;
  /** G(Z) of each training stimulus, [stimuli, voxels]: what trials are compared with to draw residual noise. */
  readonly predicted: Float32Array;
}

/** One, two or all three repetitions: what is averaged varies, as it will in use. */
function someRepetitions(rng: Rng, data: BrainData): number[] {
  const all = rng.shuffle(Array.from({ length: data.repetitions }, (_, i) => i));
  return all.slice(0, 1 + rng.int(data.repetitions));
}

function rowsOf(
  indices: readonly number[],
  size: number,
  fill: (index: number, row: Float32Array) => void,
): Tensor {
  const data = new Float32Array(indices.length * size);
  indices.forEach((index, i) => {
    fill(index, data.subarray(i * size, (i + 1) * size));
  });
  return floats(data, [indices.length, size]);
}

const embeddingRow = (data: BrainData) => (index: number, row: Float32Array) => {
  row.set(data.embeddings.subarray(index * EMBEDDING, (index + 1) * EMBEDDING));
};

/**
 * Adds noise to pseudo signals [rows, voxels], in place: sigma times the residual B - G(Z) of a training trial drawn
 * by chance, so that pseudo signals carry the covariance of real noise, not only its size. Sigma 1 is a single trial;
 * it is uniform in `sigma` by row.
 */
export function addResidualNoise(
  signals: Float32Array,
  data: BrainData,
  predicted: Float32Array,
  sigma: readonly [low: number, high: number],
  rng: Rng,
): void {
  const trials = data.betas.length / VOXELS;
  for (let at = 0; at < signals.length; at += VOXELS) {
    const level = sigma[0] + (sigma[1] - sigma[0]) * rng.uniform();
    const trial = rng.int(trials);
    const [real, ideal] = [trial * VOXELS, Math.floor(trial / data.repetitions) * VOXELS];
    for (let v = 0; v < VOXELS; v++)
      signals[at + v]! += level * (data.betas[real + v]! - predicted[ideal + v]!);
  }
}

export async function trainBrainStages(
  data: BrainData,
  options: Omit<StageOptions, 'seed'>,
): Promise<BrainStages> {
  const stimuli = data.embeddings.length / EMBEDDING;
  const pick = (rng: Rng, batch: number) => Array.from({ length: batch }, () => rng.int(stimuli));
  const batch = PLAN.pseudoBrainGenerator.batch;
  const generator = await trainStage(
    'pseudoBrainGenerator',
    (b) => pseudoBrainObjective(b, { ...TOY.pseudoBrainGenerator, batch, embeddingSize: EMBEDDING }),
    (rng) => {
      const chosen = pick(rng, batch);
      return {
        embedding: rowsOf(chosen, EMBEDDING, embeddingRow(data)),
        signal: rowsOf(chosen, VOXELS, (i, row) => {
          row.set(signalOf(data, i, someRepetitions(rng, data), VOXELS));
        }),
      };
    },
    { ...options, seed: 13 },
  );
  const session = await openSession(pseudoBrainNetwork(generator.weights));
  const predicted = await mapRows(session, data.embeddings, [EMBEDDING]);
  await session.close();
  const adapter = await trainStage(
    'brainAdapter',
    (b) =>
      brainAdapterObjective(b, {
        ...TOY.brainAdapter,
        batch: PLAN.brainAdapter.batch,
        voxels: VOXELS,
        tau: TOY.tau,
      }),
    (rng) => {
      const chosen = pick(rng, PLAN.brainAdapter.batch);
      const pseudo = rowsOf(chosen, VOXELS, (i, row) => {
        row.set(predicted.subarray(i * VOXELS, (i + 1) * VOXELS));
      });
      addResidualNoise(pseudo.data as Float32Array, data, predicted, TOY.sigma, rng);
      return {
        embedding: rowsOf(chosen, EMBEDDING, embeddingRow(data)),
        real: rowsOf(chosen, VOXELS, (i, row) => {
          row.set(signalOf(data, i, someRepetitions(rng, data), VOXELS));
        }),
        pseudo,
      };
    },
    { ...options, seed: 14 },
  );
  return { generator, adapter, predicted };
}

/** Top-1 retrieval among held-out stimuli: the share of signals whose nearest embedding (cosine) is their own. */
export async function measureRetrieval(
  data: BrainData,
  adapterWeights: Weights,
  repetitions: number,
  candidates: number,
): Promise<number> {
  const session = await openSession(brainAdapterNetwork(adapterWeights));
  const chosen = Array.from({ length: candidates }, (_, i) => i);
  const averaged = Array.from({ length: repetitions }, (_, i) => i);
  const signals = rowsOf(chosen, VOXELS, (i, row) => {
    row.set(signalOf(data, i, averaged, VOXELS));
  });
  const adapted = await mapRows(session, signals.data as Float32Array, [VOXELS]);
  await session.close();
  const dot = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < EMBEDDING; k++)
      sum += adapted[i * EMBEDDING + k]! * data.embeddings[j * EMBEDDING + k]!;
    return sum;
  };
  const hits = chosen.filter((i) => {
    const own = dot(i, i);
    return chosen.every((j) => j === i || dot(i, j) < own);
  });
  return hits.length / candidates;
}
