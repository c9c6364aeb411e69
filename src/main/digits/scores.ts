// The benchmark's figures from the held-out trials of the folds that ran.

import { cosineSimilarities, twoWayIdentification } from '../../metrics/brain.js';
import type { HeldOutTrial, PaintingKind } from './fold.js';

export interface DigitsScores {
  readonly trials: number;
  readonly fullMaskAccuracy: number;
  readonly centreMaskAccuracy: number;
  readonly halfMaskAccuracy: number;
  /** Full mask by another trial's signal, against the trial's own digit: 0.5 where the signal decides. */
  readonly shuffledAccuracy: number;
  /** The same paintings against the digit of the trial that lent its signal. */
  readonly shuffledFollowsDonor: number;
  /** Donors that saw the trial's own digit: half of the trials balance the null. */
  readonly shuffledSameDigitDonors: number;
  /** Adapted signals of held-out trials among the true embeddings of all held-out stimuli; chance 0.5. */
  readonly retrievalTwoWay: number;
  /** The same among stimuli of the trial's own digit only: what is known beyond six or nine; chance 0.5. */
  readonly retrievalTwoWaySameDigit: number;
  readonly outsideMaskDifferentPixels: number;
}

/** Two-way identification among some trials; `embeddings` is Z of all stimuli, [stimuli, size]. */
function identify(trials: readonly HeldOutTrial[], embeddings: Float32Array): number {
  const size = trials[0]!.adapted.length;
  const adapted = Float32Array.from(trials.flatMap((t) => t.adapted));
  const truth = Float32Array.from(
    trials.flatMap(({ trial }) => [...embeddings.subarray(trial * size, (trial + 1) * size)]),
  );
  return twoWayIdentification(cosineSimilarities(adapted, truth, size), trials.length);
}

export function scoreTrials(
  results: readonly HeldOutTrial[],
  labels: readonly number[],
  embeddings: Float32Array,
): DigitsScores {
  const share = (kind: PaintingKind, expected: (result: HeldOutTrial) => number) =>
    results.filter((result) => result.judged[kind] === labels[expected(result)]).length / results.length;
  const own = (result: HeldOutTrial) => result.trial;
  const byDigit = [0, 1].map((digit) => results.filter(({ trial }) => labels[trial] === digit));
  return {
    trials: results.length,
    fullMaskAccuracy: share('full', own),
    centreMaskAccuracy: share('centre', own),
    halfMaskAccuracy: share('half', own),
    shuffledAccuracy: share('shuffled', own),
    shuffledFollowsDonor: share('shuffled', (result) => result.donor),
    shuffledSameDigitDonors: results.filter(({ trial, donor }) => labels[trial] === labels[donor]).length,
    retrievalTwoWay: identify(results, embeddings),
    retrievalTwoWaySameDigit:
      byDigit.reduce((sum, trials) => sum + trials.length * identify(trials, embeddings), 0) / results.length,
    outsideMaskDifferentPixels: results.reduce((sum, result) => sum + result.outsideMaskDifferentPixels, 0),
  };
}
