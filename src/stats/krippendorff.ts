// Krippendorff's alpha for any number of raters, with missing cells.

import type { AgreementTable } from './agreement-table.js';
import type { WeightedStatistic } from './bootstrap.js';
import { defined, type Statistic, undefinedBecause, valueOrNaN } from './statistic.js';

export type Level = 'NOMINAL' | 'ORDINAL' | 'INTERVAL';

/**
 * Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's alpha-reliability", sections C and E), of items
 * weighted by how often each was drawn (once each by default).
 */
export function krippendorffAlpha(table: AgreementTable, level: Level, weights?: Float64Array): Statistic {
  const coincidences = coincidenceMatrix(table, weights);
  return alphaOf(coincidences, table.categories, level);
}

/** The same for resampling over items: NaN where alpha is UNDEFINED. */
export function alphaOfItems(table: AgreementTable, level: Level): WeightedStatistic {
  return (weights) => valueOrNaN(krippendorffAlpha(table, level, weights));
}

/** [category, category]: pairable values; an item with m values adds each ordered pair of them with weight 1/(m-1). */
function coincidenceMatrix(
  { categories, items, counts }: AgreementTable,
  weights?: Float64Array,
): Float64Array {
  const q = categories.length;
  const matrix = new Float64Array(q * q);
  for (let u = 0; u < items.length; u++) {
    let values = 0;
    for (let c = 0; c < q; c++) values += counts[u * q + c]!;
    if (values < 2) continue;
    const weight = (weights?.[u] ?? 1) / (values - 1);
    for (let c = 0; c < q; c++) {
      for (let k = 0; k < q; k++) {
        matrix[c * q + k]! += weight * counts[u * q + c]! * (counts[u * q + k]! - (c === k ? 1 : 0));
      }
    }
  }
  return matrix;
}

function alphaOf(coincidences: Float64Array, categories: readonly number[], level: Level): Statistic {
  const q = categories.length;
  const totals = categories.map((_, c) =>
    coincidences.subarray(c * q, (c + 1) * q).reduce((a, b) => a + b, 0),
  );
  const n = totals.reduce((sum, total) => sum + total, 0);
  if (n === 0) return undefinedBecause('no item was rated twice');
  const distance = squaredDistance(level, categories, totals);
  let observed = 0;
  let expected = 0;
  for (let c = 0; c < q; c++) {
    for (let k = 0; k < q; k++) {
      if (c === k) continue;
      observed += coincidences[c * q + k]! * distance(c, k);
      expected += totals[c]! * totals[k]! * distance(c, k);
    }
  }
  if (expected === 0) return undefinedBecause('all values are the same: there is no variance to agree on');
  return defined(1 - ((n - 1) * observed) / expected);
}

function squaredDistance(level: Level, categories: readonly number[], totals: readonly number[]) {
  if (level === 'NOMINAL') return () => 1;
  if (level === 'INTERVAL') return (c: number, k: number) => (categories[c]! - categories[k]!) ** 2;
  const upTo = totals.map((_, c) => totals.slice(0, c + 1).reduce((sum, total) => sum + total, 0));
  const middle = (c: number) => upTo[c]! - totals[c]! / 2;
  return (c: number, k: number) => (middle(c) - middle(k)) ** 2;
}
