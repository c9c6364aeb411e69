// Resampling: on given draws, against an independent computation; on its own draws, against another program's intervals.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import {
  type BootstrapOptions,
  clusterBootstrap,
  crossedBootstrap,
  weightedMean,
} from '../../src/stats/bootstrap.js';
import { deltaOf } from '../../src/stats/cliffs-delta.js';
import { crossedMean, studentInterval } from '../../src/stats/crossed-mean.js';
import type { Interval } from '../../src/stats/intervals.js';
import type { RandomSource } from '../../src/stats/random.js';
import { crossingOf } from '../../src/stats/ratings.js';
import type { Statistic } from '../../src/stats/statistic.js';
import { mustHave } from '../support/statistic.js';

interface Reference {
  crossed: {
    name: string;
    observations: [number, number, number][];
    draws: number[][];
    expected: Record<'estimate' | 'robustError' | 'standardError', number> &
      Record<'percentile' | 'bca' | 'studentised' | 'raterMeans', [number, number]>;
  }[];
  cluster: {
    name: string;
    values: number[];
    resamples: number;
    expected: Record<'percentile' | 'bca', { mean: [number, number]; tolerance: number }>;
  }[];
}
const reference: Reference = JSON.parse(readFileSync('test/reference/stats.json', 'utf8'));

const options = (resamples: number, seed = 1): BootstrapOptions => ({
  seed,
  resamples,
  createRandom: createRng,
  confidence: 0.95,
});

function expectInterval(
  actual: Statistic<Interval>,
  [low, high]: readonly [number, number],
  tolerance = 1e-9,
): void {
  const found = mustHave(actual);
  expect(Math.abs(found.low - low), `low ${found.low}, expected ${low}`).toBeLessThanOrEqual(tolerance);
  expect(Math.abs(found.high - high), `high ${found.high}, expected ${high}`).toBeLessThanOrEqual(tolerance);
}

describe('crossed bootstrap on given draws', () => {
  test.each(reference.crossed)('$name', ({ observations, draws, expected }) => {
    // The crossing numbers raters and items by first appearance; the draws name them by number.
    const crossing = crossingOf(
      observations.map(([rater, item]) => ({ rater: `${rater}`, item: `${item}` })),
    );
    const raters = crossing.raters.length;
    const recorded = draws.flatMap((draw) =>
      draw.map((unit, i) => (i < raters ? crossing.raters : crossing.items).indexOf(`${unit}`)),
    );
    const replay: RandomSource = { ...createRng(0), int: () => recorded.shift()! };
    const found = crossedMean(
      crossing,
      Float64Array.from(observations, ([, , value]) => value),
      {
        ...options(draws.length),
        createRandom: () => replay,
      },
    );
    expect(recorded).toHaveLength(0);
    expect(mustHave(found.estimate)).toBeCloseTo(expected.estimate, 10);
    expect(mustHave(found.robustError)).toBeCloseTo(expected.robustError, 10);
    expect(mustHave(found.standardError)).toBeCloseTo(expected.standardError, 10);
    expectInterval(found.percentile, expected.percentile);
    expectInterval(found.bca, expected.bca);
    expectInterval(found.studentised, expected.studentised);
    expectInterval(found.raterMeans, expected.raterMeans);
  });
});

describe("cluster bootstrap against scipy's, within four Monte-Carlo deviations of either", () => {
  test.each(reference.cluster)('$name', ({ values, resamples, expected }) => {
    const cluster = Int32Array.from(values, (_, i) => i);
    const mean = weightedMean(Float64Array.from(values));
    const found = clusterBootstrap(cluster, values.length, mean, options(resamples));
    expectInterval(found.percentile, expected.percentile.mean, expected.percentile.tolerance);
    expectInterval(found.bca, expected.bca.mean, expected.bca.tolerance);
  });
});

/** A crossed table whose values are noise alone, by a fixed generator. */
function noise(raters: number, items: number, seed = 9) {
  const rng = createRng(seed);
  const cells = Array.from({ length: raters * items }, (_, k) => ({
    rater: `${Math.floor(k / items)}`,
    item: `${k % items}`,
  }));
  return { crossing: crossingOf(cells), values: Float64Array.from(cells, () => rng.int(5) - 2) };
}

test('the same seed gives the same interval, another one nearly the same', () => {
  const { crossing, values } = noise(10, 20);
  expect(crossedMean(crossing, values, options(500))).toEqual(crossedMean(crossing, values, options(500)));
  const one = mustHave(crossedMean(crossing, values, options(5000, 1)).percentile);
  const two = mustHave(crossedMean(crossing, values, options(5000, 2)).percentile);
  expect(one).not.toEqual(two);
  expect(Math.abs(one.low - two.low)).toBeLessThan(0.03);
});

test('the pigeonhole triples the variance of pure noise, as Owen 2007 says, and studentising takes that back', () => {
  const { crossing, values } = noise(30, 40);
  const found = crossedMean(crossing, values, options(4000));
  const independent = mustHave(studentInterval(values, 0.95));
  const width = ({ low, high }: Interval) => high - low;
  const excess = (width(mustHave(found.percentile)) / width(independent)) ** 2;
  expect(excess).toBeGreaterThan(2.4);
  expect(excess).toBeLessThan(3.4);
  expect(width(mustHave(found.studentised)) / width(independent)).toBeLessThan(1.25);
});

test('any statistic can be resampled: Cliff’s delta of the two arms', () => {
  const { crossing, values } = noise(10, 30);
  const better = values.map((value) => value + 1);
  const found = crossedBootstrap(crossing, deltaOf(better, values), options(2000));
  const delta = mustHave(found.estimate);
  const { low, high } = mustHave(found.percentile);
  expect(delta).toBeGreaterThan(0.2);
  expect(low).toBeLessThan(delta);
  expect(high).toBeGreaterThan(delta);
  expect(found.undefinedResamples).toBe(0);
});

test('without variance there is an estimate and no interval, with the reason', () => {
  const { crossing, values } = noise(5, 6);
  const found = crossedMean(crossing, values.fill(1), options(200));
  expect(mustHave(found.estimate)).toBe(1);
  for (const none of [found.percentile, found.bca, found.studentised, found.raterMeans, found.robustError]) {
    expect(none).toEqual({
      status: 'UNDEFINED',
      reason: 'every value is the same: the data show no variance',
    });
  }
});

test('one rater, one item and no data say what is missing', () => {
  const single = noise(1, 6);
  expect(crossedMean(single.crossing, single.values, options(200)).studentised).toMatchObject({
    reason: 'an interval over raters needs two of them; there are 1',
  });
  const narrow = noise(6, 1);
  expect(crossedMean(narrow.crossing, narrow.values, options(200)).studentised).toMatchObject({
    reason: 'an interval over items needs two of them; there are 1',
  });
  const nothing = noise(0, 0);
  expect(crossedMean(nothing.crossing, nothing.values, options(200)).estimate.status).toBe('UNDEFINED');
});

test('resamples without a value are counted, and too many of them void the interval', () => {
  const { crossing, values } = noise(6, 6);
  let call = 0;
  const sometimes = (share: number) => (weights: Float64Array) =>
    ++call > 1 && call % 100 < share * 100 ? Number.NaN : weightedMean(values)(weights);
  const few = crossedBootstrap(crossing, sometimes(0.02), options(1000));
  expect(few.undefinedResamples).toBe(20);
  expect(few.percentile.status).toBe('DEFINED');
  call = 0;
  const many = crossedBootstrap(crossing, sometimes(0.2), options(1000));
  expect(many.percentile).toMatchObject({
    status: 'UNDEFINED',
    reason: expect.stringContaining('of 1000 resamples'),
  });
});

test('options that make no sense are refused by name', () => {
  const { crossing, values } = noise(4, 4);
  expect(() => crossedMean(crossing, values, options(10))).toThrow(
    'resamples must be a whole number of 100 or more',
  );
  expect(() => crossedMean(crossing, values, { ...options(100), confidence: 95 })).toThrow('between 0 and 1');
});

test('1,000 resamples of 20 raters x 100 items x 2 arms take well under a second of this process', () => {
  const { crossing, values } = noise(20, 100);
  crossedMean(crossing, values, options(100));
  const start = process.cpuUsage();
  crossedMean(crossing, values, options(1000));
  // Processor time, not the clock: the machine may be busy.
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(500);
});
