// Figures on held-out stimuli: what the generator predicts against the noise ceiling, what the adapter identifies.

import {
  columnCorrelations,
  cosineSimilarities,
  type Retrieval,
  retrieval,
  twoWayIdentification,
} from '../metrics/brain.js';
import { estimateNoiseCeilingSnr, noiseCeilingPercent } from '../metrics/noise-ceiling.js';
import { createRng } from '../random.js';
import { signalOf } from '../train/brain-data.js';
import { mapModel, rowsOf } from '../train/rows.js';
import type { TrainingData } from './training-data.js';
import type { HeldOutMetric } from './training-messages.js';

type Signals = NonNullable<HeldOutMetric['signals']>;
const KINDS: readonly Signals[] = ['SINGLE_TRIALS', 'MEAN_OF_REPETITIONS'];

/** Signals of the held-out stimuli, [held out, voxels]: first trials, or means over all trials. */
function heldOutSignals(data: TrainingData, signals: Signals): Float32Array {
  const repetitions = signals === 'SINGLE_TRIALS' ? 1 : Number.POSITIVE_INFINITY;
  const rows = rowsOf(data.heldOut, data.voxels, (i, row) => row.set(signalOf(data, i, repetitions)));
  return rows.data as Float32Array;
}

/** Embeddings of the held-out stimuli, [held out, embeddingSize]. */
export function heldOutEmbeddings(data: TrainingData): Float32Array {
  const { embeddingSize, embeddings } = data;
  const rows = rowsOf(data.heldOut, embeddingSize, (i, row) =>
    row.set(embeddings.subarray(i * embeddingSize, (i + 1) * embeddingSize)),
  );
  return rows.data as Float32Array;
}

/** Fewer points have no correlation worth the name. */
const FEWEST_FOR_CORRELATION = 3;

/** Mean over voxels of the correlation between G(Z) and the measured signals of held-out stimuli; undefined where there is none. */
export function heldOutCorrelation(
  data: TrainingData,
  predicted: Float32Array,
  signals: Signals,
): number | undefined {
  if (data.heldOut.length < FEWEST_FOR_CORRELATION) return undefined;
  const all = columnCorrelations(predicted, heldOutSignals(data, signals), data.voxels);
  const known = all.filter((r, v) => !data.excluded[v] && Number.isFinite(r));
  return known.length === 0 ? undefined : known.reduce((sum, r) => sum + r, 0) / known.length;
}

/** Identification of held-out stimuli by their adapted signals [held out, embeddingSize]. */
export function heldOutIdentification(data: TrainingData, adapted: Float32Array) {
  const n = data.heldOut.length;
  const similarity = cosineSimilarities(adapted, heldOutEmbeddings(data), data.embeddingSize);
  const rng = createRng(1);
  return {
    retrieval: retrieval(similarity, n, (below) => rng.int(below)),
    twoWay: twoWayIdentification(similarity, n),
  };
}

/** The mean over voxels of the highest correlation that noise allows, or why it cannot be told. */
function correlationCeiling(data: TrainingData, signals: Signals): { ceiling?: number; reason?: string } {
  const { betas, voxels, excluded, heldOut, trialsOf } = data;
  if (trialsOf.every((trials) => trials.length < 2))
    return { reason: 'no stimulus was shown twice: the noise ceiling needs repetitions' };
  const trials = Array.from(data.stimulusOfTrial, (stimulus) => ({ stimulus }));
  const ncsnr = estimateNoiseCeilingSnr([{ betas, trials }], voxels);
  const inverse = heldOut.reduce((sum, i) => sum + 1 / trialsOf[i]!.length, 0) / heldOut.length;
  const repetitions = signals === 'SINGLE_TRIALS' ? 1 : 1 / inverse;
  const known = ncsnr.filter((_, v) => !excluded[v]);
  const sum = known.reduce((total, x) => total + Math.sqrt(noiseCeilingPercent(x, repetitions) / 100), 0);
  return { ceiling: sum / known.length };
}

function retrievalMetrics(
  found: Retrieval,
  common: Pick<HeldOutMetric, 'signals' | 'stimuli'>,
): HeldOutMetric[] {
  return (['forward', 'backward'] as const).map((way) => ({
    ...common,
    name: way === 'forward' ? 'brainAdapter.retrievalForward' : 'brainAdapter.retrievalBackward',
    value: found[way].mean,
    // Where every draw holds all stimuli the draws do not differ, and an interval over them would say nothing.
    ...(found.candidates < common.stimuli ? { low: found[way].low, high: found[way].high } : {}),
    chance: 1 / found.candidates,
  }));
}

/** All brain figures of a pair of networks (ONNX bytes or paths). */
export async function measureBrainNetworks(
  data: TrainingData,
  networks: { pseudoBrainGenerator: Uint8Array | string; brainAdapter: Uint8Array | string },
  options: { threads?: number } = {},
): Promise<HeldOutMetric[]> {
  const stimuli = data.heldOut.length;
  const repeated = data.heldOut.some((i) => data.trialsOf[i]!.length > 1);
  const predicted = await mapModel(
    networks.pseudoBrainGenerator,
    heldOutEmbeddings(data),
    [data.embeddingSize],
    options,
  );
  const metrics: HeldOutMetric[] = [];
  for (const signals of KINDS) {
    const common = { signals, stimuli };
    if (signals === 'MEAN_OF_REPETITIONS' && !repeated) {
      const undefinedReason = 'no held-out stimulus was shown twice';
      for (const name of [
        'pseudoBrainGenerator.voxelCorrelation',
        'brainAdapter.retrievalForward',
        'brainAdapter.retrievalBackward',
        'brainAdapter.twoWayIdentification',
      ])
        metrics.push({ ...common, name, undefinedReason });
      continue;
    }
    const value = heldOutCorrelation(data, predicted, signals);
    const { ceiling, reason } = correlationCeiling(data, signals);
    const undefinedReason =
      value === undefined
        ? `a correlation needs ${FEWEST_FOR_CORRELATION} held-out stimuli that differ`
        : reason;
    metrics.push({
      ...common,
      name: 'pseudoBrainGenerator.voxelCorrelation',
      chance: 0,
      ...(value === undefined ? {} : { value }),
      ...(ceiling === undefined ? {} : { ceiling }),
      ...(undefinedReason === undefined ? {} : { undefinedReason }),
    });
    const adapted = await mapModel(
      networks.brainAdapter,
      heldOutSignals(data, signals),
      [data.voxels],
      options,
    );
    const found = heldOutIdentification(data, adapted);
    metrics.push(...retrievalMetrics(found.retrieval, common));
    metrics.push({ ...common, name: 'brainAdapter.twoWayIdentification', value: found.twoWay, chance: 0.5 });
  }
  return metrics;
}

/** The adapter's figures while it trains, on single trials. */
export async function adapterPoints(
  data: TrainingData,
  brainAdapter: Uint8Array,
  options: { threads?: number },
): Promise<Record<string, number>> {
  const adapted = await mapModel(brainAdapter, heldOutSignals(data, 'SINGLE_TRIALS'), [data.voxels], options);
  const { retrieval: found, twoWay } = heldOutIdentification(data, adapted);
  return {
    heldOutRetrievalForward: found.forward.mean,
    heldOutRetrievalBackward: found.backward.mean,
    heldOutTwoWayIdentification: twoWay,
  };
}
