// Rows that Postgres gives as JSON: the driver reads many of them several times faster so than column by column.

/** Makes dates of the texts in some properties, in place; null stays. */
export function withDates<Row extends object>(
  rows: readonly Row[],
  keys: readonly (keyof Row)[],
): readonly Row[] {
  for (const row of rows) {
    for (const key of keys) {
      if (row[key] !== null) row[key] = new Date(row[key] as string) as Row[keyof Row];
    }
  }
  return rows;
}
