// Who agreed with whom, reduced to what the coefficients need: how many raters put each item into each category.

import { AppError } from '../errors.js';

export interface AgreementTable {
  /** Ascending values of the declared scale, also those that nobody used. */
  readonly categories: readonly number[];
  readonly items: readonly string[];
  /** [item, category], numbers of raters. */
  readonly counts: Float64Array;
}

/** Counts the answers of each item; missing cells are simply not there. BAD_INPUT for a value that is off the scale. */
export function agreementTable(
  answers: Iterable<{ readonly item: string; readonly value: number }>,
  categories: readonly number[],
): AgreementTable {
  const scale = [...categories].sort((a, b) => a - b);
  if (new Set(scale).size < Math.max(2, scale.length)) {
    throw new AppError('BAD_INPUT', 'The scale needs two different categories or more.', {
      field: 'categories',
    });
  }
  const items = new Map<string, number[]>();
  for (const { item, value } of answers) {
    const category = scale.indexOf(value);
    if (category < 0) {
      throw new AppError(
        'BAD_INPUT',
        `Item ${item} has the value ${value}; the scale is ${scale.join(', ')}.`,
        {
          field: 'value',
        },
      );
    }
    const counts = items.get(item) ?? new Array<number>(scale.length).fill(0);
    items.set(item, counts);
    counts[category]!++;
  }
  return {
    categories: scale,
    items: [...items.keys()],
    counts: Float64Array.from([...items.values()].flat()),
  };
}

/** What each item adds to the sums that a coefficient is made of: [item, width]. */
export interface ItemTerms {
  readonly width: number;
  readonly values: Float64Array;
}

/** Terms of each item from its counts by category; `write` finds them 0. */
export function itemTerms(
  { categories, items, counts }: AgreementTable,
  width: number,
  write: (counts: Float64Array, terms: Float64Array) => void,
): ItemTerms {
  const q = categories.length;
  const values = new Float64Array(items.length * width);
  for (let u = 0; u < items.length; u++)
    write(counts.subarray(u * q, (u + 1) * q), values.subarray(u * width, (u + 1) * width));
  return { width, values };
}

/** The sums over all items, each counted as often as it was drawn (once by default). */
export function sumTerms({ width, values }: ItemTerms, weights?: Float64Array): Float64Array {
  const sums = new Float64Array(width);
  for (let u = 0, at = 0; at < values.length; u++, at += width) {
    const weight = weights === undefined ? 1 : weights[u]!;
    if (weight === 0) continue;
    for (let t = 0; t < width; t++) sums[t]! += weight * values[at + t]!;
  }
  return sums;
}

/** The terms of several coefficients side by side, so that one pass over the items sums them all. */
export function joinTerms(parts: readonly ItemTerms[]): ItemTerms {
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const items = parts[0]!.values.length / parts[0]!.width;
  const values = new Float64Array(items * width);
  for (let u = 0; u < items; u++) {
    let at = u * width;
    for (const part of parts) {
      values.set(part.values.subarray(u * part.width, (u + 1) * part.width), at);
      at += part.width;
    }
  }
  return { width, values };
}

/** The rows of some items, by index. */
export function selectItems(table: AgreementTable, rows: readonly number[]): AgreementTable {
  const q = table.categories.length;
  return {
    categories: table.categories,
    items: rows.map((row) => table.items[row]!),
    counts: Float64Array.from(rows.flatMap((row) => [...table.counts.subarray(row * q, (row + 1) * q)])),
  };
}
