// The two brain stages: pseudo brain generator, then brain adapter on real and pseudo signals.

import { openSession } from '../runtime/session.js';
import { averageTrials, type BrainData, someTrials } from './brain-data.js';
import type { ResidualMlpSize } from './models/brain.js';
import { pseudoBrainNetwork } from './networks.js';
import { type AdapterSignals, brainAdapterObjective, pseudoBrainObjective } from './objectives.js';
import type { Rng } from './rng.js';
import { mapRows, rowsOf } from './rows.js';
import { type StageOptions, type StagePlan, type StageResult, trainStage, type Weights } from './stage.js';

export type BrainNetworkSize = Omit<ResidualMlpSize, 'outputs'>;

const embeddingRow = (data: BrainData) => (stimulus: number, row: Float32Array) => {
  const at = stimulus * data.embeddingSize;
  row.set(data.embeddings.subarray(at, at + data.embeddingSize));
};

/** Stimuli of a batch, drawn with replacement among `stimuli`. */
const pick = (rng: Rng, batch: number, stimuli: readonly number[]) =>
  Array.from({ length: batch }, () => stimuli[rng.int(stimuli.length)]!);

/** PBG: embeddings to voxels by squared error, targets averaged over a varying number of trials. */
export function trainPseudoBrainGenerator(
  data: BrainData,
  stimuli: readonly number[],
  settings: { size: BrainNetworkSize; plan: StagePlan },
  options: StageOptions,
): Promise<StageResult> {
  const { size, plan } = settings;
  const { voxels, embeddingSize } = data;
  return trainStage(
    'pseudoBrainGenerator',
    plan,
    (b) => pseudoBrainObjective(b, { ...size, outputs: voxels, batch: plan.batch, embeddingSize }),
    (rng) => {
      const chosen = pick(rng, plan.batch, stimuli);
      return {
        embedding: rowsOf(chosen, embeddingSize, embeddingRow(data)),
        signal: rowsOf(chosen, voxels, (i, row) => averageTrials(data, someTrials(rng, data, i), row)),
      };
    },
    options,
  );
}

/** G(Z) of every stimulus, [stimuli, voxels]. */
export async function predictSignals(
  data: BrainData,
  weights: Weights,
  size: BrainNetworkSize,
): Promise<Float32Array> {
  const { embeddingSize, voxels } = data;
  const session = await openSession(pseudoBrainNetwork(weights, { ...size, outputs: voxels, embeddingSize }));
  const predicted = await mapRows(session, data.embeddings, [embeddingSize]);
  await session.close();
  return predicted;
}

/** Where the noise on pseudo signals comes from: residuals B - G(Z) of training trials, times sigma. */
export interface ResidualNoise {
  readonly data: BrainData;
  /** G(Z) of every stimulus, [stimuli, voxels]. */
  readonly predicted: Float32Array;
  /** Trials that residuals are drawn from: training trials only. */
  readonly trials: readonly number[];
  /** Sigma is uniform in this range by row; 1 is a single trial's noise. */
  readonly sigma: readonly [low: number, high: number];
}

/**
 * Adds sigma times the residual of a training trial to each pseudo signal [rows, voxels], in place: pseudo signals
 * then carry the covariance of real noise, not only its size.
 */
export function addResidualNoise(signals: Float32Array, noise: ResidualNoise, rng: Rng): void {
  const { data, predicted, trials, sigma } = noise;
  const { voxels, betas, stimulusOfTrial } = data;
  for (let at = 0; at < signals.length; at += voxels) {
    const level = sigma[0] + (sigma[1] - sigma[0]) * rng.uniform();
    const trial = trials[rng.int(trials.length)]!;
    const [real, ideal] = [trial * voxels, stimulusOfTrial[trial]! * voxels];
    for (let v = 0; v < voxels; v++) signals[at + v]! += level * (betas[real + v]! - predicted[ideal + v]!);
  }
}

/** BA: real and pseudo signals to the embedding, by the symmetric contrastive loss on either or both. */
export function trainBrainAdapter(
  noise: ResidualNoise,
  stimuli: readonly number[],
  settings: { size: BrainNetworkSize; plan: StagePlan; tau: number; signals?: AdapterSignals },
  options: StageOptions,
): Promise<StageResult> {
  const { data, predicted } = noise;
  const { voxels, embeddingSize } = data;
  const { size, plan, tau, signals = 'both' } = settings;
  return trainStage(
    'brainAdapter',
    plan,
    (b) =>
      brainAdapterObjective(b, {
        ...size,
        outputs: embeddingSize,
        batch: plan.batch,
        voxels,
        tau,
        signals,
      }),
    (rng) => {
      const chosen = pick(rng, plan.batch, stimuli);
      const pseudo = rowsOf(chosen, voxels, (i, row) => {
        row.set(predicted.subarray(i * voxels, (i + 1) * voxels));
      });
      addResidualNoise(pseudo.data as Float32Array, noise, rng);
      const real = rowsOf(chosen, voxels, (i, row) => averageTrials(data, someTrials(rng, data, i), row));
      return {
        embedding: rowsOf(chosen, embeddingSize, embeddingRow(data)),
        ...(signals === 'pseudo' ? {} : { real }),
        ...(signals === 'real' ? {} : { pseudo }),
      };
    },
    options,
  );
}
