// Folds, and the balanced null: who is held out together, and whose signal stands in for whose.

import type { Rng } from '../../random.js';

/** Held-out trials of each fold, stratified: every fold has the same share of each label. */
export function stratifiedFolds(labels: readonly number[], folds: number, rng: Rng): number[][] {
  const result: number[][] = Array.from({ length: folds }, () => []);
  let next = 0;
  for (const label of new Set(labels)) {
    const members = rng.shuffle(labels.flatMap((l, trial) => (l === label ? [trial] : [])));
    for (const trial of members) result[next++ % folds]!.push(trial);
  }
  return result;
}

/**
 * A donor for each trial: a derangement of them in which `sameLabel` trials (as near as can be) get a donor of their own
 * label. With half of them, a painter that follows the donor's signal scores 0.5 against the trial's own digit.
 */
export function balancedDerangement(
  trials: readonly number[],
  labels: readonly number[],
  sameLabel: number,
  rng: Rng,
): number[] {
  let best: number[] = [];
  let miss = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 2000 && miss > 0; attempt++) {
    const donors = rng.shuffle([...trials]);
    if (donors.some((donor, i) => donor === trials[i])) continue;
    const same = donors.filter((donor, i) => labels[donor] === labels[trials[i]!]).length;
    if (Math.abs(same - sameLabel) < miss) [best, miss] = [donors, Math.abs(same - sameLabel)];
  }
  return best;
}
