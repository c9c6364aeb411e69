// The toy's two brain networks and the noise between them, at the toy's sizes unless told: shared by training and ablations.

import type { BrainData } from '../../train/brain-data.js';
import {
  type BrainNetworkSize,
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
  size: BrainNetworkSize = TOY.pseudoBrainGenerator,
): Promise<StageResult> => trainPseudoBrainGenerator(data, stimuli, { size, plan }, options);

/** G as ONNX bytes. */
export const toyGeneratorNetwork = (
  weights: Weights,
  size: BrainNetworkSize = TOY.pseudoBrainGenerator,
): Uint8Array =>
  pseudoBrainNetwork(weights, {
    ...size,
    outputs: TOY.voxels,
    embeddingSize: TOY.imageEncoder.embeddingSize,
  });

/** Residuals of the trials of some stimuli against G: the noise on pseudo signals. */
export async function toyResidualNoise(
  data: BrainData,
  generator: Weights,
  stimuli: readonly number[],
  sigma: ResidualNoise['sigma'] = TOY.sigma,
  size: BrainNetworkSize = TOY.pseudoBrainGenerator,
): Promise<ResidualNoise> {
  return {
    data,
    predicted: await predictSignals(data, generator, size),
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
  size: BrainNetworkSize = TOY.brainAdapter,
): Promise<StageResult> => trainBrainAdapter(noise, stimuli, { size, plan, tau: TOY.tau, signals }, options);

/** A as ONNX bytes. */
export const toyAdapterNetwork = (weights: Weights, size: BrainNetworkSize = TOY.brainAdapter): Uint8Array =>
  brainAdapterNetwork(weights, {
    ...size,
    outputs: TOY.imageEncoder.embeddingSize,
    voxels: TOY.voxels,
  });
