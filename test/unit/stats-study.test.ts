// A study's whole analysis from columns, against what an analysis of every single rating gave (test/reference/study-analysis.json),
// and within a bound of memory.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import { analyseApart } from '../../src/services/study-analysis.js';
import { friedmanTest } from '../../src/stats/friedman.js';
import { signedRankTest, signTest } from '../../src/stats/paired-tests.js';
import { fillTable, withoutRaters } from '../../src/stats/rating-table.js';
import { meansBy, pairRatings } from '../../src/stats/ratings.js';
import { type Analysis, analyseStudy } from '../../src/stats/study-analysis.js';
import { SIMULATED_STUDIES, simulateStudy, tableOf } from '../support/simulated-study.js';

const options = { seed: 17, createRandom: createRng, resamples: 200, confidence: 0.95 };
const SCALE = [1, 2, 3];

/** The reference was made from the same ratings, before there were columns; its tests were of single ratings, and are left out. */
const reference: { readonly name: string; readonly analysis: Analysis }[] = JSON.parse(
  readFileSync('test/reference/study-analysis.json', 'utf8'),
);

function expectNear(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === 'number') {
    expect(Math.abs((actual as number) - expected), path).toBeLessThanOrEqual(1e-9);
  } else if (expected !== null && typeof expected === 'object') {
    expect(actual, path).toBeTypeOf('object');
    for (const [key, value] of Object.entries(expected))
      expectNear((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  } else expect(actual, path).toBe(expected);
}

describe('as of every single rating', () => {
  test.each(SIMULATED_STUDIES)('$name', (study) => {
    const { analysis } = reference.find(({ name }) => name === study.name)!;
    const found = analyseStudy(tableOf(study), SCALE, options);
    const byName = (one: { arm: string; criterion: string }, two: typeof one) =>
      `${one.arm} ${one.criterion}` < `${two.arm} ${two.criterion}` ? -1 : 1;
    expectNear(
      { ...found, arms: [...found.arms].sort(byName) },
      { ...analysis, arms: [...analysis.arms].sort(byName) },
      'analysis',
    );
    expect(found.comparisons).toHaveLength(analysis.comparisons.length);
    expect(found.agreement).toHaveLength(analysis.agreement.length);
  });
});

test('sign test and signed ranks take one value an item', () => {
  const study = SIMULATED_STUDIES[0]!;
  const [comparison] = analyseStudy(tableOf(study), SCALE, options).comparisons;
  const pairs = pairRatings(simulateStudy(study), 'realism', 'mindpainter', 'two-stage');
  const means = meansBy('ITEM', pairs, pairs.difference);
  expect(means).toHaveLength(16);
  expect(comparison!.signTest).toEqual(signTest(means));
  expect(comparison!.signedRankTest).toEqual(signedRankTest(means));
});

test("Friedman's test takes one value an item and arm, of the raters who rated all arms", () => {
  const study = SIMULATED_STUDIES[1]!;
  const ratings = simulateStudy(study).filter(({ criterion }) => criterion === 'realism');
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const blocks = Array.from({ length: study.items }, (_, item) => {
    const ofItem = ratings.filter(({ itemIndex }) => itemIndex === item);
    const complete = ofItem.filter(({ raterIndex }) =>
      study.arms.every((arm) => ofItem.some((one) => one.raterIndex === raterIndex && one.arm === arm)),
    );
    return study.arms.map((arm) =>
      meanOf(complete.filter((one) => one.arm === arm).map(({ value }) => value)),
    );
  });
  const [found] = analyseStudy(tableOf(study), SCALE, options).friedman;
  expect(found).toEqual({ criterion: 'realism', ...friedmanTest(blocks) });
  expect(found!.blocks).toBe(18);
});

test('without a rater it is the analysis of the others alone', () => {
  const study = SIMULATED_STUDIES[1]!;
  const others = simulateStudy(study).filter(({ raterIndex }) => raterIndex !== 2);
  expect(analyseStudy(withoutRaters(tableOf(study), new Set([2])), SCALE, options)).toEqual(
    analyseStudy(tableOf(study, others), SCALE, options),
  );
});

test('nobody rated anything: every number is undefined with its reason', () => {
  for (const study of SIMULATED_STUDIES) {
    const { ratings, comparisons, friedman, agreement } = analyseStudy(tableOf(study, []), SCALE, options);
    expect([ratings, agreement]).toEqual([0, []]);
    for (const { interval, cliffsDelta } of comparisons) {
      expect(interval.studentised.status).toBe('UNDEFINED');
      expect(cliffsDelta).toBeNull();
    }
    for (const { result } of friedman)
      expect(result).toMatchObject({ reason: 'nobody rated all arms of an item' });
  }
});

test('a million ratings are analysed in 64 MB of heap, where an object a rating would not fit', async () => {
  const [raters, items, perRater, arms, criteria] = [1000, 1000, 100, 2, 5];
  const random = createRng(1);
  const table = fillTable(
    {
      raters: Array.from({ length: raters }, (_, i) => `rater ${i}`),
      items: Array.from({ length: items }, (_, i) => `pair ${i}`),
      arms: ['mindpainter', 'two-stage'],
      criteria: Array.from({ length: criteria }, (_, c) => `criterion ${c}`),
      groups: Int32Array.from({ length: raters }, (_, i) => i % 10),
    },
    raters * perRater * arms,
  );
  for (let rater = 0; rater < raters; rater++)
    for (let i = 0; i < perRater; i++)
      for (let arm = 0; arm < arms; arm++) {
        const values = Array.from({ length: criteria }, () => 1 + random.int(3));
        table.add(rater, (rater % 10) * perRater + i, arm, 1 - arm, values);
      }
  const task = {
    table: table.finish(),
    repeats: [],
    out: [0],
    scale: SCALE,
    seed: 1,
    resamples: 100,
    confidence: 0.95,
  };
  const { all, kept } = await analyseApart(async () => task, 64);
  expect([all.ratings, kept!.ratings]).toEqual([1_000_000, 999_000]);
  expect(all.agreement[0]!.blocks).toHaveLength(10);
  // The columns went to the thread, and with it.
  expect(task.table.values).toHaveLength(0);
}, 120_000);
