// Agreement as the results report it: each coefficient with its bootstrap interval over items, per block and pooled.

import { AppError } from '../errors.js';
import { type AgreementTable, agreementTable, joinTerms, selectItems, sumTerms } from './agreement-table.js';
import { type BootstrapOptions, checkOptions, drawCounts } from './bootstrap.js';
import { type AgreementWeights, agreementsOf, agreementTerms, categoryWeights } from './chance-corrected.js';
import { type Interval, percentileInterval, usableReplicates } from './intervals.js';
import { alphaOf, coincidencesOf } from './krippendorff.js';
import { defined, type Statistic, valueOrNaN } from './statistic.js';

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
  return agreementOf(table, rowsByBlock(answers, table), weights, options);
}

/** The same from counts: `blocks` has the rows of each block, every row in one of them. */
export function agreementOf(
  table: AgreementTable,
  blocks: ReadonlyMap<string, readonly number[]>,
  weights: AgreementWeights,
  options: BootstrapOptions,
): BlockedAgreement {
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

type Coefficients = Omit<AgreementReport, 'items' | 'ratings'>;

/** All coefficients from one set of sums over the items: resampling sums the terms of each item once for all of them. */
function coefficientsOf(table: AgreementTable, weights: AgreementWeights) {
  const { categories } = table;
  const q = categories.length;
  const same = categoryWeights(categories, 'IDENTITY');
  const near = categoryWeights(categories, weights);
  const parts = [coincidencesOf(table), agreementTerms(table, same), agreementTerms(table, near)] as const;
  const [exact, weighted] = [parts[0].width, parts[0].width + parts[1].width];
  const values = (sums: Float64Array): Record<keyof Coefficients, Statistic> => {
    const coincidences = sums.subarray(0, q * q);
    const { fleissKappa, percent } = agreementsOf(sums.subarray(exact, weighted), same);
    return {
      alphaNominal: alphaOf(coincidences, categories, 'NOMINAL'),
      alphaOrdinal: alphaOf(coincidences, categories, 'ORDINAL'),
      alphaInterval: alphaOf(coincidences, categories, 'INTERVAL'),
      fleissKappa,
      gwetAc2: agreementsOf(sums.subarray(weighted), near).gwetAc,
      percentAgreement: percent,
    };
  };
  return { terms: joinTerms(parts), values };
}

function report(
  table: AgreementTable,
  blocks: readonly (readonly number[])[],
  weights: AgreementWeights,
  options: BootstrapOptions,
): AgreementReport {
  checkOptions(options);
  const { terms, values } = coefficientsOf(table, weights);
  const found = values(sumTerms(terms));
  const names = Object.keys(found) as (keyof Coefficients)[];
  const replicates = names.map(() => new Float64Array(options.resamples));
  const draw = itemDrawer(table.items.length, blocks, options);
  for (let resample = 0; resample < options.resamples; resample++) {
    const again = values(sumTerms(terms, draw()));
    names.forEach((name, i) => {
      replicates[i]![resample] = valueOrNaN(again[name]);
    });
  }
  const coefficient = (name: keyof Coefficients): Coefficient => {
    const value = found[name];
    if (value.status === 'UNDEFINED') return { value, interval: value, undefinedResamples: 0 };
    const own = replicates[names.indexOf(name)]!;
    const usable = usableReplicates(own);
    const interval =
      usable.status === 'UNDEFINED' ? usable : defined(percentileInterval(usable.value, options.confidence));
    return { value, interval, undefinedResamples: own.filter(Number.isNaN).length };
  };
  return {
    items: table.items.length,
    ratings: table.counts.reduce((sum, count) => sum + count, 0),
    alphaNominal: coefficient('alphaNominal'),
    alphaOrdinal: coefficient('alphaOrdinal'),
    alphaInterval: coefficient('alphaInterval'),
    fleissKappa: coefficient('fleissKappa'),
    gwetAc2: coefficient('gwetAc2'),
    percentAgreement: coefficient('percentAgreement'),
  };
}

/** How often each item is drawn, resample by resample; within its block, so that each resample keeps the design. */
function itemDrawer(
  items: number,
  blocks: readonly (readonly number[])[],
  { seed, createRandom }: BootstrapOptions,
): () => Float64Array {
  const random = createRandom(seed);
  const weights = new Float64Array(items);
  const drawn = blocks.map((rows) => new Float64Array(rows.length));
  return () => {
    blocks.forEach((rows, b) => {
      const counts = drawCounts(random, drawn[b]!);
      for (let index = 0; index < rows.length; index++) weights[rows[index]!] = counts[index]!;
    });
    return weights;
  };
}
