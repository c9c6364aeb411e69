// Corrections for testing several hypotheses at once, as adjusted p-values in the order given.

/** Holm's step-down procedure (1979): controls the family-wise error under any dependence. */
export function holm(pValues: readonly number[]): number[] {
  const order = ascending(pValues);
  const adjusted = new Array<number>(pValues.length);
  let highest = 0;
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, (pValues.length - rank) * pValues[index]!));
    adjusted[index] = highest;
  });
  return adjusted;
}

/** Benjamini and Hochberg's step-up procedure (1995): controls the false discovery rate of independent tests. */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = ascending(pValues).reverse();
  const adjusted = new Array<number>(pValues.length);
  let lowest = 1;
  order.forEach((index, fromLargest) => {
    lowest = Math.min(lowest, (pValues.length / (pValues.length - fromLargest)) * pValues[index]!);
    adjusted[index] = lowest;
  });
  return adjusted;
}

function ascending(pValues: readonly number[]): number[] {
  return pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!);
}
