// Left and right: exactly half per rater and per item, for every pair of arms.

import type { RandomSource } from '../stats/random.js';
import { type DesignParameters, pairsOfArms } from './parameters.js';

/**
 * [rater of the group][pair of arms][item]: true where the pair is shown swapped. Each rater swaps half of the items, at
 * random, and the next rater swaps the other half, so that both margins are exact.
 */
export function drawSides(parameters: DesignParameters, items: number, random: RandomSource): boolean[][][] {
  const members = parameters.raters / parameters.groups;
  const pairs = pairsOfArms(parameters);
  const sides: boolean[][][] = [];
  for (let member = 0; member < members; member++) {
    const partner = member % 2 === 1 ? sides[member - 1] : undefined;
    sides.push(
      pairs.map((_, pair) =>
        partner
          ? partner[pair]!.map((swapped) => !swapped)
          : random.shuffle(Array.from({ length: items }, (_, i) => 2 * i < items)),
      ),
    );
  }
  return sides;
}
