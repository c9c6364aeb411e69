// One training stage: optimiser steps with a cosine schedule, progress, checkpoints, exact resume, a clean stop.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import type { Builder } from '../graph/builder.js';
import { createRng, type Rng } from '../random.js';
import type { Tensor } from '../runtime/session.js';
import { ADAMW, buildStepGraph, type Objective } from './step-graph.js';
import { createTrainer } from './trainer.js';

/** Weights by the parameter names of their graph. */
export type Weights = Readonly<Record<string, Float32Array>>;

export interface StagePlan {
  readonly steps: number;
  readonly batch: number;
  /** Peak of the schedule. */
  readonly learningRate: number;
  readonly emaDecay: number;
  /** Absent: that of ADAMW. */
  readonly weightDecay?: number;
}

export interface StageProgress {
  readonly stage: string;
  /** Steps done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Means since the last report. */
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly samplesPerSecond: number;
}

export interface StageResult {
  readonly weights: Weights;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly seconds: number;
  readonly parameterCount: number;
  readonly plan: StagePlan;
}

/** What a caller decides about the run of a stage, beside what it trains. */
export interface StageOptions {
  /** Checkpoints are kept here as <stage>.ckpt; a second run goes on from them, or merely reloads a finished stage. */
  readonly folder: string;
  readonly seed: number;
  readonly threads?: number;
  /** Weights to fine-tune from, all of the network's; absent: drawn from the seed. A checkpoint goes before them. */
  readonly initial?: Weights;
  readonly onProgress?: (progress: StageProgress) => void;
  /** Steps between reports (default 50) and between checkpoints (default 200). */
  readonly reportEvery?: number;
  readonly saveEvery?: number;
  /** Called after a checkpoint that lies beyond the one that this run went on from. */
  readonly onCheckpoint?: () => void;
  /** Obeyed between two steps: the stage saves its checkpoint and throws CANCELLED; it can be resumed. */
  readonly abort?: AbortSignal;
  /**
   * Called with the averaged weights every `snapshotEvery` steps: to measure them, or to write a bundle before the end.
   * Reports and snapshots of a step come before its checkpoint, so that a resumed run leaves none out.
   */
  readonly onSnapshot?: (weights: Weights, step: number) => Promise<void>;
  readonly snapshotEvery?: number;
}

/** Warm-up over 100 steps (at most a tenth of the stage), then a cosine down to a twentieth. */
export function learningRateAt(step: number, { steps, learningRate }: StagePlan): number {
  const warm = Math.min(1, (step + 1) / Math.max(1, Math.min(100, steps / 10)));
  return learningRate * warm * (0.05 + 0.95 * 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
}

interface Saved {
  readonly rng: number[];
  readonly losses: { step: number; loss: number }[];
  readonly seconds: number;
  /** Of the report under way. */
  readonly sum: number;
  readonly count: number;
}

/**
 * Runs (or resumes, or merely reloads) a stage and gives its averaged weights. The same seed and feeds give the same
 * losses whether or not the run was interrupted. Throws when a loss is not finite; the last checkpoint stays.
 */
export async function trainStage(
  stage: string,
  plan: StagePlan,
  build: (b: Builder) => Objective,
  feeds: (rng: Rng) => Promise<Record<string, Tensor>> | Record<string, Tensor>,
  options: StageOptions,
): Promise<StageResult> {
  const { folder, seed, threads, initial, onProgress, onCheckpoint, abort, onSnapshot } = options;
  const { weightDecay = ADAMW.weightDecay } = plan;
  const { reportEvery = 50, saveEvery = 200, snapshotEvery = 500 } = options;
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${stage}.ckpt`);
  const trainer = await createTrainer(buildStepGraph(stage, build, { ...ADAMW, weightDecay }), {
    seed,
    ...(initial ? { initial } : {}),
    ...(threads ? { threads } : {}),
  });
  const rng = createRng(seed + 1);
  let losses: { step: number; loss: number }[] = [];
  let seconds = 0;
  let since = performance.now();
  let sum = 0;
  let count = 0;
  let loadedStep = 0;
  const save = async () => {
    seconds += (performance.now() - since) / 1000;
    since = performance.now();
    await trainer.save(path, { rng: rng.state(), losses, seconds, sum, count } satisfies Saved);
    if (trainer.stepsDone() > loadedStep) onCheckpoint?.();
  };
  try {
    if (existsSync(path)) {
      const saved = (await trainer.load(path)) as Saved;
      rng.restore(saved.rng);
      ({ losses, seconds, sum = 0, count = 0 } = saved);
      loadedStep = trainer.stepsDone();
    }
    let reported = performance.now();
    while (trainer.stepsDone() < plan.steps) {
      if (abort?.aborted) {
        await save();
        throw new AppError('CANCELLED', `${stage} was stopped at step ${trainer.stepsDone()}`);
      }
      const step = trainer.stepsDone();
      const result = await trainer.step(await feeds(rng), {
        learningRate: learningRateAt(step, plan),
        emaDecay: plan.emaDecay,
      });
      sum += result.loss;
      count += 1;
      const done = step + 1;
      if (done % reportEvery === 0 || done === plan.steps) {
        losses.push({ step: done, loss: sum / count });
        const samplesPerSecond = (count * plan.batch * 1000) / (performance.now() - reported);
        onProgress?.({
          stage,
          step: done,
          steps: plan.steps,
          loss: sum / count,
          metrics: result.metrics,
          samplesPerSecond,
        });
        sum = 0;
        count = 0;
        reported = performance.now();
      }
      if (onSnapshot && done % snapshotEvery === 0) await onSnapshot(trainer.weights('average'), done);
      if (done % saveEvery === 0) await save();
    }
    await save();
    const { parameterCount } = trainer;
    return { weights: trainer.weights('average'), losses, seconds, parameterCount, plan };
  } finally {
    await trainer.close();
  }
}
