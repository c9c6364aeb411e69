// The two brain stages: pseudo brain generator, then brain adapter on real and pseudo signals.

import type { Rng } from '../random.js';
import { openSession } from '../runtime/session.js';
import { averageTrials, type BrainData, someTrials } from './brain-data.js';
import type { ResidualMlpSize } from './models/brain.js';
import { pseudoBrainNetwork } from './networks.js';
import { type AdapterSignals, brainAdapterObjective, pseudoBrainObjective } from './objectives.js';
import { mapRows, rowsOf } from './rows.js';
import { type StageOptions, type StagePlan, type StageResult, trainStage, type Weights } from './stage.js';

export type BrainNetworkSize = Omit<ResidualMlpSize, 'outputs'>;

const embeddingRow = (data: BrainData) => (stimulus: number, row: Float32Array) => {
  const at = stimulus * data.embeddingSize;
  row.set(data.embeddings.subarray(at, at + data.embeddingSize));
};

/**
 * Stimuli of a batch, drawn among `stimuli`: none twice unless the batch is larger, since to the contrastive loss, whose
 * target is the diagonal, a twin would be a stranger. The generator's state is all that a resumed run needs.
 */
export function pickStimuli(rng: Rng, batch: number, stimuli: readonly number[]): number[] {
  const chosen: number[] = [];
  while (chosen.length < batch) chosen.push(...rng.shuffle([...stimuli]).slice(0, batch - chosen.length));
  return chosen;
}

/** Adds white noise of a standard deviation, in place; 0 draws nothing. */
function addWhiteNoise(values: Float32Array, deviation: number, rng: Rng): void {
  if (deviation > 0) for (let i = 0; i < values.length; i++) values[i]! += deviation * rng.normal();
}

/**
 * PBG: embeddings to voxels by squared error, targets averaged over a varying number of trials. Where trials are few,
 * `inputNoise` on the embeddings keeps the network from learning them by heart (as ridge regression: Bishop 1995).
 */
export function trainPseudoBrainGenerator(
  data: BrainData,
  stimuli: readonly number[],
  settings: { size: BrainNetworkSize; plan: StagePlan; inputNoise?: number },
  options: StageOptions,
): Promise<StageResult> {
  const { size, plan, inputNoise = 0 } = settings;
  const { voxels, embeddingSize } = data;
  return trainStage(
    'pseudoBrainGenerator',
    plan,
    (b) => pseudoBrainObjective(b, { ...size, outputs: voxels, batch: plan.batch, embeddingSize }),
    (rng) => {
      const chosen = pickStimuli(rng, plan.batch, stimuli);
      const embedding = rowsOf(chosen, embeddingSize, embeddingRow(data));
      addWhiteNoise(embedding.data as Float32Array, inputNoise, rng);
      return {
        embedding,
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
  options: { threads?: number } = {},
): Promise<Float32Array> {
  const { embeddingSize, voxels } = data;
  const model = pseudoBrainNetwork(weights, { ...size, outputs: voxels, embeddingSize });
  const session = await openSession(model, options);
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
  /**
   * Share of white noise of each voxel's own size: shrinks the noise covariance towards its diagonal, as few residuals
   * need (Ledoit and Wolf 2004); else an adapter reads pseudo signals in directions that no residual happens to touch.
   */
  readonly white?: { readonly share: number; readonly deviations: Float32Array };
}

/** Root mean square of the residuals of each voxel over the noise's trials, [voxels]. */
export function residualDeviations({ data, predicted, trials }: ResidualNoise): Float32Array {
  const { voxels, betas, stimulusOfTrial } = data;
  const sums = new Float64Array(voxels);
  for (const trial of trials) {
    const ideal = stimulusOfTrial[trial]! * voxels;
    for (let v = 0; v < voxels; v++) sums[v]! += (betas[trial * voxels + v]! - predicted[ideal + v]!) ** 2;
  }
  return Float32Array.from(sums, (sum) => Math.sqrt(sum / trials.length));
}

/**
 * Adds sigma times the residual of a training trial to each pseudo signal [rows, voxels], in place: pseudo signals
 * then carry the covariance of real noise, not only its size.
 */
export function addResidualNoise(signals: Float32Array, noise: ResidualNoise, rng: Rng): void {
  const { data, predicted, trials, sigma, white } = noise;
  const { voxels, betas, stimulusOfTrial } = data;
  for (let at = 0; at < signals.length; at += voxels) {
    const level = sigma[0] + (sigma[1] - sigma[0]) * rng.uniform();
    const trial = trials[rng.int(trials.length)]!;
    const [real, ideal] = [trial * voxels, stimulusOfTrial[trial]! * voxels];
    const kept = white ? Math.sqrt(1 - white.share) * level : level;
    for (let v = 0; v < voxels; v++) signals[at + v]! += kept * (betas[real + v]! - predicted[ideal + v]!);
    if (!white) continue;
    const added = Math.sqrt(white.share) * level;
    for (let v = 0; v < voxels; v++) signals[at + v]! += added * white.deviations[v]! * rng.normal();
  }
}

/**
 * BA: real and pseudo signals to the embedding, by the symmetric contrastive loss on either or both. Pseudo signals are of
 * the same stimuli, or of `pseudoStimuli`, which need no trials; `inputNoise` is white noise on real signals.
 */
export function trainBrainAdapter(
  noise: ResidualNoise,
  stimuli: readonly number[],
  settings: {
    size: BrainNetworkSize;
    plan: StagePlan;
    tau: number;
    signals?: AdapterSignals;
    pseudoStimuli?: readonly number[];
    inputNoise?: number;
  },
  options: StageOptions,
): Promise<StageResult> {
  const { data, predicted } = noise;
  const { voxels, embeddingSize } = data;
  const { size, plan, tau, signals = 'both', pseudoStimuli, inputNoise = 0 } = settings;
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
        otherPseudo: pseudoStimuli !== undefined,
      }),
    (rng) => {
      const chosen = pickStimuli(rng, plan.batch, stimuli);
      const imagined = pseudoStimuli ? pickStimuli(rng, plan.batch, pseudoStimuli) : chosen;
      const pseudo = rowsOf(imagined, voxels, (i, row) => {
        row.set(predicted.subarray(i * voxels, (i + 1) * voxels));
      });
      addResidualNoise(pseudo.data as Float32Array, noise, rng);
      const real = rowsOf(chosen, voxels, (i, row) => averageTrials(data, someTrials(rng, data, i), row));
      addWhiteNoise(real.data as Float32Array, inputNoise, rng);
      return {
        embedding: rowsOf(chosen, embeddingSize, embeddingRow(data)),
        ...(pseudoStimuli && signals !== 'real'
          ? { pseudo_embedding: rowsOf(imagined, embeddingSize, embeddingRow(data)) }
          : {}),
        ...(signals === 'pseudo' ? {} : { real }),
        ...(signals === 'real' ? {} : { pseudo }),
      };
    },
    options,
  );
}
