// Hyper-parameters of a training run: their defaults, which are ours (the paper names none), and their limits.

import { AppError } from '../errors.js';

/** Optimiser settings that every stage has. */
export type StageSettings = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly emaDecay: number;
};

export type BrainStageSettings = StageSettings & {
  readonly hidden: number;
  readonly blocks: number;
};

export type Prediction = 'epsilon' | 'v_prediction';

export type DiffusionStageSettings = StageSettings & {
  readonly poolSize: number;
  readonly conditionDropout: number;
  readonly keptWeight: number;
  readonly maskProbabilities: {
    readonly inpaint: number;
    readonly outpaint: number;
    readonly random: number;
  };
  readonly predictionType: Prediction;
};

export type JudgeSettings = StageSettings & {
  /** Labels of fewer training pictures are left out. */
  readonly leastPictures: number;
  readonly paintedTrials: number;
};

export type TrainingSettings = {
  readonly seed: number;
  readonly tau: number;
  readonly sigmaLow: number;
  readonly sigmaHigh: number;
  readonly checkpointEvery: number;
  readonly pseudoBrainGenerator: BrainStageSettings;
  readonly brainAdapter: BrainStageSettings;
  readonly diffusion: DiffusionStageSettings;
  readonly judge: JudgeSettings;
};

/** What a caller may give: any part of it. */
export type Given<T> = {
  readonly [K in keyof T]?: (T[K] extends object ? Given<T[K]> : T[K]) | null | undefined;
};

const STAGE = { learningRate: 1e-3, weightDecay: 0.01, emaDecay: 0.99 };

function defaults(
  trainingStimuli: number,
  predictionType: Prediction,
  quickPainter: boolean,
): TrainingSettings {
  const batch = Math.min(128, trainingStimuli);
  return {
    seed: 0,
    tau: 0.07,
    sigmaLow: 0.4,
    sigmaHigh: 1.1,
    checkpointEvery: 100,
    pseudoBrainGenerator: { ...STAGE, steps: 900, batch, hidden: 512, blocks: 2 },
    brainAdapter: { ...STAGE, steps: 1000, batch, hidden: 768, blocks: 2 },
    diffusion: {
      ...STAGE,
      steps: 2000,
      batch: 32,
      learningRate: 3e-4,
      emaDecay: 0.999,
      poolSize: 4000,
      conditionDropout: 0.12,
      keptWeight: 0.15,
      maskProbabilities: { inpaint: 0.5, outpaint: 0.3, random: 0.2 },
      predictionType,
    },
    judge: {
      ...STAGE,
      steps: 500,
      batch: 64,
      learningRate: 2e-3,
      leastPictures: 8,
      // A UNet of another architecture may take minutes a painting.
      paintedTrials: quickPainter ? 48 : 0,
    },
  };
}

/** Defaults with what was given over them; null counts as absent. */
function merge<T extends object>(base: T, given: Given<T> | null | undefined): T {
  const entries = Object.entries(base).map(([key, value]) => {
    const own = given?.[key as keyof T];
    if (own === null || own === undefined) return [key, value];
    return [key, typeof value === 'object' ? merge(value, own as Given<object>) : own];
  });
  return Object.fromEntries(entries) as T;
}

type Limit = readonly [low: number, high: number, kind: 'whole' | 'any' | 'over' | 'under'];

const STAGE_LIMITS: Readonly<Record<string, Limit>> = {
  steps: [1, 1_000_000, 'whole'],
  batch: [1, 100_000, 'whole'],
  learningRate: [0, 1e9, 'over'],
  weightDecay: [0, 1000, 'any'],
  emaDecay: [0, 1, 'under'],
};
const BRAIN_LIMITS = { ...STAGE_LIMITS, hidden: [1, 16_384, 'whole'], blocks: [0, 64, 'whole'] } as const;
const LIMITS: Readonly<Record<string, Limit | Readonly<Record<string, Limit>>>> = {
  seed: [0, 0xffffffff, 'whole'],
  tau: [0, 10, 'over'],
  sigmaLow: [0, 10, 'any'],
  sigmaHigh: [0, 10, 'any'],
  checkpointEvery: [1, 1_000_000, 'whole'],
  pseudoBrainGenerator: BRAIN_LIMITS,
  brainAdapter: BRAIN_LIMITS,
  diffusion: {
    ...STAGE_LIMITS,
    poolSize: [1, 1_000_000, 'whole'],
    conditionDropout: [0, 1, 'under'],
    keptWeight: [0, 1, 'any'],
  },
  judge: {
    ...STAGE_LIMITS,
    batch: [1, 4096, 'whole'],
    leastPictures: [1, 1_000_000, 'whole'],
    paintedTrials: [0, 10_000, 'whole'],
  },
};

/** Weights that the engine can train in one stage: WebAssembly's 4 GiB over five numbers each. */
const MOST_WEIGHTS = 214_000_000;
/** A pool lies in memory whole, beside the networks. */
const MOST_POOL_BYTES = 8 * 2 ** 30;

/** Weights of a brain network: linear in, blocks of a norm and two linear layers, norm, linear out (train/models/brain.ts). */
export function countBrainWeights(
  { hidden, blocks }: Pick<BrainStageSettings, 'hidden' | 'blocks'>,
  inputs: number,
  outputs: number,
): number {
  const linear = (from: number, to: number) => (from + 1) * to;
  const norm = 2 * hidden;
  const block = norm + 2 * linear(hidden, hidden);
  return linear(inputs, hidden) + blocks * block + norm + linear(hidden, outputs);
}

function fail(field: string, message: string): never {
  throw new AppError('BAD_INPUT', message, { field });
}

function checkNumbers(values: object, limits: typeof LIMITS, path: string): void {
  for (const [name, limit] of Object.entries(limits)) {
    const field = `${path}.${name}`;
    const value = (values as Record<string, unknown>)[name];
    if (!Array.isArray(limit)) {
      checkNumbers(value as object, limit as Readonly<Record<string, Limit>>, field);
      continue;
    }
    const [low, high, kind] = limit as Limit;
    const x = value as number;
    const inside =
      x >= low && x <= high && !(kind === 'over' && x === low) && !(kind === 'under' && x === high);
    if (inside && (kind !== 'whole' || Number.isInteger(x))) continue;
    const range = `${kind === 'over' ? `over ${low}` : `from ${low}`} ${kind === 'under' ? `to under ${high}` : `to ${high}`}`;
    fail(field, `${field} must be ${kind === 'whole' ? 'a whole number ' : ''}${range}, it is ${x}`);
  }
}

/** What settings are checked against. */
export interface SettingsFacts {
  readonly trainingStimuli: number;
  readonly prediction: Prediction;
  readonly voxels: number;
  /** Width of the base's embeddings, as far as it is known without opening a network; else 0. */
  readonly embeddingSize: number;
  /** What a sample of the pool takes. */
  readonly poolSampleBytes: number;
  /** Whether the base's UNet is of our architecture. */
  readonly quickPainter: boolean;
}

/** Refuses networks and pools that the engine has no room for. */
function checkRoom(settings: TrainingSettings, facts: SettingsFacts): void {
  const { voxels, embeddingSize, poolSampleBytes } = facts;
  for (const stage of ['pseudoBrainGenerator', 'brainAdapter'] as const) {
    const weights = countBrainWeights(settings[stage], voxels, embeddingSize);
    if (weights <= MOST_WEIGHTS) continue;
    const { hidden, blocks } = settings[stage];
    fail(
      `settings.${stage}.hidden`,
      `${blocks} blocks of ${hidden} at ${voxels} voxels have ${weights} weights; at most ${MOST_WEIGHTS} can be trained`,
    );
  }
  const { poolSize } = settings.diffusion;
  const most = Math.floor(MOST_POOL_BYTES / poolSampleBytes);
  if (poolSize > most)
    fail(
      'settings.diffusion.poolSize',
      `a pool of ${poolSize} would take ${((poolSize * poolSampleBytes) / 2 ** 30).toFixed(1)} GiB of memory; with this base at most ${most} fit`,
    );
}

/** Fills in the defaults and checks every value. Throws AppError BAD_INPUT on the first field at fault. */
export function fillSettings(
  given: Given<TrainingSettings> | null | undefined,
  facts: SettingsFacts,
): TrainingSettings {
  const settings = merge(defaults(facts.trainingStimuli, facts.prediction, facts.quickPainter), given);
  checkNumbers(settings, LIMITS, 'settings');
  checkRoom(settings, facts);
  const { sigmaLow, sigmaHigh, diffusion } = settings;
  if (sigmaLow > sigmaHigh)
    fail('settings.sigmaLow', `the lowest sigma (${sigmaLow}) is over the highest (${sigmaHigh})`);
  for (const stage of ['pseudoBrainGenerator', 'brainAdapter'] as const) {
    const { batch } = settings[stage];
    if (batch > facts.trainingStimuli) {
      fail(
        `settings.${stage}.batch`,
        `a batch of ${batch} is larger than the training set of ${facts.trainingStimuli} stimuli`,
      );
    }
  }
  if (diffusion.batch > diffusion.poolSize) {
    fail(
      'settings.diffusion.batch',
      `a batch of ${diffusion.batch} is larger than the pool of ${diffusion.poolSize} masked pictures`,
    );
  }
  const { inpaint, outpaint, random } = diffusion.maskProbabilities;
  if (![inpaint, outpaint, random].every((p) => p >= 0) || Math.abs(inpaint + outpaint + random - 1) > 1e-6) {
    fail(
      'settings.diffusion.maskProbabilities',
      `mask probabilities must be at least 0 and sum to 1, they are ${inpaint}, ${outpaint} and ${random}`,
    );
  }
  if (diffusion.predictionType !== facts.prediction) {
    fail(
      'settings.diffusion.predictionType',
      `the base model's scheduler expects ${facts.prediction}, not ${diffusion.predictionType}`,
    );
  }
  return settings;
}
