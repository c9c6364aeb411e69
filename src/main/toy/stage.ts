// One training stage: steps with a cosine schedule, progress lines, checkpoints, exact resume.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Builder } from '../../graph/builder.js';
import type { Tensor } from '../../runtime/session.js';
import { createRng, type Rng } from '../../train/rng.js';
import { buildStepGraph, type Objective } from '../../train/step-graph.js';
import { createTrainer } from '../../train/trainer.js';
import { PLAN, type Stage } from './settings.js';

export interface StageResult {
  readonly weights: Record<string, Float32Array>;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly seconds: number;
  readonly parameterCount: number;
}

export interface StageOptions {
  readonly folder: string;
  readonly seed: number;
  readonly steps?: number;
  readonly say: (line: string) => void;
  /** Called with the averaged weights now and then, so that a bundle can be written before the end. */
  readonly onSnapshot?: (weights: Record<string, Float32Array>, step: number) => Promise<void>;
}

/** Warm-up over 100 steps, then a cosine down to a twentieth. */
function learningRateAt(step: number, steps: number, peak: number): number {
  const warm = Math.min(1, (step + 1) / 100);
  return peak * warm * (0.05 + 0.95 * 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
}

/** Runs (or resumes, or merely reloads) a stage and gives its averaged weights. */
export async function trainStage(
  stage: Stage,
  build: (b: Builder) => Objective,
  feeds: (rng: Rng) => Promise<Record<string, Tensor>> | Record<string, Tensor>,
  options: StageOptions,
): Promise<StageResult> {
  const { folder, seed, say, onSnapshot } = options;
  const plan = PLAN[stage];
  const steps = options.steps ?? plan.steps;
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${stage}.ckpt`);
  const trainer = await createTrainer(buildStepGraph(stage, build), { seed });
  const rng = createRng(seed + 1);
  let losses: { step: number; loss: number }[] = [];
  let seconds = 0;
  if (existsSync(path)) {
    const extra = (await trainer.load(path)) as { rng: number[]; losses: typeof losses; seconds: number };
    rng.restore(extra.rng);
    ({ losses, seconds } = extra);
    say(`${stage}: resumed at step ${trainer.stepsDone()}`);
  }
  let sum = 0;
  let count = 0;
  let since = performance.now();
  const save = async () => {
    seconds += (performance.now() - since) / 1000;
    since = performance.now();
    await trainer.save(path, { rng: rng.state(), losses, seconds });
  };
  while (trainer.stepsDone() < steps) {
    const step = trainer.stepsDone();
    const result = await trainer.step(await feeds(rng), {
      learningRate: learningRateAt(step, steps, plan.learningRate),
      emaDecay: plan.emaDecay,
    });
    sum += result.loss;
    count += 1;
    if ((step + 1) % 50 === 0) {
      losses.push({ step: step + 1, loss: sum / count });
      const rate = ((step + 1) * plan.batch) / (seconds + (performance.now() - since) / 1000);
      const metrics = Object.entries(result.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
      say(
        `${stage} ${step + 1}/${steps} loss ${(sum / count).toFixed(4)} ${metrics.join(' ')} ${rate.toFixed(1)}/s`,
      );
      sum = 0;
      count = 0;
    }
    if ((step + 1) % 200 === 0) await save();
    if (onSnapshot && (step + 1) % 500 === 0) await onSnapshot(trainer.weights('average'), step + 1);
  }
  await save();
  const result = {
    weights: trainer.weights('average'),
    losses,
    seconds,
    parameterCount: trainer.parameterCount,
  };
  await trainer.close();
  return result;
}
