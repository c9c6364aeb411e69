// What a study's design is asked for, and the checks that say which number is wrong and which would work.

import { AppError } from '../errors.js';

/** A picture to be painted, paired with the brain signals to paint by. */
export interface DesignItem {
  readonly id: string;
  /** The source picture: two screens with the same one never follow each other. */
  readonly source: string;
}

export interface CatchTrials {
  /** Screens that say which answer to give. */
  readonly instructed: number;
  /** Earlier screens shown again, sides swapped: the rater's consistency with himself or herself. */
  readonly duplicates: number;
  /** Screens with a painting that was broken on purpose: the lowest answer is due. */
  readonly grossFailures: number;
}

export interface DesignParameters {
  /** SINGLE: one painting a screen. PAIR: two arms side by side, each rated; every pair of arms is shown. */
  readonly layout: 'SINGLE' | 'PAIR';
  readonly arms: readonly string[];
  readonly criteria: readonly string[];
  /** Number of categories: a rating is 1 to scale. */
  readonly scale: number;
  readonly items: readonly DesignItem[];
  readonly raters: number;
  /** Raters are split into groups of equal size; each group rates its own items and the bridging ones. */
  readonly groups: number;
  /** Items that every group rates, so that groups can be compared. */
  readonly bridgingItems: number;
  readonly catchTrials: CatchTrials;
  /** Shown first and never counted; none of the items above. */
  readonly practiceItems: readonly DesignItem[];
}

/** A duplicate follows its original after this many other screens of the study or more. */
export const DUPLICATE_GAP = 4;

/** Screens of the study proper that each rater sees. */
export function screensPerRater(parameters: DesignParameters): number {
  return itemsPerGroup(parameters) * pairsOfArms(parameters).length;
}

/** Items that each group rates, bridging ones among them. */
export function itemsPerGroup({ items, groups, bridgingItems }: DesignParameters): number {
  return bridgingItems + (items.length - bridgingItems) / groups;
}

/** What one screen can show: each arm alone, or each unordered pair of arms. */
export function pairsOfArms({ layout, arms }: DesignParameters): readonly (readonly string[])[] {
  if (layout === 'SINGLE') return arms.map((arm) => [arm]);
  return arms.flatMap((left, i) => arms.slice(i + 1).map((right) => [left, right]));
}

/** BAD_INPUT, naming the parameter and the nearest values that work, unless the design can be made exactly. */
export function checkParameters(parameters: DesignParameters): void {
  const { layout, arms, criteria, scale, items, raters, groups, bridgingItems, practiceItems } = parameters;
  if (layout !== 'SINGLE' && layout !== 'PAIR')
    fail('layout', `"${String(layout)}" is none`, 'SINGLE or PAIR');
  checkNames('arms', arms, layout === 'PAIR' ? 2 : 1);
  checkNames('criteria', criteria, 1);
  whole('scale', scale, 2);
  checkItems('items', items, 1);
  checkItems('practiceItems', practiceItems, 0);
  const shared = practiceItems.find(({ id }) => items.some((item) => item.id === id));
  if (shared)
    fail('practiceItems', `item ${shared.id} is also rated in the study`, 'items used for practice only');
  whole('groups', groups, 1);
  whole('raters', raters, 1);
  whole('bridgingItems', bridgingItems, 0);
  if (bridgingItems > items.length) {
    fail('bridgingItems', `${bridgingItems} of ${items.length} items cannot bridge`, `0 to ${items.length}`);
  }
  checkShares(parameters);
  const repeated = mostFrequent(practiceItems.map(({ source }) => source));
  if (repeated > Math.ceil(practiceItems.length / 2)) {
    fail(
      'practiceItems',
      `${repeated} of ${practiceItems.length} share a source and would follow each other`,
      'at most half',
    );
  }
  checkCatchTrials(parameters);
}

/** Groups are equal; side by side, raters an item and items a rater are even, so that left and right can be halves. */
function checkShares(parameters: DesignParameters): void {
  const { layout, raters, groups, items, bridgingItems } = parameters;
  const step = layout === 'PAIR' ? 2 * groups : groups;
  if (raters % step !== 0) {
    const what =
      raters % groups !== 0
        ? `${raters} raters cannot form ${groups} groups of equal size`
        : `${raters / groups} raters an item cannot see each arm on the left equally often`;
    fail('raters', what, nearest(raters, step));
  }
  const own = items.length - bridgingItems;
  // Side by side, a group's own share must be odd where the bridging items are: together they are even.
  const rest = layout === 'PAIR' && bridgingItems % 2 !== 0 ? groups : 0;
  if ((own - rest) % step === 0) return;
  const what =
    own % groups !== 0
      ? `${own} items beside the bridging ones cannot be shared out among ${groups} groups evenly`
      : `${itemsPerGroup(parameters)} items a rater cannot show each arm on the left equally often`;
  fail('items', what, nearest(own, step, rest, bridgingItems));
}

function checkCatchTrials(parameters: DesignParameters): void {
  const { instructed, duplicates, grossFailures } = parameters.catchTrials;
  whole('catchTrials.instructed', instructed, 0);
  whole('catchTrials.duplicates', duplicates, 0);
  whole('catchTrials.grossFailures', grossFailures, 0);
  const screens = screensPerRater(parameters);
  const all = instructed + duplicates + grossFailures;
  if (all > screens) {
    fail(
      'catchTrials',
      `${all} catch trials exceed the ${screens} screens they hide among`,
      `${screens} or fewer`,
    );
  }
  let room = duplicates;
  while (lateGaps(screens, instructed + grossFailures + room) < room) room--;
  if (room === duplicates) return;
  const what = `${duplicates} duplicates cannot each follow ${DUPLICATE_GAP} screens after their original`;
  fail('catchTrials.duplicates', what, `${room} or fewer with ${screens} screens a rater`);
}

/** The j-th of n catch trials comes after at least `first` and at most `last` of the rater's screens. */
export function catchGap(j: number, n: number, screens: number): { first: number; last: number } {
  return { first: Math.floor((j * screens) / n) + 1, last: Math.floor(((j + 1) * screens) / n) };
}

/** How many of n catch trials may come late enough to repeat an earlier screen. */
function lateGaps(screens: number, n: number): number {
  return Array.from({ length: n }, (_, j) => catchGap(j, n, screens)).filter(
    ({ last }) => last > DUPLICATE_GAP,
  ).length;
}

/** How often the most frequent of the names occurs. */
export function mostFrequent(names: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function checkItems(field: string, items: readonly DesignItem[], least: number): void {
  const ids = items.map(({ id }) => id);
  checkNames(field, ids, least);
  if (items.some(({ source }) => source === ''))
    fail(field, 'an item has no source', 'a source for each item');
}

function checkNames(field: string, names: readonly string[], least: number): void {
  if (names.length < least) fail(field, `there are ${names.length}`, `${least} or more`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(field, `"${twice}" is there twice`, 'different names');
  if (names.includes('')) fail(field, 'a name is empty', 'names of one letter or more');
}

function whole(field: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    fail(field, `got ${value}`, `a whole number of ${least} or more`);
}

/** "12 or 16": the nearest numbers around value that leave `rest` when divided by step, shifted by what is added. */
function nearest(value: number, step: number, rest = 0, added = 0): string {
  const below = Math.floor((value - rest) / step) * step + rest;
  const above = below + step;
  return below + added > 0 && below > 0 ? `${below + added} or ${above + added}` : `${above + added}`;
}

/** Throws the typed error: the parameter, what is wrong with it, and what would work. */
export function fail(field: string, problem: string, feasible: string): never {
  throw new AppError('BAD_INPUT', `${field}: ${problem}. Feasible: ${feasible}.`, { field });
}
