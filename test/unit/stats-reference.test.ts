// src/stats against values that other programs computed (test/reference/stats.py names them), to 1e-6 or better.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { agreementTable } from '../../src/stats/agreement-table.js';
import { type AgreementWeights, chanceCorrected } from '../../src/stats/chance-corrected.js';
import { cliffsDelta, deltaOf } from '../../src/stats/cliffs-delta.js';
import {
  chiSquareTail,
  fairBinomialCdf,
  normalQuantile,
  normalTail,
  studentQuantile,
  studentTail,
} from '../../src/stats/distributions.js';
import { friedmanTest } from '../../src/stats/friedman.js';
import { krippendorffAlpha } from '../../src/stats/krippendorff.js';
import { benjaminiHochberg, holm } from '../../src/stats/multiplicity.js';
import { signedRankTest, signTest } from '../../src/stats/paired-tests.js';
import type { Statistic } from '../../src/stats/statistic.js';

interface Reference {
  agreement: {
    name: string;
    categories: number[];
    ratings: (number | null)[][];
    expected: Record<string, number | null>;
  }[];
  paired: { name: string; differences: number[]; expected: Record<string, number | null> }[];
  friedman: {
    name: string;
    blocks: number[][];
    expected: Record<string, number> & { meanRanks: number[] };
  }[];
  cliff: { name: string; first: number[]; second: number[]; expected: Record<string, number> }[];
  corrections: { name: string; pValues: number[]; holm: number[]; benjaminiHochberg: number[] }[];
  distributions: Record<string, number[][]>;
}
const reference: Reference = JSON.parse(readFileSync('test/reference/stats.json', 'utf8'));

/** Exact to 1e-9, relative to 1 or to the value; null in the reference stands for UNDEFINED. */
function expectValue(actual: Statistic, expected: number | null | undefined): void {
  if (expected === null) {
    expect(actual).toMatchObject({ status: 'UNDEFINED', reason: expect.stringMatching(/\w+ \w+/) });
    return;
  }
  expect(actual.status).toBe('DEFINED');
  if (actual.status === 'DEFINED') expectNear(actual.value, expected!);
}

function expectNear(actual: number, expected: number): void {
  expect(Math.abs(actual - expected), `${actual} is not ${expected}`).toBeLessThanOrEqual(
    1e-9 * Math.max(1, Math.abs(expected)),
  );
}

test('there are more than twenty data sets', () => {
  const { agreement, paired, friedman, cliff, corrections } = reference;
  expect([agreement, paired, friedman, cliff, corrections].flat().length).toBeGreaterThan(20);
});

describe('agreement', () => {
  test.each(reference.agreement)('$name', ({ categories, ratings, expected }) => {
    const answers = ratings.flatMap((row, item) =>
      row.flatMap((value) => (value === null ? [] : [{ item: String(item), value }])),
    );
    const table = agreementTable(answers, categories);
    expectValue(krippendorffAlpha(table, 'NOMINAL'), expected.alphaNominal);
    expectValue(krippendorffAlpha(table, 'ORDINAL'), expected.alphaOrdinal);
    expectValue(krippendorffAlpha(table, 'INTERVAL'), expected.alphaInterval);
    for (const name of ['Identity', 'Linear', 'Quadratic', 'Ordinal']) {
      if (expected[`gwet${name}`] === undefined) continue;
      const found = chanceCorrected(table, name.toUpperCase() as AgreementWeights);
      expectValue(found.gwetAc, expected[`gwet${name}`]);
      expectValue(found.fleissKappa, expected[`kappa${name}`]);
      expectValue(found.percent, expected[`percent${name}`]);
    }
  });
});

describe('paired differences', () => {
  test.each(reference.paired)('$name', ({ differences, expected }) => {
    const d = Float64Array.from(differences);
    const sign = signTest(d);
    const ranks = signedRankTest(d);
    expect([sign.positive, sign.negative, sign.ties]).toEqual([
      expected.positive,
      expected.negative,
      expected.ties,
    ]);
    expect(ranks.zeros).toBe(expected.ties);
    if (sign.positive + sign.negative === 0) {
      for (const none of [sign.exactPValue, sign.asymptotic, ranks.exactPValue, ranks.asymptotic]) {
        expect(none.status).toBe('UNDEFINED');
      }
      return;
    }
    expectValue(sign.exactPValue, expected.signExact);
    expectNear(ranks.positiveRanks, expected.positiveRanks!);
    expectNear(ranks.negativeRanks, expected.negativeRanks!);
    if (expected.exact !== null) expectValue(ranks.exactPValue, expected.exact);
    if (sign.asymptotic.status === 'UNDEFINED' || ranks.asymptotic.status === 'UNDEFINED')
      throw new Error('no z');
    expectNear(sign.asymptotic.value.z, expected.signZ!);
    expectNear(sign.asymptotic.value.pValue, expected.signAsymptotic!);
    expectNear(Math.abs(ranks.asymptotic.value.z), expected.absoluteZ!);
    expectNear(ranks.asymptotic.value.pValue, expected.asymptotic!);
  });

  test('exact signed ranks end where the normal approximation takes over', () => {
    expect(signedRankTest(Float64Array.from({ length: 100 }, (_, i) => i - 30.5)).exactPValue.status).toBe(
      'DEFINED',
    );
    expect(signedRankTest(Float64Array.from({ length: 101 }, (_, i) => i - 30.5)).exactPValue).toMatchObject({
      status: 'UNDEFINED',
      reason: expect.stringContaining('normal approximation'),
    });
  });
});

describe('Friedman', () => {
  test.each(reference.friedman)('$name', ({ blocks, expected }) => {
    const { result, meanRanks } = friedmanTest(blocks);
    if (result.status === 'UNDEFINED') throw new Error(result.reason);
    expectNear(result.value.chiSquare, expected.chiSquare!);
    expectNear(result.value.pValue, expected.pValue!);
    expectNear(result.value.kendallW, expected.kendallW!);
    expected.meanRanks.forEach((rank, arm) => {
      expectNear(meanRanks[arm]!, rank);
    });
  });

  test('is UNDEFINED where all is tied, and refuses two arms or a hole', () => {
    expect(
      friedmanTest([
        [2, 2, 2],
        [3, 3, 3],
      ]).result,
    ).toMatchObject({ status: 'UNDEFINED' });
    expect(() => friedmanTest([[1, 2]])).toThrow('needs three arms or more; there are 2');
    expect(() =>
      friedmanTest([
        [1, 2, 3],
        [1, 2],
      ]),
    ).toThrow('a value for every arm');
    expect(() => friedmanTest([[1, 2, Number.NaN]])).toThrow('a value for every arm');
  });
});

describe("Cliff's delta", () => {
  test.each(reference.cliff)('$name', ({ first, second, expected }) => {
    const found = cliffsDelta(Float64Array.from(first), Float64Array.from(second));
    if (found.status === 'UNDEFINED' || found.value.interval.status === 'UNDEFINED')
      throw new Error('no interval');
    expectNear(found.value.delta, expected.delta!);
    expectNear(found.value.standardError, expected.standardError!);
    expectNear(found.value.interval.value.low, expected.low!);
    expectNear(found.value.interval.value.high, expected.high!);
  });

  test('of weighted observations is that of the observations repeated', () => {
    const first = Float64Array.of(3, 1, 2, 3);
    const second = Float64Array.of(2, 2, 1, 3);
    const weights = [2, 0, 1, 3];
    const repeat = (values: Float64Array) =>
      Float64Array.from([...values].flatMap((value, i) => new Array<number>(weights[i]!).fill(value)));
    const repeated = cliffsDelta(repeat(first), repeat(second));
    if (repeated.status === 'UNDEFINED') throw new Error(repeated.reason);
    expectNear(deltaOf(first, second)(Float64Array.from(weights)), repeated.value.delta);
  });

  test('says why it has no interval', () => {
    const apart = cliffsDelta(Float64Array.of(3, 3), Float64Array.of(1, 1));
    expect(apart).toMatchObject({ value: { delta: 1, interval: { status: 'UNDEFINED' } } });
    expect(cliffsDelta(Float64Array.of(3), Float64Array.of(1, 1)).status).toBe('UNDEFINED');
  });
});

describe('corrections', () => {
  test.each(reference.corrections)('$name', (expected) => {
    holm(expected.pValues).forEach((p, i) => {
      expectNear(p, expected.holm[i]!);
    });
    benjaminiHochberg(expected.pValues).forEach((p, i) => {
      expectNear(p, expected.benjaminiHochberg[i]!);
    });
  });
});

describe('distributions', () => {
  test.each<[string, (...args: number[]) => number]>([
    ['normalTail', (z) => normalTail(z!)],
    ['normalQuantile', (p) => normalQuantile(p!)],
    ['chiSquareTail', (x, k) => chiSquareTail(x!, k!)],
    ['studentTail', (t, k) => studentTail(t!, k!)],
    ['studentQuantile', (p, k) => studentQuantile(p!, k!)],
    ['fairBinomialCdf', (k, n) => fairBinomialCdf(k!, n!)],
  ])('%s', (name, compute) => {
    const rows = reference.distributions[name]!;
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows) {
      const expected = row.at(-1)!;
      const actual = compute(...row.slice(0, -1));
      // Tails are compared relative to themselves, so that small ones count.
      const scale = Math.abs(expected) < 1e-300 ? 1 : Math.abs(expected);
      expect(Math.abs(actual - expected) / scale, `${name}(${row.slice(0, -1)})`).toBeLessThan(1e-9);
    }
  });
});
