// Percent agreement, Fleiss' kappa and Gwet's AC1/AC2: observed agreement against each one's idea of chance.

import { type AgreementTable, type ItemTerms, itemTerms, sumTerms } from './agreement-table.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

/** How much two categories agree: IDENTITY counts exact matches only; the others give credit for being near. */
export type AgreementWeights = 'IDENTITY' | 'LINEAR' | 'QUADRATIC' | 'ORDINAL';

export interface Agreements {
  /** Weighted share of agreeing pairs of raters, averaged over items that two or more rated. */
  readonly percent: Statistic;
  /** Fleiss' kappa (1971); with unequal numbers of raters, Gwet's generalisation (2014, eq. 2.11 and chapter 3). */
  readonly fleissKappa: Statistic;
  /** Gwet's AC2 (2014, chapter 3); AC1 with IDENTITY weights. Defined, unlike kappa, when all chose one category. */
  readonly gwetAc: Statistic;
}

/** All three coefficients of items weighted by how often each was drawn (once each by default). */
export function chanceCorrected(
  table: AgreementTable,
  kind: AgreementWeights,
  itemWeights?: Float64Array,
): Agreements {
  const weight = categoryWeights(table.categories, kind);
  return agreementsOf(sumTerms(agreementTerms(table, weight), itemWeights), weight);
}

/** [item, categories + 3]: the share of raters in each category; whether anybody, and whether two, rated; how far they agreed. */
export function agreementTerms(table: AgreementTable, weight: Float64Array): ItemTerms {
  const q = table.categories.length;
  return itemTerms(table, q + 3, (counts, terms) => {
    const raters = counts.reduce((sum, count) => sum + count, 0);
    if (raters === 0) return;
    for (let c = 0; c < q; c++) terms[c] = counts[c]! / raters;
    terms[q] = 1;
    if (raters < 2) return;
    terms[q + 1] = 1;
    let pairs = 0;
    for (let c = 0; c < q; c++) {
      for (let k = 0; k < q; k++) pairs += weight[c * q + k]! * counts[c]! * (counts[k]! - (c === k ? 1 : 0));
    }
    terms[q + 2] = pairs / (raters * (raters - 1));
  });
}

/** The coefficients of the sums of all items' terms. */
export function agreementsOf(sums: Float64Array, weight: Float64Array): Agreements {
  const q = Math.sqrt(weight.length);
  const shares = sums.subarray(0, q);
  const [rated, pairable, agreed] = [sums[q]!, sums[q + 1]!, sums[q + 2]!];
  if (pairable === 0) {
    const none = undefinedBecause('no item was rated twice');
    return { percent: none, fleissKappa: none, gwetAc: none };
  }
  const percent = agreed / pairable;
  const { kappaChance, acChance } = chances(shares, rated, weight);
  const used = shares.reduce((number, share) => number + (share > 0 ? 1 : 0), 0);
  return {
    percent: defined(percent),
    fleissKappa:
      used < 2
        ? undefinedBecause('all values are the same: there is no variance to agree on')
        : defined((percent - kappaChance) / (1 - kappaChance)),
    gwetAc: defined((percent - acChance) / (1 - acChance)),
  };
}

function chances(shares: Float64Array, rated: number, weight: Float64Array) {
  const q = shares.length;
  let kappaChance = 0;
  let spread = 0;
  let total = 0;
  for (let c = 0; c < q; c++) {
    const share = shares[c]! / rated;
    spread += share * (1 - share);
    for (let k = 0; k < q; k++) {
      kappaChance += (weight[c * q + k]! * share * shares[k]!) / rated;
      total += weight[c * q + k]!;
    }
  }
  return { kappaChance, acChance: (total * spread) / (q * (q - 1)) };
}

/** [category, category] in [0, 1], 1 on the diagonal (Gwet 2014, section 3.5; linear and quadratic by value, ordinal by rank). */
export function categoryWeights(categories: readonly number[], kind: AgreementWeights): Float64Array {
  const q = categories.length;
  const range = categories[q - 1]! - categories[0]!;
  const pairs = (n: number) => (n * (n - 1)) / 2;
  return Float64Array.from({ length: q * q }, (_, index) => {
    const c = Math.floor(index / q);
    const k = index % q;
    if (c === k) return 1;
    const apart = Math.abs(categories[c]! - categories[k]!) / range;
    if (kind === 'LINEAR') return 1 - apart;
    if (kind === 'QUADRATIC') return 1 - apart * apart;
    if (kind === 'ORDINAL') return 1 - pairs(Math.abs(c - k) + 1) / pairs(q);
    return 0;
  });
}
