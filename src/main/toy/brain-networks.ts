// The toy's two brain networks at their settled sizes, and the noise between them: shared by training and ablations.

import type { BrainData } from '../../train/brain-data.js';
import {
  predictSignals,
  type ResidualNoise,
  trainBrainAdapter,
  trainPseudoBrainGenerator,
} from '../../train/brain-stages.js';
import { brainAdapterNetwork, pseudoBrainNetwork } from '../../train/networks.js';
import type { AdapterSignals } from '../../train/objectives.js';
import type { StageOptions, StagePlan, StageResult, Weights } from '../../train/stage.js';
import { TOY } from './settings.js';

/** Trains (or resumes) G on some stimuli of `data`. */
export const trainToyGenerator = (
  data: BrainData,
  stimuli: readonly number[],
  plan: StagePlan,
  options: StageOptions,
): Promise<StageResult> =>
  trainPseudoBrainGenerator(data, stimuli, { size: TOY.pseudoBrainGenerator, plan }, options);

/** G as ONNX bytes. */
export const toyGeneratorNetwork = (weights: Weights): Uint8Array =>
  pseudoBrainNetwork(weights, {
    ...TOY.pseudoBrainGenerator,
    outputs: TOY.voxels,
    embeddingSize: TOY.imageEncoder.embeddingSize,
  });

/** Residuals of the trials of some stimuli against G: the noise on pseudo signals. */
export async function toyResidualNoise(
  data: BrainData,
  generator: Weights,
  stimuli: readonly number[],
  sigma: ResidualNoise['sigma'] = TOY.sigma,
): Promise<ResidualNoise> {
  return {
    data,
    predicted: await predictSignals(data, generator, TOY.pseudoBrainGenerator),
    trials: stimuli.flatMap((stimulus) => data.trialsOf[stimulus]!),
    sigma,
  };
}

/** Trains (or resumes) A on some stimuli, by real signals, pseudo signals or (as in the paper) both. */
export const trainToyAdapter = (
  noise: ResidualNoise,
  stimuli: readonly number[],
  plan: StagePlan,
  options: StageOptions,
  signals: AdapterSignals = 'both',
): Promise<StageResult> =>
  trainBrainAdapter(noise, stimuli, { size: TOY.brainAdapter, plan, tau: TOY.tau, signals }, options);

/** A as ONNX bytes. */
export const toyAdapterNetwork = (weights: Weights): Uint8Array =>
  brainAdapterNetwork(weights, {
    ...TOY.brainAdapter,
    outputs: TOY.imageEncoder.embeddingSize,
    voxels: TOY.voxels,
  });
