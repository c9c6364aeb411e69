// Cliff's delta: how often a rating of one arm exceeds one of the other, minus the reverse.

import { normalQuantile } from './distributions.js';
import type { Interval } from './intervals.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface CliffsDelta {
  /** In [-1, 1]. */
  readonly delta: number;
  readonly standardError: number;
  readonly interval: Statistic<Interval>;
}

/**
 * Cliff's delta of two independent samples with the unbiased variance (Cliff 1993, eq. 7) and the asymmetric interval
 * (Feng and Cliff 2004). Ratings of a crossed study are not independent: there, pass `deltaOf` to crossedBootstrap.
 */
export function cliffsDelta(
  first: Float64Array,
  second: Float64Array,
  confidence = 0.95,
): Statistic<CliffsDelta> {
  const n = first.length;
  const m = second.length;
  if (n < 2 || m < 2) return undefinedBecause('each sample needs two observations or more');
  const rows = new Float64Array(n);
  const columns = new Float64Array(m);
  let squares = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const sign = Math.sign(first[i]! - second[j]!);
      rows[i]! += sign / m;
      columns[j]! += sign / n;
      squares += sign * sign;
    }
  }
  const delta = rows.reduce((sum, row) => sum + row, 0) / n;
  const around = (values: Float64Array) => values.reduce((sum, value) => sum + (value - delta) ** 2, 0);
  const unbiased =
    (m * m * around(rows) + n * n * around(columns) - (squares - n * m * delta * delta)) /
    (n * m * (n - 1) * (m - 1));
  // The unbiased estimate can fall below zero; Cliff's floor keeps it possible.
  const variance = Math.max(unbiased, (1 - delta * delta) / (n * m - 1));
  const z = normalQuantile((1 + confidence) / 2);
  const centre = delta - delta ** 3;
  const reach = z * Math.sqrt(variance) * Math.sqrt((1 - delta * delta) ** 2 + z * z * variance);
  const scale = 1 - delta * delta + z * z * variance;
  return defined({
    delta,
    standardError: Math.sqrt(variance),
    interval:
      scale === 0
        ? undefinedBecause('the samples do not overlap at all: delta has no variance')
        : defined({
            low: Math.max(-1, (centre - reach) / scale),
            high: Math.min(1, (centre + reach) / scale),
          }),
  });
}

/** Cliff's delta of weighted observations, for resampling: O(n log n) once, then O(n) a call; NaN if all weights are 0. */
export function deltaOf(first: Float64Array, second: Float64Array): (weights: Float64Array) => number {
  const levels = [...new Set([...first, ...second])].sort((a, b) => a - b);
  const indexOf = new Map(levels.map((value, index) => [value, index]));
  const level = (values: Float64Array) => Int32Array.from(values, (value) => indexOf.get(value)!);
  const a = level(first);
  const b = level(second);
  const massA = new Float64Array(levels.length);
  const massB = new Float64Array(levels.length);
  return (weights) => {
    massA.fill(0);
    massB.fill(0);
    for (let k = 0; k < weights.length; k++) {
      massA[a[k]!]! += weights[k]!;
      massB[b[k]!]! += weights[k]!;
    }
    return deltaOfMasses(massA, massB);
  };
}

/** Cliff's delta of how often each pair of values was given, [level of the first, level of the second], levels ascending. */
export function deltaOfTable(table: Float64Array, levels: number): number {
  const massA = new Float64Array(levels);
  const massB = new Float64Array(levels);
  for (let pair = 0; pair < table.length; pair++) {
    massA[Math.floor(pair / levels)]! += table[pair]!;
    massB[pair % levels]! += table[pair]!;
  }
  return deltaOfMasses(massA, massB);
}

/** From the mass on each level of either side, which is the same in all. */
function deltaOfMasses(massA: Float64Array, massB: Float64Array): number {
  const total = massB.reduce((sum, mass) => sum + mass, 0);
  let below = 0;
  let sum = 0;
  for (let l = 0; l < massA.length; l++) {
    sum += massA[l]! * (below - (total - below - massB[l]!));
    below += massB[l]!;
  }
  return sum / (total * total);
}
