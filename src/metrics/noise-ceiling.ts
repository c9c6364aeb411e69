// How much of a signal survives the noise, voxel by voxel, as the Natural Scenes Dataset defines it.

import { AppError } from '../errors.js';

/** Betas with the stimulus of each row. */
export interface RepeatedTrials {
  /** Row-major [trials, voxels]. */
  readonly betas: Float32Array;
  readonly trials: readonly { readonly stimulus: number }[];
}

/**
 * ncsnr per voxel [voxels], estimated from repeated trials: signal sd / noise sd, with the noise variance taken
 * within a stimulus (ddof 1) and the signal variance what is left of the total (Allen et al. 2022, Methods).
 * Give z-scored betas; stimuli with one trial count for the total only. BAD_INPUT when no stimulus is repeated.
 */
export function estimateNoiseCeilingSnr(sessions: readonly RepeatedTrials[], voxels: number): Float32Array {
  const rows = new Map<number, Float32Array[]>();
  for (const { betas, trials } of sessions) {
    if (betas.length !== trials.length * voxels) {
      throw new AppError(
        'BAD_INPUT',
        `betas hold ${betas.length} values for ${trials.length} trials x ${voxels} voxels`,
        { field: 'betas' },
      );
    }
    trials.forEach(({ stimulus }, row) => {
      const found = rows.get(stimulus) ?? [];
      found.push(betas.subarray(row * voxels, (row + 1) * voxels));
      rows.set(stimulus, found);
    });
  }
  const all = [...rows.values()];
  const trialCount = all.reduce((sum, trials) => sum + trials.length, 0);
  const freedom = trialCount - all.length;
  if (freedom < 1) {
    throw new AppError('BAD_INPUT', 'no stimulus was shown twice: a noise ceiling needs repetitions', {
      field: 'sessions',
    });
  }
  return Float32Array.from({ length: voxels }, (_, v) => {
    let [sum, squares, within] = [0, 0, 0];
    for (const trials of all) {
      let own = 0;
      for (const trial of trials) {
        own += trial[v]!;
        squares += trial[v]! ** 2;
      }
      sum += own;
      for (const trial of trials) within += (trial[v]! - own / trials.length) ** 2;
    }
    const noise = within / freedom;
    const total = (squares - (sum * sum) / trialCount) / (trialCount - 1);
    return noise > 0 ? Math.sqrt(Math.max(0, total - noise) / noise) : 0;
  });
}

/**
 * The largest share of variance, in percent, that a model can explain in the mean of `repetitions` trials. Where their
 * number differs by stimulus, give 1 / mean(1 / number).
 */
export function noiseCeilingPercent(ncsnr: number, repetitions: number): number {
  const power = ncsnr * ncsnr;
  return (100 * power) / (power + 1 / repetitions);
}
