// A study's pilot: simulated raters answer its design, to say before launch how wide the intervals will be. Pure but for time.

import { setImmediate } from 'node:timers/promises';
import type { Design } from '../design/design.js';
import { ratingTasks } from '../design/tasks.js';
import { createRng } from '../random.js';
import { crossedMean } from '../stats/crossed-mean.js';
import { pairRatings } from '../stats/ratings.js';
import { expectedRating, type RaterModel, simulateRatings } from '../stats/simulated-raters.js';

export interface PilotOptions {
  readonly seed: number;
  /** Difference between the first two arms on the latent scale, in standard deviations of a single answer's noise. */
  readonly difference: number;
  readonly studies: number;
}

export interface PilotResult {
  readonly seed: number;
  readonly studies: number;
  readonly resamples: number;
  readonly model: RaterModel;
  readonly arms: readonly [string, string];
  readonly criteria: readonly {
    readonly criterion: string;
    /** On the rating scale, as planted. */
    readonly plantedDifference: number;
    /** Mean width of the 95 % interval of the mean paired difference; null where none had one. */
    readonly expectedWidth: number | null;
    /** Share of the simulated studies whose interval leaves 0 out. */
    readonly power: number;
  }[];
}

const RESAMPLES = 400;

/** Raters who differ in bias and taste, on a scale of three (Thurstonian, as eval:coverage's population "mixed"). */
function modelOf(criteria: readonly string[], arms: readonly string[], difference: number): RaterModel {
  const merits = Object.fromEntries(arms.map((arm, i) => [arm, i === 0 ? difference : 0]));
  return {
    cutPoints: [-0.5, 0.7],
    merits: Object.fromEntries(criteria.map((criterion) => [criterion, merits])),
    raterBias: 0.5,
    itemEase: 0.6,
    raterByArm: 0.3,
    itemByArm: 0.3,
    noise: 1,
  };
}

/** Simulates the study `studies` times; lets others run between two of them. Needs two arms. */
export async function simulatePilot(plan: Design, options: PilotOptions): Promise<PilotResult> {
  const { criteria, arms: all } = plan.parameters;
  const arms = [all[0]!, all[1]!] as const;
  const model = modelOf(criteria, all, options.difference);
  // Side by side, the two arms are compared on the screens that show both.
  const tasks = ratingTasks(plan).filter(
    ({ slot }) => slot.arms.length === 1 || arms.every((arm) => slot.arms.includes(arm)),
  );
  const widths = new Map(criteria.map((criterion) => [criterion, [] as number[]]));
  const detected = new Map(criteria.map((criterion) => [criterion, 0]));
  for (let study = 0; study < options.studies; study++) {
    await setImmediate();
    const ratings = simulateRatings(model, tasks, createRng((options.seed + study) % 2 ** 32));
    for (const criterion of criteria) {
      const pairs = pairRatings(ratings, criterion, ...arms);
      const { studentised } = crossedMean(pairs, pairs.difference, {
        seed: options.seed,
        createRandom: createRng,
        resamples: RESAMPLES,
        confidence: 0.95,
      });
      if (studentised.status === 'UNDEFINED') continue;
      const { low, high } = studentised.value;
      widths.get(criterion)!.push(high - low);
      if (low > 0 || high < 0) detected.set(criterion, detected.get(criterion)! + 1);
    }
  }
  return {
    seed: options.seed,
    studies: options.studies,
    resamples: RESAMPLES,
    model,
    arms,
    criteria: criteria.map((criterion) => {
      const known = widths.get(criterion)!;
      return {
        criterion,
        plantedDifference:
          expectedRating(model, criterion, arms[0]) - expectedRating(model, criterion, arms[1]),
        expectedWidth:
          known.length === 0 ? null : known.reduce((sum, width) => sum + width, 0) / known.length,
        power: detected.get(criterion)! / options.studies,
      };
    }),
  };
}
