// What all folds share: autoencoder, image encoder, the pool, the UNet's start, and the judge. All of it is trained on
// digits without fMRI, so no fold's held-out trial, signal, picture or label, can be in it.

import { join } from 'node:path';
import { alphasCumprod } from '../../painter/scheduler.js';
import { createRng, type Rng } from '../../random.js';
import { openSession, type Session } from '../../runtime/session.js';
import { buildPool, type DiffusionPool } from '../../train/diffusion-pool.js';
import { type Conditioner, trainDiffusion } from '../../train/diffusion-stage.js';
import { judgeNetwork, judgeObjective } from '../../train/judge.js';
import { imageEncoderNetwork, vaeDecoderNetwork, vaeEncoderNetwork } from '../../train/networks.js';
import { autoencoderObjective } from '../../train/objectives.js';
import { cachedPool } from '../../train/pool-file.js';
import { type StageOptions, trainStage, type Weights } from '../../train/stage.js';
import { OWN_SCHEDULER } from '../own-scheduler.js';
import type { DigitsData } from './dataset.js';
import {
  digitAutoencoderBatch,
  embedDigits,
  maskedDigitBatch,
  maskedDigitObjective,
  meanDigit,
  sampleMaskedDigit,
} from './image-encoder.js';
import { JUDGE, judgeBatch, labelByAxis, nameAxis, turnAxis } from './judge.js';
import { DIGITS, GEOMETRY, PLAN } from './settings.js';

/** A stage's options without the seed, which each stage has of its own. */
export type RunOptions = Omit<StageOptions, 'seed'>;

export interface SharedNetworks {
  readonly vaeEncoder: Uint8Array;
  readonly vaeDecoder: Uint8Array;
  readonly imageEncoder: Uint8Array;
  readonly pool: DiffusionPool;
  /** The UNet before any fold's fine-tuning. */
  readonly start: Weights;
  /** Z of the painter's digits, [digits, embedding]: pseudo signals are made of them. */
  readonly digitEmbeddings: Float32Array;
  /** Z of the stimuli, [trials, embedding]. */
  readonly stimulusEmbeddings: Float32Array;
}

/** The condition of the UNet's start: the embedding itself, as noisy as an adapted signal, at an adapted signal's length. */
const noisyEmbedding: Conditioner = async (embeddings, rng) => {
  const { embeddingSize: size } = GEOMETRY;
  const conditions = rng.fillNormal(new Float32Array(embeddings.length));
  for (let at = 0; at < conditions.length; at += size) {
    const level = 0.2 + rng.uniform();
    let squares = 0;
    for (let k = at; k < at + size; k++) {
      conditions[k] = embeddings[k]! + level * conditions[k]!;
      squares += conditions[k]! ** 2;
    }
    const scale = Math.sqrt(size / squares);
    for (let k = at; k < at + size; k++) conditions[k]! *= scale;
  }
  return conditions;
};

/** The diffusion's settings but for its plan. */
export const DIFFUSION = {
  size: DIGITS.unet,
  conditionSize: GEOMETRY.embeddingSize,
  prediction: 'v_prediction',
  conditionDropout: DIGITS.conditionDropout,
  keptWeight: DIGITS.keptWeight,
} as const;

/** Trains (or reloads) everything shared but the judge. */
export async function trainShared(data: DigitsData, run: RunOptions): Promise<SharedNetworks> {
  const { painterDigits: digits, stimuli } = data;
  const { seed, imageSizePx, latentSide } = DIGITS;
  const autoencoder = await trainStage(
    'autoencoder',
    PLAN.autoencoder,
    (b) =>
      autoencoderObjective(b, {
        ...DIGITS.autoencoder,
        batch: PLAN.autoencoder.batch,
        imageSizePx,
        kl: DIGITS.kl,
      }),
    (rng) => digitAutoencoderBatch(rng, digits),
    { ...run, seed: seed + 1 },
  );
  const mean = meanDigit(digits);
  const encoder = await trainStage(
    'imageEncoder',
    PLAN.imageEncoder,
    maskedDigitObjective,
    (rng) => maskedDigitBatch(rng, digits, mean),
    { ...run, seed: seed + 2 },
  );
  const vaeEncoder = vaeEncoderNetwork(autoencoder.weights, { ...DIGITS.autoencoder, imageSizePx });
  const imageEncoder = imageEncoderNetwork(encoder.weights, { ...DIGITS.imageEncoder, imageSizePx });
  const threads = run.threads ? { threads: run.threads } : {};
  const sessions = {
    vaeEncoder: await openSession(vaeEncoder, threads),
    imageEncoder: await openSession(imageEncoder, threads),
  };
  const draw = (rng: Rng) => sampleMaskedDigit(rng, digits);
  const pool = await cachedPool(join(run.folder, 'pool.bin'), () =>
    buildPool(sessions, GEOMETRY, DIGITS.poolSize, draw, createRng(seed + 3)),
  );
  const digitEmbeddings = await embedDigits(sessions.imageEncoder, digits);
  const stimulusEmbeddings = await embedDigits(sessions.imageEncoder, stimuli);
  for (const session of Object.values(sessions)) await session.close();
  const start = await trainDiffusion(
    pool,
    { ...DIFFUSION, plan: PLAN.start },
    alphasCumprod(OWN_SCHEDULER),
    noisyEmbedding,
    { ...run, seed: seed + 4 },
  );
  return {
    vaeEncoder,
    vaeDecoder: vaeDecoderNetwork(autoencoder.weights, { ...DIGITS.autoencoder, latentSide }),
    imageEncoder,
    pool,
    start: start.weights,
    digitEmbeddings,
    stimulusEmbeddings,
  };
}

/** Trains (or reloads) the judge on its own digits. */
export async function trainJudge(data: DigitsData, run: RunOptions): Promise<Session> {
  const seed = DIGITS.seed + 500;
  const axis = turnAxis(data.judgeDigits, createRng(seed));
  const digits = labelByAxis(data.judgeDigits, nameAxis(axis, data.stimuli, data.labels));
  const { weights } = await trainStage(
    'judge',
    PLAN.judge,
    (b) => judgeObjective(b, JUDGE, PLAN.judge.batch),
    (rng) => judgeBatch(rng, digits),
    { ...run, seed },
  );
  return openSession(judgeNetwork(weights, JUDGE), run.threads ? { threads: run.threads } : {});
}
