// The analysis of a study's ratings: every number of its results, from the table of ratings alone.

import { agreementOf, type BlockedAgreement } from './agreement.js';
import type { BootstrapOptions } from './bootstrap.js';
import { crossedComparison } from './crossed-comparison.js';
import { type ArmDescription, describe, describeDifferences } from './descriptives.js';
import { type FriedmanTest, friedmanTest } from './friedman.js';
import { benjaminiHochberg, holm } from './multiplicity.js';
import { type SignTest, signedRankTest, signTest } from './paired-tests.js';
import {
  compact,
  completeBlocks,
  firstRows,
  type PairedRows,
  pairRows,
  type RatingTable,
  valuesOf,
} from './rating-table.js';
import { meansBy } from './ratings.js';
import { undefinedBecause } from './statistic.js';

const numbersTo = (length: number) => Array.from({ length }, (_, i) => i);

/** Every number of the results; `scale` has the values that a rating can take. */
export function analyseStudy(table: RatingTable, scale: readonly number[], options: BootstrapOptions) {
  const { criteria, arms } = table;
  const pairs = numbersTo(arms.length).flatMap((one) =>
    numbersTo(arms.length)
      .slice(one + 1)
      .map((other) => ({ one, other, rows: pairRows(table, one, other) })),
  );
  const comparisons = numbersTo(criteria.length).flatMap((criterion) =>
    pairs.map(({ one, other, rows }) => ({
      criterion: criteria[criterion]!,
      arm: arms[one]!,
      comparedWith: arms[other]!,
      ...compare(table, criterion, rows, options),
    })),
  );
  const pValues = comparisons.map((comparison) => signP(comparison.signTest));
  const [byHolm, byBenjaminiHochberg] = [holm(pValues), benjaminiHochberg(pValues)];
  return {
    ratings: table.values.length,
    raters: new Set(table.rater).size,
    items: new Set(table.item).size,
    arms: describeArms(table, scale),
    comparisons: comparisons.map((comparison, i) => ({
      ...comparison,
      adjustedPValues: { of: 'sign test', holm: byHolm[i]!, benjaminiHochberg: byBenjaminiHochberg[i]! },
    })),
    friedman: arms.length < 3 ? [] : criteria.map((criterion, c) => ({ criterion, ...friedmanOf(table, c) })),
    agreement: agreements(table, scale, options),
  };
}

export type Analysis = ReturnType<typeof analyseStudy>;

/** What the correction for many tests starts from; 1 where there is nothing but ties. */
function signP({ exactPValue, asymptotic }: SignTest): number {
  if (exactPValue.status === 'DEFINED') return exactPValue.value;
  return asymptotic.status === 'DEFINED' ? asymptotic.value.pValue : 1;
}

function describeArms(table: RatingTable, scale: readonly number[]): ArmDescription[] {
  return table.arms.flatMap((arm, a) => {
    const rows = Int32Array.from(table.arm.keys()).filter((row) => table.arm[row] === a);
    if (rows.length === 0) return [];
    return table.criteria.map((criterion, c) => {
      const values = valuesOf(table, c, rows);
      const distribution = scale.map((category) => values.filter((value) => value === category).length);
      return { arm, criterion, distribution, ...describe(values) };
    });
  });
}

function compare(table: RatingTable, criterion: number, rows: PairedRows, options: BootstrapOptions) {
  const first = valuesOf(table, criterion, rows.first);
  const second = valuesOf(table, criterion, rows.second);
  const differences = first.map((value, k) => value - second[k]!);
  // Raters share an item, and its difference: the tests take one value an item, since they suppose independent ones.
  const ofItems = meansBy('ITEM', rows, differences);
  const { difference, delta } = crossedComparison(rows, first, second, options);
  return {
    difference: describeDifferences(differences),
    unpaired: rows.unpaired,
    interval: difference,
    signTest: signTest(ofItems),
    signedRankTest: signedRankTest(ofItems),
    cliffsDelta: differences.length === 0 ? null : delta,
  };
}

/** Friedman's test over the items of which somebody rated all arms. */
function friedmanOf(table: RatingTable, criterion: number): FriedmanTest {
  const blocks = completeBlocks(table, criterion);
  if (blocks.length > 0) return friedmanTest(blocks);
  const none = undefinedBecause('nobody rated all arms of an item');
  return { blocks: 0, arms: table.arms.length, meanRanks: [], result: none };
}

/** Answers by item, in blocks of raters who rated the same items. */
function agreements(table: RatingTable, scale: readonly number[], options: BootstrapOptions) {
  const blockOf = blocksOfItems(table);
  const q = scale.length;
  const parts = table.arms.map((arm, a) => {
    const rows = firstRows(table, a);
    const { found, index } = compact(rows.map((row) => table.item[row]!));
    const blocks = new Map<string, number[]>();
    found.forEach((item, i) => {
      const block = blockOf.get(item)!;
      blocks.set(block, [...(blocks.get(block) ?? []), i]);
    });
    return { arm, rows, found, index, blocks };
  });
  return table.criteria.flatMap((criterion, c) =>
    parts.flatMap(
      ({ arm, rows, found, index, blocks }): ({ criterion: string; arm: string } & BlockedAgreement)[] => {
        if (rows.length === 0) return [];
        const counts = new Float64Array(found.length * q);
        valuesOf(table, c, rows).forEach((value, k) => {
          counts[index[k]! * q + scale.indexOf(value)]!++;
        });
        const items = found.map((item) => table.items[item]!);
        const agreement = agreementOf({ categories: scale, items, counts }, blocks, 'ORDINAL', options);
        return [{ criterion, arm, ...agreement }];
      },
    ),
  );
}

/** By item: the group whose raters rated it, or that several did. */
function blocksOfItems({ rater, item, groups }: RatingTable): Map<number, string> {
  const groupOf = new Map<number, number | null>();
  item.forEach((one, k) => {
    const group = groups[rater[k]!]!;
    const known = groupOf.get(one);
    if (known === undefined) groupOf.set(one, group);
    else if (known !== group) groupOf.set(one, null);
  });
  return new Map(
    Array.from(groupOf, ([one, group]) => [one, group === null ? 'bridging' : `group ${group}`]),
  );
}
