// The training of one fold: brain networks on its training trials, then the UNet's fine-tuning on their pseudo signals.
// The fold's held-out trials enter none of it.

import { join } from 'node:path';
import { zScoreBy } from '../../fmri/normalise.js';
import { columnCorrelations } from '../../metrics/brain.js';
import { writeBundle } from '../../painter/bundle.js';
import { alphasCumprod } from '../../painter/scheduler.js';
import { type BrainData, createBrainData } from '../../train/brain-data.js';
import {
  predictSignals,
  type ResidualNoise,
  residualDeviations,
  trainBrainAdapter,
  trainPseudoBrainGenerator,
} from '../../train/brain-stages.js';
import { pseudoSignalConditioner, trainDiffusion } from '../../train/diffusion-stage.js';
import { brainAdapterNetwork, pseudoBrainNetwork, unetNetwork } from '../../train/networks.js';
import { leaveOneOutRidge } from '../../train/ridge.js';
import { OWN_SCHEDULER } from '../own-scheduler.js';
import type { DigitsData } from './dataset.js';
import { DIGITS, GEOMETRY, PLAN } from './settings.js';
import { DIFFUSION, type RunOptions, type SharedNetworks } from './shared.js';

export interface Fold {
  readonly index: number;
  readonly heldOut: readonly number[];
  /** One a held-out trial. */
  readonly donors: readonly number[];
}

/**
 * The fold's brain data: voxels that its training trials predict best, z-scored by them. Stimuli come first, then the
 * painter's digits, which have embeddings but no trials.
 */
function foldBrainData(
  data: DigitsData,
  shared: Pick<SharedNetworks, 'stimulusEmbeddings' | 'digitEmbeddings'>,
  training: readonly number[],
): BrainData {
  const { embeddingSize } = GEOMETRY;
  const scored = zScoreBy(data.betas, data.voxels, training).data;
  const rows = (matrix: Float32Array, size: number) =>
    Float32Array.from(training.flatMap((t) => [...matrix.subarray(t * size, (t + 1) * size)]));
  const shown = rows(shared.stimulusEmbeddings, embeddingSize);
  for (let k = 0; k < embeddingSize; k++) {
    let mean = 0;
    for (let i = k; i < shown.length; i += embeddingSize) mean += shown[i]! / training.length;
    for (let i = k; i < shown.length; i += embeddingSize) shown[i]! -= mean;
  }
  const signals = rows(scored, data.voxels);
  const foretold = leaveOneOutRidge(shown, signals, training.length, DIGITS.ridgePenalty);
  const fit = columnCorrelations(foretold, signals, data.voxels);
  const worth = (v: number) => (Number.isFinite(fit[v]!) ? fit[v]! : -1);
  const chosen = Array.from(fit.keys())
    .sort((a, b) => worth(b) - worth(a))
    .slice(0, DIGITS.voxels);
  const trials = data.stimuli.length;
  return createBrainData({
    voxels: chosen.length,
    embeddingSize,
    betas: Float32Array.from(
      { length: trials * chosen.length },
      (_, i) => scored[Math.floor(i / chosen.length) * data.voxels + chosen[i % chosen.length]!]!,
    ),
    stimulusOfTrial: Int32Array.from({ length: trials }, (_, t) => t),
    embeddings: Float32Array.from([...shared.stimulusEmbeddings, ...shared.digitEmbeddings]),
  });
}

const seedOf = (fold: Fold) => DIGITS.seed + 1000 * (fold.index + 1);

interface FoldBrain {
  readonly brain: BrainData;
  readonly noise: ResidualNoise;
  readonly brainAdapter: Uint8Array;
  readonly pseudoBrainGenerator: Uint8Array;
}

/** Trains pseudo brain generator and brain adapter on the training trials. */
export async function trainFoldBrain(
  data: DigitsData,
  shared: Pick<SharedNetworks, 'stimulusEmbeddings' | 'digitEmbeddings'>,
  fold: Fold,
  run: RunOptions,
): Promise<FoldBrain> {
  const training = data.stimuli.map((_, t) => t).filter((t) => !fold.heldOut.includes(t));
  const brain = foldBrainData(data, shared, training);
  const own = seedOf(fold);
  const threads = run.threads ? { threads: run.threads } : {};
  const generator = await trainPseudoBrainGenerator(
    brain,
    training,
    {
      size: DIGITS.pseudoBrainGenerator,
      plan: PLAN.pseudoBrainGenerator,
      inputNoise: DIGITS.generatorInputNoise,
    },
    { ...run, seed: own + 1 },
  );
  const residuals: ResidualNoise = {
    data: brain,
    predicted: await predictSignals(brain, generator.weights, DIGITS.pseudoBrainGenerator, threads),
    trials: training,
    sigma: DIGITS.sigma,
  };
  const noise: ResidualNoise = {
    ...residuals,
    white: { share: DIGITS.whiteShare, deviations: residualDeviations(residuals) },
  };
  const adapter = await trainBrainAdapter(
    noise,
    training,
    {
      size: DIGITS.brainAdapter,
      plan: PLAN.brainAdapter,
      tau: DIGITS.tau,
      pseudoStimuli: [...training, ...data.painterDigits.map((_, i) => data.stimuli.length + i)],
      inputNoise: DIGITS.adapterInputNoise,
    },
    { ...run, seed: own + 2 },
  );
  const brainAdapter = brainAdapterNetwork(adapter.weights, { ...DIGITS.brainAdapter, voxels: brain.voxels });
  const pseudoBrainGenerator = pseudoBrainNetwork(generator.weights, {
    ...DIGITS.pseudoBrainGenerator,
    outputs: brain.voxels,
    embeddingSize: GEOMETRY.embeddingSize,
  });
  return { brain, noise, brainAdapter, pseudoBrainGenerator };
}

/** Trains the fold's networks and writes them as a bundle like any other; gives its folder, and all trials' signals. */
export async function trainFold(
  data: DigitsData,
  shared: SharedNetworks,
  fold: Fold,
  run: RunOptions,
): Promise<{ bundle: string; signals: Float32Array }> {
  const { imageSizePx, latentSide } = DIGITS;
  const { brain, noise, brainAdapter, pseudoBrainGenerator } = await trainFoldBrain(data, shared, fold, run);
  const threads = run.threads ? { threads: run.threads } : {};
  const conditioner = await pseudoSignalConditioner({ pseudoBrainGenerator, brainAdapter }, noise, threads);
  const diffusion = await trainDiffusion(
    shared.pool,
    { ...DIFFUSION, plan: PLAN.diffusion },
    alphasCumprod(OWN_SCHEDULER),
    conditioner.condition,
    { ...run, seed: seedOf(fold) + 3, initial: shared.start },
  );
  await conditioner.close();
  const unet = { ...DIGITS.unet, latentChannels: GEOMETRY.latentChannels };
  const bundle = join(run.folder, 'bundle');
  await writeBundle(bundle, {
    conventions: {
      formatVersion: 1,
      name: `digits-fold-${fold.index + 1}`,
      imageSizePx,
      vaeScaleFactor: imageSizePx / latentSide,
      latentChannels: GEOMETRY.latentChannels,
      latentScalingFactor: shared.pool.scale,
      unetInputOrder: ['noise', 'image', 'mask'],
      unetMaskMeaning: 'keep',
      maskDownscale: 'any',
      maskedFill: 0,
      conditionSize: GEOMETRY.embeddingSize,
      unconditional: 'zeros',
      voxels: brain.voxels,
      subject: { label: '01', simulated: false },
      defaults: DIGITS.paint,
      cropContext: 1,
    },
    scheduler: OWN_SCHEDULER,
    components: {
      unet: {
        model: unetNetwork(diffusion.weights, {
          ...unet,
          latentSide,
          conditionSize: GEOMETRY.embeddingSize,
        }),
        config: unet,
      },
      vae_encoder: { model: shared.vaeEncoder, config: DIGITS.autoencoder },
      vae_decoder: { model: shared.vaeDecoder, config: DIGITS.autoencoder },
      image_encoder: { model: shared.imageEncoder, config: DIGITS.imageEncoder },
      brain_adapter: { model: brainAdapter, config: DIGITS.brainAdapter },
      pseudo_brain_generator: { model: pseudoBrainGenerator, config: DIGITS.pseudoBrainGenerator },
    },
  });
  return { bundle, signals: brain.betas };
}
