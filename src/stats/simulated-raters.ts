// Simulated raters: a cumulative-probit model with a planted difference between arms, for pilots and for coverage.

import { AppError } from '../errors.js';
import { normalTail } from './distributions.js';
import type { RandomSource } from './random.js';
import type { Rating } from './ratings.js';

/**
 * A rating is 1 + the number of cut points below a latent value: the arm's merit + rater's bias + item's ease
 * + rater's and item's own liking of the arm + noise, all normal (McCullagh 1980, with crossed random effects).
 */
export interface RaterModel {
  /** Ascending; two of them make a scale of three. */
  readonly cutPoints: readonly number[];
  /** merits[criterion][arm] on the latent scale: the planted difference. */
  readonly merits: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Standard deviations. */
  readonly raterBias: number;
  readonly itemEase: number;
  readonly raterByArm: number;
  readonly itemByArm: number;
  readonly noise: number;
}

/** One painting that a rater is asked to rate on one criterion. */
export type RatingTask = Omit<Rating, 'value'>;

/** Answers every task in order; effects are drawn at first need, so the same seed and tasks give the same ratings. */
export function simulateRatings(
  model: RaterModel,
  tasks: Iterable<RatingTask>,
  random: RandomSource,
): Rating[] {
  checkModel(model);
  const effects = new Map<string, number>();
  const effect = (sd: number, key: string) => {
    let value = effects.get(key);
    if (value === undefined) {
      value = sd * random.normal();
      effects.set(key, value);
    }
    return value;
  };
  return Array.from(tasks, (task) => {
    const { rater, item, arm, criterion } = task;
    const latent =
      meritOf(model, criterion, arm) +
      effect(model.raterBias, `r/${rater}`) +
      effect(model.itemEase, `i/${item}`) +
      effect(model.raterByArm, `ra/${arm}/${rater}`) +
      effect(model.itemByArm, `ia/${arm}/${item}`) +
      model.noise * random.normal();
    return { rater, item, arm, criterion, value: 1 + model.cutPoints.filter((cut) => latent > cut).length };
  });
}

/** The expected rating over all raters and items, exactly: 1 + sum over cut points of P(latent > cut). */
export function expectedRating(model: RaterModel, criterion: string, arm: string): number {
  checkModel(model);
  const { raterBias, itemEase, raterByArm, itemByArm, noise } = model;
  const deviation = Math.hypot(raterBias, itemEase, raterByArm, itemByArm, noise);
  const merit = meritOf(model, criterion, arm);
  return model.cutPoints.reduce((sum, cut) => sum + normalTail((cut - merit) / deviation), 1);
}

function meritOf(model: RaterModel, criterion: string, arm: string): number {
  const merit = model.merits[criterion]?.[arm];
  if (merit !== undefined) return merit;
  throw new AppError('BAD_INPUT', `The model plants no merit for arm ${arm} on criterion ${criterion}.`, {
    field: 'merits',
  });
}

function checkModel(model: RaterModel): void {
  const { cutPoints } = model;
  if (cutPoints.length === 0 || cutPoints.some((cut, i) => i > 0 && cut <= cutPoints[i - 1]!)) {
    throw new AppError('BAD_INPUT', `cutPoints must ascend; got ${cutPoints.join(', ')}.`, {
      field: 'cutPoints',
    });
  }
  for (const field of ['raterBias', 'itemEase', 'raterByArm', 'itemByArm', 'noise'] as const) {
    if (model[field] >= 0 && Number.isFinite(model[field])) continue;
    throw new AppError('BAD_INPUT', `${field} is a standard deviation: 0 or more; got ${model[field]}.`, {
      field,
    });
  }
  if (model.noise === 0) {
    throw new AppError('BAD_INPUT', 'noise must be above 0: raters without noise are no raters.', {
      field: 'noise',
    });
  }
}
