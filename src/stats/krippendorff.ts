// Krippendorff's alpha for any number of raters, with missing cells.

import { type AgreementTable, type ItemTerms, itemTerms, sumTerms } from './agreement-table.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export type Level = 'NOMINAL' | 'ORDINAL' | 'INTERVAL';

/**
 * Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's alpha-reliability", sections C and E), of items
 * weighted by how often each was drawn (once each by default).
 */
export function krippendorffAlpha(table: AgreementTable, level: Level, weights?: Float64Array): Statistic {
  return alphaOf(sumTerms(coincidencesOf(table), weights), table.categories, level);
}

/** [item, category * category]: an item with m values adds each ordered pair of them with weight 1/(m-1). */
export function coincidencesOf(table: AgreementTable): ItemTerms {
  const q = table.categories.length;
  return itemTerms(table, q * q, (counts, terms) => {
    const values = counts.reduce((sum, count) => sum + count, 0);
    if (values < 2) return;
    for (let c = 0; c < q; c++) {
      for (let k = 0; k < q; k++)
        terms[c * q + k] = (counts[c]! * (counts[k]! - (c === k ? 1 : 0))) / (values - 1);
    }
  });
}

/** Alpha of the sums of all items' coincidences; plain loops, since each resample asks for it. */
export function alphaOf(coincidences: Float64Array, categories: readonly number[], level: Level): Statistic {
  const q = categories.length;
  const totals = new Float64Array(q);
  let n = 0;
  for (let c = 0; c < q; c++) {
    for (let k = 0; k < q; k++) totals[c]! += coincidences[c * q + k]!;
    n += totals[c]!;
  }
  if (n === 0) return NOTHING_TWICE;
  const places = placesOf(level, categories, totals);
  let observed = 0;
  let expected = 0;
  for (let c = 0; c < q; c++) {
    for (let k = 0; k < q; k++) {
      if (c === k) continue;
      const distance = level === 'NOMINAL' ? 1 : (places[c]! - places[k]!) ** 2;
      observed += coincidences[c * q + k]! * distance;
      expected += totals[c]! * totals[k]! * distance;
    }
  }
  return expected === 0 ? NO_VARIANCE : defined(1 - ((n - 1) * observed) / expected);
}

const NOTHING_TWICE = undefinedBecause('no item was rated twice');
const NO_VARIANCE = undefinedBecause('all values are the same: there is no variance to agree on');

/** Where each category lies on a line: by its value, or for ordinal data in the middle of the answers up to it. */
function placesOf(level: Level, categories: readonly number[], totals: Float64Array): ArrayLike<number> {
  if (level !== 'ORDINAL') return categories;
  let below = 0;
  return totals.map((total) => {
    below += total;
    return below - total / 2;
  });
}
