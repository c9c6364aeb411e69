// Agreement as the results report it: each coefficient with its bootstrap interval over items, per block and pooled.

import { AppError } from '../errors.js';
import { type AgreementTable, agreementTable, selectItems } from './agreement-table.js';
import { type BootstrapOptions, bootstrap, drawCounts, type WeightedStatistic } from './bootstrap.js';
import { type Agreements, type AgreementWeights, chanceCorrected } from './chance-corrected.js';
import type { Interval } from './intervals.js';
import { alphaOfItems, krippendorffAlpha, type Level } from './krippendorff.js';
import { type Statistic, valueOrNaN } from './statistic.js';

export interface Coefficient {
  readonly value: Statistic;
  /** Percentile bootstrap over items (Zapf et al. 2016 advise against asymptotic ones), items drawn within their block. */
  readonly interval: Statistic<Interval>;
  readonly undefinedResamples: number;
}

export interface AgreementReport {
  readonly items: number;
  readonly ratings: number;
  readonly alphaNominal: Coefficient;
  readonly alphaOrdinal: Coefficient;
  readonly alphaInterval: Coefficient;
  readonly fleissKappa: Coefficient;
  readonly gwetAc2: Coefficient;
  readonly percentAgreement: Coefficient;
}

export interface BlockedAgreement {
  /** All items together. Differences between blocks' raters count as disagreement here, or hide it: read the blocks too. */
  readonly pooled: AgreementReport;
  /** In order of first appearance; one block where every rater saw every item. */
  readonly blocks: readonly (AgreementReport & { readonly block: string })[];
  readonly seed: number;
  readonly resamples: number;
  readonly confidence: number;
}

export interface BlockedAnswer {
  readonly item: string;
  readonly value: number;
  /** The group of raters whose set of items this is. */
  readonly block: string;
}

/**
 * Agreement of all answers on one criterion (and, to be of use, one arm). BAD_INPUT for values off the scale or an item
 * in two blocks. `weights` are Gwet's for AC2; kappa and percent agreement count exact matches.
 */
export function agreement(
  answers: readonly BlockedAnswer[],
  categories: readonly number[],
  weights: AgreementWeights,
  options: BootstrapOptions,
): BlockedAgreement {
  const table = agreementTable(answers, categories);
  const blocks = rowsByBlock(answers, table);
  const { seed, resamples, confidence } = options;
  return {
    pooled: report(table, [...blocks.values()], weights, options),
    blocks: [...blocks].map(([block, rows]) => {
      const part = selectItems(table, rows);
      return { block, ...report(part, [rows.map((_, index) => index)], weights, options) };
    }),
    seed,
    resamples,
    confidence,
  };
}

function rowsByBlock(answers: readonly BlockedAnswer[], table: AgreementTable): Map<string, number[]> {
  const blockOf = new Map<string, string>();
  for (const { item, block } of answers) {
    if (blockOf.has(item) && blockOf.get(item) !== block) {
      throw new AppError('BAD_INPUT', `Item ${item} is in the blocks ${blockOf.get(item)} and ${block}.`, {
        field: 'block',
      });
    }
    blockOf.set(item, block);
  }
  const rows = new Map<string, number[]>();
  table.items.forEach((item, row) => {
    const block = blockOf.get(item)!;
    const own = rows.get(block);
    if (own) own.push(row);
    else rows.set(block, [row]);
  });
  return rows;
}

function report(
  table: AgreementTable,
  blocks: readonly (readonly number[])[],
  weights: AgreementWeights,
  options: BootstrapOptions,
): AgreementReport {
  const coefficient = (value: Statistic, ofItems: WeightedStatistic): Coefficient => {
    if (value.status === 'UNDEFINED') return { value, interval: value, undefinedResamples: 0 };
    const { percentile, undefinedResamples } = resampleItems(value.value, table, blocks, ofItems, options);
    return { value, interval: percentile, undefinedResamples };
  };
  const alpha = (level: Level) => coefficient(krippendorffAlpha(table, level), alphaOfItems(table, level));
  const corrected = (kind: AgreementWeights, name: keyof Agreements) =>
    coefficient(chanceCorrected(table, kind)[name], (drawn) =>
      valueOrNaN(chanceCorrected(table, kind, drawn)[name]),
    );
  return {
    items: table.items.length,
    ratings: table.counts.reduce((sum, count) => sum + count, 0),
    alphaNominal: alpha('NOMINAL'),
    alphaOrdinal: alpha('ORDINAL'),
    alphaInterval: alpha('INTERVAL'),
    fleissKappa: corrected('IDENTITY', 'fleissKappa'),
    gwetAc2: corrected(weights, 'gwetAc'),
    percentAgreement: corrected('IDENTITY', 'percent'),
  };
}

/** Items are drawn within their block, so that each resample keeps the design. */
function resampleItems(
  estimate: number,
  table: AgreementTable,
  blocks: readonly (readonly number[])[],
  statistic: WeightedStatistic,
  options: BootstrapOptions,
) {
  const weights = new Float64Array(table.items.length);
  const drawn = blocks.map((rows) => new Float64Array(rows.length));
  return bootstrap(
    estimate,
    (random) => {
      blocks.forEach((rows, b) => {
        const counts = drawCounts(random, drawn[b]!);
        rows.forEach((row, index) => {
          weights[row] = counts[index]!;
        });
      });
      return statistic(weights);
    },
    () => [],
    options,
  );
}
