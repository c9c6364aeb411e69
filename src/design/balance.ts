// Is the design what it claims to be? Counted from the slots alone, so that it checks the generator too.

import type { Design, SlotKind } from './design.js';
import { pairsOfArms } from './parameters.js';

/** Smallest and largest of some counts. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

export interface BalanceReport {
  readonly items: number;
  readonly raters: number;
  readonly groups: number;
  /** Answers that count: RATING screens x arms shown x criteria. */
  readonly ratings: number;
  readonly screens: Readonly<Record<SlotKind, number>>;
  readonly screensPerRater: Range;
  /** Raters of each item that one group rates; none if all items bridge. */
  readonly ratersPerItem: Range;
  readonly ratersPerBridgingItem: Range;
  readonly bridgingItems: number;
  /** Times shown on the left minus times on the right, over raters and pairs of arms (0 for SINGLE). */
  readonly sideSurplusPerRater: Range;
  readonly sideSurplusPerItem: Range;
  /** Screens whose source was on the screen before; must be 0. */
  readonly repeatedSources: number;
  /** Ratings of the same arm of the same item that one rater or one overlap number has twice; must be 0. */
  readonly overlapExceeded: number;
}

/** Counts the balance of a design's slots. */
export function balanceReport({ parameters, raters, slots }: Design): BalanceReport {
  const sourceOf = new Map(
    [...parameters.items, ...parameters.practiceItems].map(({ id, source }) => [id, source]),
  );
  const rating = slots.filter(({ kind }) => kind === 'RATING');
  const screens = { PRACTICE: 0, RATING: 0, INSTRUCTED: 0, DUPLICATE: 0, GROSS_FAILURE: 0 };
  for (const { kind } of slots) screens[kind]++;

  const ratersOf = new Map<string, Set<number>>();
  const groupsOf = new Map<string, Set<number>>();
  const perRater = new Map(raters.map(({ rater }) => [rater, 0]));
  const keys = new Set<string>();
  let overlapExceeded = 0;
  for (const { rater, item, arms, overlap } of rating) {
    addTo(ratersOf, item!, rater);
    addTo(groupsOf, item!, raters[rater]!.group);
    perRater.set(rater, perRater.get(rater)! + 1);
    const shown = [...arms].sort();
    for (const key of [
      JSON.stringify(['r', item, shown, rater]),
      JSON.stringify(['o', item, shown, overlap]),
    ]) {
      if (keys.has(key)) overlapExceeded++;
      keys.add(key);
    }
  }
  const bridging = [...groupsOf].filter(([, groups]) => groups.size > 1).map(([item]) => item);
  const own = [...groupsOf].filter(([, groups]) => groups.size === 1).map(([item]) => item);
  return {
    items: ratersOf.size,
    raters: raters.length,
    groups: parameters.groups,
    ratings: rating.reduce((sum, { arms }) => sum + arms.length * parameters.criteria.length, 0),
    screens,
    screensPerRater: rangeOf([...perRater.values()]),
    ratersPerItem: rangeOf(own.map((item) => ratersOf.get(item)!.size)),
    ratersPerBridgingItem: rangeOf(bridging.map((item) => ratersOf.get(item)!.size)),
    bridgingItems: bridging.length,
    sideSurplusPerRater: sideSurplus(parameters, rating, ({ rater }) => String(rater)),
    sideSurplusPerItem: sideSurplus(parameters, rating, ({ item }) => item!),
    repeatedSources: slots.filter(({ item, rater }, i) => {
      const before = slots[i - 1];
      return (
        item && before?.item && before.rater === rater && sourceOf.get(item) === sourceOf.get(before.item)
      );
    }).length,
    overlapExceeded,
  };
}

/** The report as sentences, with what the design cannot show. */
export function describeBalance(report: BalanceReport): string {
  const { screens, ratersPerItem, bridgingItems } = report;
  const sides = [report.sideSurplusPerRater, report.sideSurplusPerItem].every(
    ({ least, most }) => least === 0 && most === 0,
  );
  const lines = [
    `${report.items} items, ${report.raters} raters in ${report.groups} groups: ${report.ratings} ratings on ${screens.RATING} screens.`,
    `Each rater sees ${show(report.screensPerRater)} screens; ${show(ratersPerItem)} raters an item.`,
    bridgingItems > 0
      ? `${bridgingItems} bridging items are rated by ${show(report.ratersPerBridgingItem)} raters.`
      : '',
    sides
      ? 'Left and right are exactly balanced per rater and per item.'
      : `Left minus right: ${show(report.sideSurplusPerRater)} per rater, ${show(report.sideSurplusPerItem)} per item.`,
    `Catch trials: ${screens.INSTRUCTED} instructed, ${screens.DUPLICATE} duplicates, ${screens.GROSS_FAILURE} gross failures. Practice screens: ${screens.PRACTICE}.`,
    report.repeatedSources === 0
      ? 'No source picture follows itself.'
      : `FAULT: ${report.repeatedSources} screens repeat the source before them.`,
    report.overlapExceeded === 0
      ? 'No painting is given to more raters than planned.'
      : `FAULT: ${report.overlapExceeded} ratings exceed the planned overlap.`,
    report.groups > 1 && bridgingItems === 0
      ? 'Weakness: each group rates its own items, so groups of raters and sets of items cannot be told apart; read agreement per group.'
      : '',
    ratersPerItem.most > 0 && ratersPerItem.most < 15
      ? `Weakness: with ${show(ratersPerItem)} raters, a single item's mean is uncertain; conclusions hold for the set.`
      : '',
    screens.INSTRUCTED + screens.GROSS_FAILURE < 2 * report.raters
      ? 'Weakness: fewer than two attention checks a rater.'
      : '',
    screens.DUPLICATE === 0 ? 'Weakness: no duplicates, so self-consistency is unknown.' : '',
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function sideSurplus(
  parameters: Design['parameters'],
  rating: readonly Design['slots'][number][],
  unitOf: (slot: Design['slots'][number]) => string,
): Range {
  if (parameters.layout === 'SINGLE') return { least: 0, most: 0 };
  const surplus = new Map<string, number>();
  for (const pair of pairsOfArms(parameters)) {
    for (const slot of rating) {
      if (!pair.every((arm) => slot.arms.includes(arm))) continue;
      const key = JSON.stringify([unitOf(slot), pair]);
      surplus.set(key, (surplus.get(key) ?? 0) + (slot.arms[0] === pair[0] ? 1 : -1));
    }
  }
  return rangeOf([...surplus.values()]);
}

function addTo(sets: Map<string, Set<number>>, key: string, value: number): void {
  const set = sets.get(key) ?? new Set<number>();
  sets.set(key, set);
  set.add(value);
}

function rangeOf(counts: readonly number[]): Range {
  if (counts.length === 0) return { least: 0, most: 0 };
  return { least: counts.reduce((a, b) => Math.min(a, b)), most: counts.reduce((a, b) => Math.max(a, b)) };
}

function show({ least, most }: Range): string {
  return least === most ? `${least}` : `${least} to ${most}`;
}
