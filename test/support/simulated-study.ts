// Ratings of simulated studies as results see them: a row a rating, in the order of rater, pair and arm.

import { design } from '../../src/design/design.js';
import { ratingTasks } from '../../src/design/tasks.js';
import { createRng } from '../../src/random.js';
import { fillTable, type RatingTable } from '../../src/stats/rating-table.js';
import type { Rating } from '../../src/stats/ratings.js';
import { simulateRatings } from '../../src/stats/simulated-raters.js';

export interface SimulatedStudy {
  readonly name: string;
  readonly layout: 'SINGLE' | 'PAIR';
  readonly arms: readonly string[];
  readonly criteria: readonly string[];
  readonly raters: number;
  readonly groups: number;
  readonly items: number;
  readonly bridgingItems: number;
  /** Every so many-th painting has no rating: it was withdrawn, or its rater left. */
  readonly missing?: number;
}

export interface SimulatedRating extends Rating {
  readonly raterIndex: number;
  readonly group: number;
  readonly itemIndex: number;
  readonly screenArms: readonly string[];
}

/** The studies that test/reference/study-analysis.json has the analyses of. */
export const SIMULATED_STUDIES: readonly SimulatedStudy[] = [
  {
    name: 'two arms side by side, groups with their own pairs',
    layout: 'PAIR',
    arms: ['mindpainter', 'two-stage'],
    criteria: ['realism', 'harmony'],
    raters: 8,
    groups: 2,
    items: 16,
    bridgingItems: 0,
  },
  {
    name: 'three arms side by side, bridging pairs, paintings without ratings',
    layout: 'PAIR',
    arms: ['mindpainter', 'two-stage', 'no brain'],
    criteria: ['realism', 'harmony'],
    raters: 8,
    groups: 2,
    items: 18,
    bridgingItems: 6,
    missing: 7,
  },
  {
    name: 'three arms alone, one group, paintings without ratings',
    layout: 'SINGLE',
    arms: ['mindpainter', 'two-stage', 'no brain'],
    criteria: ['realism'],
    raters: 5,
    groups: 1,
    items: 12,
    bridgingItems: 0,
    missing: 11,
  },
];

/** The study's ratings; the same study gives the same ones. */
export function simulateStudy(study: SimulatedStudy): SimulatedRating[] {
  const { layout, arms, criteria, raters, groups, items, bridgingItems, missing = 0 } = study;
  const plan = design(
    3,
    {
      layout,
      arms,
      criteria,
      scale: 3,
      items: Array.from({ length: items }, (_, i) => ({ id: String(i), source: `source ${i}` })),
      raters,
      groups,
      bridgingItems,
      catchTrials: { instructed: 0, duplicates: 0, grossFailures: 0 },
      practiceItems: [],
    },
    createRng,
  );
  const model = {
    cutPoints: [-0.5, 0.7],
    merits: Object.fromEntries(
      criteria.map((criterion, c) => [
        criterion,
        Object.fromEntries(arms.map((arm, a) => [arm, 0.5 * (arms.length - a) - 0.2 * c])),
      ]),
    ),
    raterBias: 0.5,
    itemEase: 0.6,
    raterByArm: 0.3,
    itemByArm: 0.3,
    noise: 1,
  };
  const tasks = ratingTasks(plan);
  const ratings = simulateRatings(model, tasks, createRng(5)).map(
    (rating, i): SimulatedRating & { readonly position: number } => {
      const { slot } = tasks[i]!;
      const { group } = plan.raters[slot.rater]!;
      return {
        ...rating,
        rater: `rater ${slot.rater + 1}`,
        item: `pair ${Number(rating.item) + 1}`,
        raterIndex: slot.rater,
        itemIndex: Number(rating.item),
        group: group + 1,
        screenArms: slot.arms as string[],
        position: slot.position,
      };
    },
  );
  ratings.sort(
    (a, b) =>
      a.raterIndex - b.raterIndex ||
      a.itemIndex - b.itemIndex ||
      arms.indexOf(a.arm) - arms.indexOf(b.arm) ||
      a.position - b.position ||
      criteria.indexOf(a.criterion) - criteria.indexOf(b.criterion),
  );
  const painting = (i: number) => Math.floor(i / criteria.length);
  return missing === 0 ? ratings : ratings.filter((_, i) => painting(i) % missing !== 0);
}

/** The same as columns. */
export function tableOf(study: SimulatedStudy, ratings = simulateStudy(study)): RatingTable {
  const { arms, criteria, raters, groups, items } = study;
  const table = fillTable(
    {
      raters: Array.from({ length: raters }, (_, i) => `rater ${i + 1}`),
      items: Array.from({ length: items }, (_, i) => `pair ${i + 1}`),
      arms,
      criteria,
      groups: Int32Array.from({ length: raters }, (_, i) => (i % groups) + 1),
    },
    ratings.length / criteria.length,
  );
  for (let k = 0; k < ratings.length; k += criteria.length) {
    const { raterIndex, itemIndex, arm, screenArms } = ratings[k]!;
    const beside = screenArms.find((one) => one !== arm) ?? arm;
    const values = ratings.slice(k, k + criteria.length).map(({ value }) => value);
    table.add(raterIndex, itemIndex, arms.indexOf(arm), arms.indexOf(beside), values);
  }
  return table.finish();
}
