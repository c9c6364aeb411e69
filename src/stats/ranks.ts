// Ranks with ties, as every rank test needs them.

export interface Ranking {
  /** 1-based; tied values share the mean of their ranks. */
  readonly ranks: Float64Array;
  /** Sum over groups of tied values of t^3 - t, the usual correction term. */
  readonly tieTerm: number;
}

/** Ranks the values from smallest to largest with mid-ranks for ties. */
export function midRanks(values: ArrayLike<number>): Ranking {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  let tieTerm = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2;
    tieTerm += (end - start) ** 3 - (end - start);
    start = end;
  }
  return { ranks, tieTerm };
}
