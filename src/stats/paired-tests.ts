// Tests of paired differences: the sign test, to be read first, and Wilcoxon's signed-rank test with Pratt's zeros.
// Both suppose independent differences: give them one value an item or a rater (meansBy), not every single rating.

import { fairBinomialCdf, normalTail } from './distributions.js';
import { midRanks } from './ranks.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface AsymptoticTest {
  readonly z: number;
  /** Two-sided. */
  readonly pValue: number;
}

export interface SignTest {
  readonly positive: number;
  readonly negative: number;
  /** Dropped from the test, and always to be reported with it. */
  readonly ties: number;
  /** Two-sided p of the binomial with probability 1/2. */
  readonly exactPValue: Statistic;
  /** z = (positive - negative) / sqrt(positive + negative), without continuity correction. */
  readonly asymptotic: Statistic<AsymptoticTest>;
}

const NO_DIFFERENCE = undefinedBecause('every pair is tied: no difference has a sign');

/**
 * Sign test of zero median difference (Conover 1999, section 3.4). Weber, Yanagida and Kovacs (Wilcoxon on skewed paired
 * ordinal data inflates the type I error) are why it is the first test of a three-point scale.
 */
export function signTest(differences: Float64Array): SignTest {
  const positive = differences.filter((d) => d > 0).length;
  const negative = differences.filter((d) => d < 0).length;
  const n = positive + negative;
  const counts = { positive, negative, ties: differences.length - n };
  if (n === 0) return { ...counts, exactPValue: NO_DIFFERENCE, asymptotic: NO_DIFFERENCE };
  return {
    ...counts,
    exactPValue: defined(Math.min(1, 2 * fairBinomialCdf(Math.min(positive, negative), n))),
    asymptotic: defined(twoSided((positive - negative) / Math.sqrt(n))),
  };
}

export interface SignedRankTest {
  /** Sum of the ranks of positive differences. */
  readonly positiveRanks: number;
  readonly negativeRanks: number;
  /** Zero differences: ranked with the others, then left out of both sums (Pratt). */
  readonly zeros: number;
  /** Two-sided p of the permutation distribution of the signs, ties and zeros as they are. */
  readonly exactPValue: Statistic;
  readonly asymptotic: Statistic<AsymptoticTest>;
}

/** Beyond this many non-zero differences the normal approximation is used alone. */
export const EXACT_LIMIT = 100;

/**
 * Wilcoxon's signed-rank test with zeros handled as by Pratt (1959); normal approximation with tie correction and
 * without continuity correction (Hollander and Wolfe 1999, section 3.1).
 */
export function signedRankTest(differences: Float64Array): SignedRankTest {
  const { ranks, tieTerm } = midRanks(differences.map(Math.abs));
  const n = differences.length;
  const zeros = differences.filter((d) => d === 0).length;
  const nonZero = ranks.filter((_, i) => differences[i] !== 0);
  const total = nonZero.reduce((sum, rank) => sum + rank, 0);
  const positiveRanks = ranks.reduce((sum, rank, i) => (differences[i]! > 0 ? sum + rank : sum), 0);
  const sums = { positiveRanks, negativeRanks: total - positiveRanks, zeros };
  if (nonZero.length === 0) return { ...sums, exactPValue: NO_DIFFERENCE, asymptotic: NO_DIFFERENCE };

  const pyramid = (m: number) => m * (m + 1) * (2 * m + 1);
  const tiesWithoutZeros = tieTerm - (zeros ** 3 - zeros);
  const variance = (pyramid(n) - pyramid(zeros) - tiesWithoutZeros / 2) / 24;
  return {
    ...sums,
    exactPValue:
      nonZero.length <= EXACT_LIMIT
        ? defined(exactSignedRank(nonZero, positiveRanks))
        : undefinedBecause(`more than ${EXACT_LIMIT} differences: the normal approximation is used`),
    asymptotic: defined(twoSided((positiveRanks - total / 2) / Math.sqrt(variance))),
  };
}

/** Counts sign patterns by their rank sum with a running convolution over doubled ranks, which are whole numbers. */
function exactSignedRank(ranks: Float64Array, positiveRanks: number): number {
  const doubled = Array.from(ranks, (rank) => Math.round(2 * rank));
  const total = doubled.reduce((sum, rank) => sum + rank, 0);
  const probability = new Float64Array(total + 1);
  probability[0] = 1;
  let reached = 0;
  for (const rank of doubled) {
    reached += rank;
    for (let sum = reached; sum >= 0; sum--) {
      probability[sum] = (probability[sum]! + (sum >= rank ? probability[sum - rank]! : 0)) / 2;
    }
  }
  const observed = Math.round(2 * positiveRanks);
  const lower = Math.min(observed, total - observed);
  return Math.min(1, 2 * probability.subarray(0, lower + 1).reduce((sum, p) => sum + p, 0));
}

function twoSided(z: number): AsymptoticTest {
  return { z, pValue: Math.min(1, 2 * normalTail(Math.abs(z))) };
}
