// The design of studies: thousands of random ones hold every promise; impossible ones say what would work.

import { expect, test } from 'vitest';
import { balanceReport, describeBalance } from '../../src/design/balance.js';
import { type Design, design, type Slot } from '../../src/design/design.js';
import { arrange } from '../../src/design/order.js';
import { type DesignItem, type DesignParameters, DUPLICATE_GAP } from '../../src/design/parameters.js';
import { mindpainterPreset } from '../../src/design/preset.js';
import { ratingTasks } from '../../src/design/tasks.js';
import { AppError } from '../../src/errors.js';
import { createRng, type Rng } from '../../src/random.js';

const itemsOf = (n: number, sources = n, prefix = 'i'): DesignItem[] =>
  Array.from({ length: n }, (_, i) => ({ id: `${prefix}${i}`, source: `s${i % sources}` }));

const preset = mindpainterPreset(itemsOf(100), ['ours', 'two-stage'], ['realism', 'harmony', 'meaning']);

/** Every promise, checked from the slots with none of the product's own counting: the faults found. */
function faultsOf({ parameters, slots, raters }: Design): string[] {
  const { layout, arms, items, groups, bridgingItems, catchTrials, practiceItems } = parameters;
  const sources = new Map([...items, ...practiceItems].map(({ id, source }) => [id, source]));
  const screens = layout === 'SINGLE' ? arms.length : (arms.length * (arms.length - 1)) / 2;
  const members = parameters.raters / groups;
  const overlaps = new Map<string, number[]>();
  const left = new Map<string, number>();
  const faults: string[] = [];
  const need = (holds: boolean, what: string) => {
    if (!holds) faults.push(what);
  };

  need(raters.length === parameters.raters, 'raters');
  for (let rater = 0; rater < parameters.raters; rater++) {
    const own = slots.filter((slot) => slot.rater === rater);
    const of = (kind: Slot['kind']) => own.filter((slot) => slot.kind === kind);
    const rating = of('RATING');
    need(raters[rater]!.rater === rater, 'numbering of raters');
    need(
      own.every(({ position }, i) => position === i),
      'positions',
    );
    need(
      rating.length === (bridgingItems + (items.length - bridgingItems) / groups) * screens,
      'screens a rater',
    );
    need(of('INSTRUCTED').length === catchTrials.instructed, 'instructed');
    need(of('DUPLICATE').length === catchTrials.duplicates, 'duplicates');
    need(of('GROSS_FAILURE').length === catchTrials.grossFailures, 'gross failures');
    need(of('PRACTICE').length === practiceItems.length, 'practice');
    need(
      own.slice(0, practiceItems.length).every(({ kind }) => kind === 'PRACTICE'),
      'practice first',
    );
    own.forEach(({ item }, i) => {
      const before = own[i - 1]?.item;
      need(!item || !before || sources.get(item) !== sources.get(before), `source of ${item} follows itself`);
    });
    for (const slot of of('DUPLICATE')) {
      const original = own[slot.repeats!]!;
      const same = original.item === slot.item && `${[...original.arms].reverse()}` === `${slot.arms}`;
      need(original.kind === 'RATING' && same, 'duplicate repeats its original with sides swapped');
      const between = own.slice(slot.repeats! + 1, slot.position).filter(({ kind }) => kind === 'RATING');
      need(between.length >= DUPLICATE_GAP, 'duplicate comes late enough');
    }
    need(
      of('INSTRUCTED').every(({ expected }) => [1, 2, 3].includes(expected!)),
      'instructed answer',
    );
    need(
      of('GROSS_FAILURE').every((slot) => slot.arms.filter((arm) => arm === null).length === 1),
      'broken painting',
    );
    for (const { item, arms: shown, overlap } of rating) {
      const sorted = [...shown].sort();
      const key = `${item}/${sorted}`;
      overlaps.set(key, [...(overlaps.get(key) ?? []), overlap!]);
      if (layout === 'SINGLE') continue;
      for (const unit of [`rater ${rater} ${sorted}`, `item ${item} ${sorted}`]) {
        left.set(unit, (left.get(unit) ?? 0) + (shown[0] === sorted[0] ? 1 : -1));
      }
    }
  }
  need(overlaps.size === items.length * screens, 'every item under every arm');
  // Overlap numbers are 0 to n - 1, each once: a unique key on them bounds the overlap.
  for (const numbers of overlaps.values()) {
    need(
      [...numbers].sort((a, b) => a - b).every((number, i) => number === i),
      'overlap numbers',
    );
  }
  const raterCounts = [...overlaps.values()].map(({ length }) => length).sort((a, b) => a - b);
  const bridged = bridgingItems * screens;
  need(
    raterCounts.every((n, i) => n === (i < raterCounts.length - bridged ? members : parameters.raters)),
    'raters an item',
  );
  need(
    [...left.values()].every((surplus) => surplus === 0),
    'left and right',
  );
  return faults;
}

/** Feasible by construction. */
function feasible(rng: Rng): DesignParameters {
  const layout = rng.int(2) === 0 ? 'SINGLE' : 'PAIR';
  const groups = 1 + rng.int(4);
  const members = layout === 'PAIR' ? 2 * (1 + rng.int(3)) : 1 + rng.int(5);
  const bridgingItems = rng.int(5);
  const parity = layout === 'PAIR' ? bridgingItems % 2 : rng.int(2);
  const items = bridgingItems + groups * (6 + parity + 2 * rng.int(4));
  return {
    layout,
    arms: ['a', 'b', 'c', 'd'].slice(0, 2 + rng.int(3)),
    criteria: ['x', 'y', 'z'].slice(0, 1 + rng.int(3)),
    scale: 3,
    items: rng.shuffle(itemsOf(items, rng.int(2) === 0 ? items : Math.ceil(items / 2))),
    raters: groups * members,
    groups,
    bridgingItems,
    catchTrials: { instructed: rng.int(3), duplicates: rng.int(2), grossFailures: rng.int(2) },
    practiceItems: itemsOf(rng.int(4), 4, 'practice'),
  };
}

test('3,000 random feasible designs keep every promise, and the report agrees', () => {
  const rng = createRng(2025);
  for (let seed = 0; seed < 3000; seed++) {
    const made = design(seed, feasible(rng), createRng);
    expect(faultsOf(made)).toEqual([]);
    const report = balanceReport(made);
    expect(report.repeatedSources + report.overlapExceeded).toBe(0);
    expect([report.sideSurplusPerItem, report.sideSurplusPerRater]).toEqual([
      { least: 0, most: 0 },
      { least: 0, most: 0 },
    ]);
    expect(report.ratings).toBe(ratingTasks(made).length);
  }
}, 240_000);

test('3,000 arbitrary parameter sets either keep every promise or name the parameter and what would work', () => {
  const rng = createRng(7);
  const named = new Map<string, number>();
  let made = 0;
  for (let seed = 0; seed < 3000; seed++) {
    const n = 1 + rng.int(14);
    const parameters: DesignParameters = {
      layout: rng.int(2) === 0 ? 'SINGLE' : 'PAIR',
      arms: ['a', 'b', 'c'].slice(0, 1 + rng.int(3)),
      criteria: ['x', 'y'].slice(0, 1 + rng.int(2)),
      scale: 3,
      items: itemsOf(n, 1 + rng.int(n)),
      raters: 1 + rng.int(8),
      groups: 1 + rng.int(3),
      bridgingItems: rng.int(4),
      catchTrials: { instructed: rng.int(3), duplicates: rng.int(3), grossFailures: rng.int(3) },
      practiceItems: itemsOf(rng.int(3), 1 + rng.int(2), 'practice'),
    };
    try {
      expect(faultsOf(design(seed, parameters, createRng))).toEqual([]);
      made++;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toBe('BAD_INPUT');
      expect(error.message).toContain('Feasible: ');
      named.set(error.field!, (named.get(error.field!) ?? 0) + 1);
    }
  }
  expect(made).toBeGreaterThan(200);
  expect([...named.keys()]).toEqual(
    expect.arrayContaining(['raters', 'items', 'bridgingItems', 'catchTrials']),
  );
}, 120_000);

test("the paper's study: exactly 100 pairs, 2 arms, 3 criteria, 20 raters, 5 groups of 20 pairs, 4 raters an item", () => {
  const made = design(1, preset, createRng);
  expect(faultsOf(made)).toEqual([]);
  const report = balanceReport(made);
  expect(report).toMatchObject({
    items: 100,
    raters: 20,
    groups: 5,
    ratings: 2400,
    screensPerRater: { least: 20, most: 20 },
    ratersPerItem: { least: 4, most: 4 },
    bridgingItems: 0,
  });
  const tasks = ratingTasks(made);
  expect(
    new Set(tasks.map(({ rater, item, arm, criterion }) => `${rater} ${item} ${arm} ${criterion}`)).size,
  ).toBe(2400);
  for (let group = 0; group < 5; group++) {
    const raters = made.raters.filter((rater) => rater.group === group).map(({ rater }) => String(rater));
    expect(raters).toHaveLength(4);
    expect(new Set(tasks.filter(({ rater }) => raters.includes(rater)).map(({ item }) => item)).size).toBe(
      20,
    );
  }
  const text = describeBalance(report);
  expect(text).toContain('100 items, 20 raters in 5 groups: 2400 ratings on 400 screens.');
  expect(text).toContain('exactly balanced per rater and per item');
  expect(text).toContain('Weakness: each group rates its own items');
});

test('the seed decides everything, and another seed gives another design', () => {
  expect(design(3, preset, createRng)).toEqual(design(3, preset, createRng));
  expect(design(4, preset, createRng).slots).not.toEqual(design(3, preset, createRng).slots);
});

test("orders are random: each rater's is another, and every item opens a sequence about equally often", () => {
  const small: DesignParameters = { ...preset, items: itemsOf(8), raters: 4, groups: 1 };
  const openings = new Map<string, number>();
  for (let seed = 0; seed < 1000; seed++) {
    const { slots } = design(seed, small, createRng);
    const first = slots.find(({ kind }) => kind === 'RATING')!.item!;
    openings.set(first, (openings.get(first) ?? 0) + 1);
  }
  // 125 expected of each; the chi-square of 7 degrees exceeds 24.3 once in a thousand.
  const chiSquare = [...openings.values()].reduce((sum, n) => sum + (n - 125) ** 2 / 125, 0);
  expect(openings.size).toBe(8);
  expect(chiSquare).toBeLessThan(24.3);
  const { slots } = design(1, preset, createRng);
  const orders = Array.from({ length: 20 }, (_, rater) =>
    slots.filter((slot) => slot.rater === rater && slot.kind === 'RATING').map(({ item }) => item),
  );
  expect(new Set(orders.map(String)).size).toBe(20);
});

test('the report sees faults that were put into a sound design', () => {
  const made = design(1, preset, createRng);
  const rating = made.slots.filter(({ kind }) => kind === 'RATING');
  const swapped = made.slots.map((slot) =>
    slot === rating[0] ? { ...slot, arms: [...slot.arms].reverse() } : slot,
  );
  expect(balanceReport({ ...made, slots: swapped }).sideSurplusPerRater).not.toEqual({ least: 0, most: 0 });
  const doubled = [rating[0]!, ...made.slots];
  const report = balanceReport({ ...made, slots: doubled });
  expect(report.overlapExceeded).toBe(2);
  expect(describeBalance(report)).toContain('FAULT: 2 ratings exceed');
  expect(balanceReport({ ...made, slots: [rating[0]!, rating[0]!] }).repeatedSources).toBe(1);
});

test.each<[string, Partial<DesignParameters>, string]>([
  ['layout', { layout: 'TRIPLE' as 'PAIR' }, 'Feasible: SINGLE or PAIR'],
  ['arms', { arms: ['ours'] }, 'Feasible: 2 or more'],
  ['arms', { arms: ['ours', 'ours'] }, 'Feasible: different names'],
  ['criteria', { criteria: [] }, 'Feasible: 1 or more'],
  ['scale', { scale: 1 }, 'Feasible: a whole number of 2 or more'],
  ['items', { items: [] }, 'Feasible: 1 or more'],
  ['items', { items: itemsOf(101) }, 'Feasible: 100 or 110'],
  ['items', { items: itemsOf(105) }, 'Feasible: 100 or 110'],
  ['items', { items: itemsOf(103), bridgingItems: 3 }, 'Feasible: 98 or 108'],
  ['items', { items: itemsOf(100, 1) }, 'one source on 10 screens'],
  ['raters', { raters: 21 }, 'Feasible: 20 or 30'],
  ['raters', { raters: 25 }, 'Feasible: 20 or 30'],
  ['raters', { raters: 2.5 }, 'Feasible: a whole number'],
  ['groups', { groups: 0 }, 'Feasible: a whole number of 1 or more'],
  ['bridgingItems', { bridgingItems: 101 }, 'Feasible: 0 to 100'],
  [
    'catchTrials',
    { catchTrials: { instructed: 21, duplicates: 0, grossFailures: 0 } },
    'Feasible: 20 or fewer',
  ],
  [
    'catchTrials.duplicates',
    { catchTrials: { instructed: 0, duplicates: 18, grossFailures: 0 } },
    'or fewer',
  ],
  [
    'catchTrials.instructed',
    { catchTrials: { instructed: -1, duplicates: 0, grossFailures: 0 } },
    'Feasible',
  ],
  ['practiceItems', { practiceItems: itemsOf(1) }, 'used for practice only'],
  ['practiceItems', { practiceItems: itemsOf(3, 1, 'p') }, 'at most half'],
])('%s is refused, with what would work (%#)', (field, change, says) => {
  let caught: unknown;
  try {
    design(1, { ...preset, ...change }, createRng);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(AppError);
  expect(caught).toMatchObject({ code: 'BAD_INPUT', field });
  expect((caught as AppError).message).toContain(says);
});

test('what an error calls feasible is feasible', () => {
  for (const [change, again] of [
    [{ raters: 25 }, { raters: 30 }],
    [{ items: itemsOf(105) }, { items: itemsOf(110) }],
    [
      { items: itemsOf(103), bridgingItems: 3 },
      { items: itemsOf(98), bridgingItems: 3 },
    ],
  ] as const) {
    expect(() => design(1, { ...preset, ...change }, createRng)).toThrow('Feasible');
    expect(faultsOf(design(1, { ...preset, ...again }, createRng))).toEqual([]);
  }
});

test('arranging is possible exactly when no source has more than half of the places, rounded up', () => {
  const rng = createRng(5);
  for (let trial = 0; trial < 3000; trial++) {
    const sources = Array.from({ length: 1 + rng.int(9) }, () => ({ source: `s${rng.int(4)}` }));
    const counts = new Map<string, number>();
    for (const { source } of sources) counts.set(source, (counts.get(source) ?? 0) + 1);
    const possible = Math.max(...counts.values()) <= Math.ceil(sources.length / 2);
    const order = arrange(sources, rng);
    expect(order !== undefined).toBe(possible);
    order?.forEach(({ source }, i) => {
      expect(source).not.toBe(order[i - 1]?.source);
    });
  }
});
