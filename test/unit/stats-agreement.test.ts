// Agreement reports: intervals, blocks and the pooled value, bad input, and the cases without variance.

import { expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { createRng } from '../../src/random.js';
import { agreement, type BlockedAnswer } from '../../src/stats/agreement.js';
import { agreementTable } from '../../src/stats/agreement-table.js';
import { krippendorffAlpha } from '../../src/stats/krippendorff.js';
import { mustHave } from '../support/statistic.js';

const options = { seed: 3, resamples: 1000, confidence: 0.95, createRandom: createRng };
const SCALE = [1, 2, 3];

/** Blocks of items, four raters each, who see the item's worth through some noise. */
function study(blocks: number, itemsPerBlock: number, noise: number, seed = 1): BlockedAnswer[] {
  const rng = createRng(seed);
  return Array.from({ length: blocks * itemsPerBlock }, (_, item) => {
    const worth = rng.normal();
    return Array.from({ length: 4 }, () => {
      const seen = worth + noise * rng.normal();
      const value = seen > 0.6 ? 3 : seen > -0.6 ? 2 : 1;
      return { item: `${item}`, block: `group ${item % blocks}`, value };
    });
  }).flat();
}

test('each block has its own coefficients, those of its items alone, and a wider interval than the pooled one', () => {
  const answers = study(5, 20, 0.7);
  const { pooled, blocks } = agreement(answers, SCALE, 'ORDINAL', options);
  expect(blocks.map(({ block }) => block)).toEqual(['group 0', 'group 1', 'group 2', 'group 3', 'group 4']);
  expect([pooled.items, pooled.ratings]).toEqual([100, 400]);
  for (const block of blocks) {
    const own = agreementTable(
      answers.filter((answer) => answer.block === block.block),
      SCALE,
    );
    expect(block.alphaOrdinal.value).toEqual(krippendorffAlpha(own, 'ORDINAL'));
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    expect(width(mustHave(block.alphaOrdinal.interval))).toBeGreaterThan(
      width(mustHave(pooled.alphaOrdinal.interval)),
    );
  }
  for (const coefficient of [
    pooled.alphaOrdinal,
    pooled.fleissKappa,
    pooled.gwetAc2,
    pooled.percentAgreement,
  ]) {
    const { low, high } = mustHave(coefficient.interval);
    expect(low).toBeLessThan(mustHave(coefficient.value));
    expect(high).toBeGreaterThan(mustHave(coefficient.value));
  }
});

test('the 95 % interval of alpha covers the large-sample value about as often as it says', () => {
  const truth = mustHave(krippendorffAlpha(agreementTable(study(1, 40_000, 0.7, 99), SCALE), 'ORDINAL'));
  let covered = 0;
  for (let seed = 0; seed < 100; seed++) {
    const { pooled } = agreement(study(1, 60, 0.7, seed), SCALE, 'ORDINAL', {
      ...options,
      resamples: 300,
      seed,
    });
    const { low, high } = mustHave(pooled.alphaOrdinal.interval);
    if (low <= truth && truth <= high) covered++;
  }
  // Percentile intervals of a bounded coefficient run a little short: 89 to 99 % of 100 is what chance leaves.
  expect(covered).toBeGreaterThanOrEqual(89);
  expect(covered).toBeLessThanOrEqual(99);
});

test('no variance: alpha and kappa are UNDEFINED with the reason, percent agreement and AC2 are 1', () => {
  const constant = study(2, 10, 1).map((answer) => ({ ...answer, value: 3 }));
  const { pooled } = agreement(constant, SCALE, 'ORDINAL', options);
  for (const { value, interval } of [
    pooled.alphaNominal,
    pooled.alphaOrdinal,
    pooled.alphaInterval,
    pooled.fleissKappa,
  ]) {
    expect(value).toEqual({
      status: 'UNDEFINED',
      reason: 'all values are the same: there is no variance to agree on',
    });
    expect(interval).toEqual(value);
  }
  expect(mustHave(pooled.percentAgreement.value)).toBe(1);
  expect(mustHave(pooled.gwetAc2.value)).toBe(1);
});

test('almost no variance: the value exists, the interval says how many resamples had none', () => {
  const rare = study(1, 10, 1).map((answer, i) => ({ ...answer, value: i === 0 ? 2 : 3 }));
  const { alphaOrdinal } = agreement(rare, SCALE, 'ORDINAL', options).pooled;
  expect(alphaOrdinal.value.status).toBe('DEFINED');
  expect(alphaOrdinal.undefinedResamples).toBeGreaterThan(250);
  expect(alphaOrdinal.interval).toMatchObject({
    status: 'UNDEFINED',
    reason: `${alphaOrdinal.undefinedResamples} of 1000 resamples have no value (too little variance)`,
  });
});

test('single ratings cannot be paired', () => {
  const { pooled } = agreement([{ item: 'a', block: 'x', value: 1 }], SCALE, 'LINEAR', options);
  expect(pooled.alphaOrdinal.value).toEqual({ status: 'UNDEFINED', reason: 'no item was rated twice' });
  expect(pooled.percentAgreement.value).toEqual({ status: 'UNDEFINED', reason: 'no item was rated twice' });
});

test('bad input is refused by name', () => {
  const answer = { item: 'a', block: 'x', value: 1 };
  const refused = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return error instanceof AppError ? [error.code, error.field] : error;
    }
    return undefined;
  };
  expect(refused(() => agreement([{ ...answer, value: 4 }], SCALE, 'ORDINAL', options))).toEqual([
    'BAD_INPUT',
    'value',
  ]);
  expect(refused(() => agreement([answer, { ...answer, block: 'y' }], SCALE, 'ORDINAL', options))).toEqual([
    'BAD_INPUT',
    'block',
  ]);
  expect(refused(() => agreementTable([answer], [1]))).toEqual(['BAD_INPUT', 'categories']);
  expect(refused(() => agreementTable([answer], [1, 1]))).toEqual(['BAD_INPUT', 'categories']);
});
