// Which group rates which items.

import type { RandomSource } from '../stats/random.js';
import {
  type DesignItem,
  type DesignParameters,
  fail,
  itemsPerGroup,
  mostFrequent,
  pairsOfArms,
} from './parameters.js';

export interface GroupItem extends DesignItem {
  /** Rated by every group. */
  readonly bridging: boolean;
}

/** Deals the items to groups at random, each source as evenly as can be; BAD_INPUT if one source fills a group. */
export function dealItems(parameters: DesignParameters, random: RandomSource): GroupItem[][] {
  const { items, groups, bridgingItems } = parameters;
  const bySource = new Map<string, DesignItem[]>();
  for (const item of random.shuffle([...items])) {
    bySource.set(item.source, [...(bySource.get(item.source) ?? []), item]);
  }
  // Bridging items come from different sources first; the sort is stable, so the choice stays random.
  const ranked = [...bySource.values()].flatMap((same) =>
    same.map((item, occurrence) => ({ item, occurrence })),
  );
  const order = random.shuffle(ranked).sort((a, b) => a.occurrence - b.occurrence);
  const bridging = new Set(order.slice(0, bridgingItems).map(({ item }) => item));

  const dealt: GroupItem[][] = Array.from({ length: groups }, () =>
    [...bridging].map((item) => ({ ...item, bridging: true })),
  );
  // Sources one after another around the table: no group has two more of a source than another.
  [...bySource.values()]
    .flat()
    .filter((item) => !bridging.has(item))
    .forEach((item, turn) => {
      dealt[turn % groups]!.push({ ...item, bridging: false });
    });

  const shots = pairsOfArms(parameters).length;
  const screens = itemsPerGroup(parameters) * shots;
  const most = Math.max(...dealt.map((group) => mostFrequent(group.map(({ source }) => source))));
  if (most * shots > Math.ceil(screens / 2)) {
    fail(
      'items',
      `one source is on ${most * shots} of a rater's ${screens} screens and would follow itself`,
      `one source on ${Math.ceil(screens / 2)} screens of a rater or fewer: more sources, or more groups`,
    );
  }
  return dealt;
}
