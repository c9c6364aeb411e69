// Descriptives, pairing, rater checks and simulated raters.

import { expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import { describeArms, describeDifferences } from '../../src/stats/descriptives.js';
import { selfConsistency, summariseChecks, withAndWithout } from '../../src/stats/rater-checks.js';
import { meansBy, pairRatings, type Rating } from '../../src/stats/ratings.js';
import { expectedRating, type RaterModel, simulateRatings } from '../../src/stats/simulated-raters.js';

const rating = (rater: string, item: string, arm: string, value: number): Rating => ({
  rater,
  item,
  arm,
  value,
  criterion: 'realism',
});
const SMALL = [
  rating('r1', 'i1', 'ours', 3),
  rating('r1', 'i1', 'base', 1),
  rating('r1', 'i2', 'ours', 2),
  rating('r1', 'i2', 'base', 2),
  rating('r2', 'i1', 'ours', 1),
  rating('r2', 'i1', 'base', 2),
  rating('r2', 'i2', 'ours', 3),
  rating('r3', 'i9', 'base', 3),
];

test('arms are described by count, mean, median and distribution', () => {
  expect(describeArms(SMALL, [1, 2, 3])).toMatchObject([
    { arm: 'ours', count: 4, mean: { value: 2.25 }, median: { value: 2.5 }, distribution: [1, 1, 2] },
    { arm: 'base', count: 4, mean: { value: 2 }, median: { value: 2 }, distribution: [1, 2, 1] },
  ]);
  expect(describeDifferences(new Float64Array())).toMatchObject({ count: 0, mean: { status: 'UNDEFINED' } });
});

test('pairs keep rater and item, count what has no partner, and are summed up as wins, ties and losses', () => {
  const table = pairRatings(SMALL, 'realism', 'ours', 'base');
  expect([...table.difference]).toEqual([2, 0, -1]);
  expect(table.raters).toEqual(['r1', 'r2']);
  expect(table.items).toEqual(['i1', 'i2']);
  expect(table.unpaired).toBe(2);
  expect(describeDifferences(table.difference)).toMatchObject({
    wins: 1,
    ties: 1,
    losses: 1,
    median: { value: 0 },
  });
  expect([...meansBy('RATER', table, table.difference)]).toEqual([1, -1]);
  expect([...meansBy('ITEM', table, table.difference)]).toEqual([0.5, 0]);
  expect(pairRatings(SMALL, 'another', 'ours', 'base').difference).toHaveLength(0);
});

test('a painting rated twice by one rater is refused, not averaged', () => {
  const twice = [...SMALL, rating('r1', 'i1', 'ours', 2)];
  expect(() => pairRatings(twice, 'realism', 'ours', 'base')).toThrow('rater r1, item i1, arm ours');
});

test('self-consistency counts same answers, distance and drift, over all raters and of each', () => {
  const report = selfConsistency(
    [
      { rater: 'a', first: 1, second: 1 },
      { rater: 'a', first: 3, second: 2 },
      { rater: 'b', first: 2, second: 3 },
      { rater: 'b', first: 1, second: 3 },
    ],
    [1, 2, 3],
  );
  expect(report).toMatchObject({
    repeats: 4,
    exact: { value: 0.25 },
    meanAbsoluteDifference: { value: 1 },
    drift: { value: 0.5 },
    raters: [
      { rater: 'a', repeats: 2, exact: { value: 0.5 }, drift: { value: -0.5 } },
      { rater: 'b', repeats: 2, exact: { value: 0 }, drift: { value: 1.5 } },
    ],
  });
  expect(selfConsistency([], [1, 2, 3])).toMatchObject({
    repeats: 0,
    exact: { status: 'UNDEFINED' },
    raters: [],
  });
});

test('checks are summed up by rater and kind; more failures than the rule allows flag a rater', () => {
  const check = (rater: string, kind: string, answer: number, accepted: number[]) => ({
    rater,
    kind,
    answer,
    accepted,
  });
  const answers = [
    check('a', 'INSTRUCTED', 3, [3]),
    check('a', 'GROSS_FAILURE', 1, [1, 2]),
    check('b', 'INSTRUCTED', 2, [3]),
    check('b', 'GROSS_FAILURE', 3, [1, 2]),
  ];
  expect(summariseChecks(answers, 1)).toEqual([
    { rater: 'a', asked: 2, failed: 0, failedByKind: { INSTRUCTED: 0, GROSS_FAILURE: 0 }, flagged: false },
    { rater: 'b', asked: 2, failed: 2, failedByKind: { INSTRUCTED: 1, GROSS_FAILURE: 1 }, flagged: true },
  ]);
  expect(summariseChecks(answers, 2).some(({ flagged }) => flagged)).toBe(false);
  expect(() => summariseChecks(answers, -1)).toThrow('allowedFailures');
});

test('the same analysis is made with and without the excluded raters', () => {
  const both = withAndWithout(SMALL, ['r2', 'never came'], (ratings) => ratings.length);
  expect(both).toEqual({ all: 8, kept: 5, excluded: ['r2'] });
});

const MODEL: RaterModel = {
  cutPoints: [-0.5, 0.7],
  merits: { realism: { ours: 0.6, base: 0 } },
  raterBias: 0.5,
  itemEase: 0.6,
  raterByArm: 0.3,
  itemByArm: 0.4,
  noise: 1,
};

test('the planted value is exact: a very large simulation comes to it', () => {
  // 40,000 raters who each see an item of their own, so that the ratings are independent.
  const tasks = Array.from({ length: 40_000 }, (_, i) =>
    ['ours', 'base'].map((arm) => ({ rater: `${i}`, item: `${i}`, arm, criterion: 'realism' })),
  ).flat();
  const ratings = simulateRatings(MODEL, tasks, createRng(11));
  for (const { arm, mean, standardDeviation } of describeArms(ratings, [1, 2, 3])) {
    if (mean.status === 'UNDEFINED' || standardDeviation.status === 'UNDEFINED') throw new Error('no mean');
    const error = standardDeviation.value / Math.sqrt(40_000);
    expect(Math.abs(mean.value - expectedRating(MODEL, 'realism', arm))).toBeLessThan(4 * error);
  }
});

test('raters and items keep their effects: means vary more between raters than noise alone allows', () => {
  const tasks = Array.from({ length: 30 * 200 }, (_, k) => ({
    rater: `${k % 30}`,
    item: `${Math.floor(k / 30)}`,
    arm: 'ours',
    criterion: 'realism',
  }));
  const spreadOfMeans = (model: RaterModel) => {
    const sums = new Float64Array(30);
    for (const { rater, value } of simulateRatings(model, tasks, createRng(4)))
      sums[Number(rater)]! += value / 200;
    const mean = sums.reduce((a, b) => a + b) / 30;
    return Math.sqrt(sums.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 29);
  };
  expect(spreadOfMeans({ ...MODEL, raterBias: 0, raterByArm: 0 })).toBeLessThan(0.08);
  expect(spreadOfMeans(MODEL)).toBeGreaterThan(0.15);
  expect(simulateRatings(MODEL, tasks, createRng(4))).toEqual(simulateRatings(MODEL, tasks, createRng(4)));
});

test('models that are none are refused by name', () => {
  const run = (change: Partial<RaterModel>) => () =>
    expectedRating({ ...MODEL, ...change }, 'realism', 'ours');
  expect(run({ cutPoints: [1, 0] })).toThrow('cutPoints must ascend');
  expect(run({ raterBias: -1 })).toThrow('raterBias is a standard deviation');
  expect(run({ noise: 0 })).toThrow('noise must be above 0');
  expect(() => expectedRating(MODEL, 'realism', 'theirs')).toThrow('no merit for arm theirs');
});
