// Three arms and more: Friedman's rank test over blocks, with Kendall's W as its effect size.

import { AppError } from '../errors.js';
import { chiSquareTail } from './distributions.js';
import { midRanks } from './ranks.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface FriedmanTest {
  readonly blocks: number;
  readonly arms: number;
  readonly meanRanks: readonly number[];
  readonly result: Statistic<{
    readonly chiSquare: number;
    readonly degrees: number;
    readonly pValue: number;
    /** Kendall's W in [0, 1]: chi-square / (blocks * (arms - 1)). */
    readonly kendallW: number;
  }>;
}

/**
 * Friedman's test with the correction for ties (Hollander and Wolfe 1999, eq. 7.8; Kendall and Babington Smith 1939);
 * blocks[b][a] is block b's value for arm a. BAD_INPUT if a block misses an arm or there are fewer than three arms.
 */
export function friedmanTest(blocks: readonly (readonly number[])[]): FriedmanTest {
  const n = blocks.length;
  const k = blocks[0]?.length ?? 0;
  if (k < 3) {
    throw new AppError(
      'BAD_INPUT',
      `Friedman's test needs three arms or more; there are ${k}. Use signTest for two.`,
      {
        field: 'blocks',
      },
    );
  }
  if (blocks.some((block) => block.length !== k || block.some((value) => !Number.isFinite(value)))) {
    throw new AppError('BAD_INPUT', 'Every block needs a value for every arm; leave incomplete blocks out.', {
      field: 'blocks',
    });
  }
  const sums = new Float64Array(k);
  let tieTerm = 0;
  for (const block of blocks) {
    const ranking = midRanks(block);
    for (let a = 0; a < k; a++) sums[a]! += ranking.ranks[a]!;
    tieTerm += ranking.tieTerm;
  }
  const spread = sums.reduce((total, sum) => total + (sum - (n * (k + 1)) / 2) ** 2, 0);
  const scale = n * k * (k + 1) - tieTerm / (k - 1);
  const chiSquare = (12 * spread) / scale;
  return {
    blocks: n,
    arms: k,
    meanRanks: Array.from(sums, (sum) => sum / n),
    result:
      scale === 0
        ? undefinedBecause('all arms are tied in every block')
        : defined({
            chiSquare,
            degrees: k - 1,
            pValue: chiSquareTail(chiSquare, k - 1),
            kendallW: chiSquare / (n * (k - 1)),
          }),
  };
}
