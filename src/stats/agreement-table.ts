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

/** The rows of some items, by index. */
export function selectItems(table: AgreementTable, rows: readonly number[]): AgreementTable {
  const q = table.categories.length;
  return {
    categories: table.categories,
    items: rows.map((row) => table.items[row]!),
    counts: Float64Array.from(rows.flatMap((row) => [...table.counts.subarray(row * q, (row + 1) * q)])),
  };
}
