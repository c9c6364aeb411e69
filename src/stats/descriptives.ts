// What a table of results says before any inference: mean, median, distribution, and wins, ties and losses.

import type { Rating } from './ratings.js';
import { defined, type Statistic, undefinedBecause } from './statistic.js';

export interface Description {
  readonly count: number;
  readonly mean: Statistic;
  readonly median: Statistic;
  /** Sample standard deviation (n - 1). */
  readonly standardDeviation: Statistic;
}

export interface ArmDescription extends Description {
  readonly arm: string;
  readonly criterion: string;
  /** How often each category of the scale was given, in the scale's order. */
  readonly distribution: readonly number[];
}

export interface PairedDescription extends Description {
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
}

/** Mean, median and standard deviation of the values; UNDEFINED where there are too few. */
export function describe(values: Float64Array): Description {
  const count = values.length;
  if (count === 0) {
    const none = undefinedBecause('there is no observation');
    return { count, mean: none, median: none, standardDeviation: none };
  }
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    count,
    mean: defined(mean),
    median: defined(medianOf(values)),
    standardDeviation:
      count > 1
        ? defined(Math.sqrt(squares / (count - 1)))
        : undefinedBecause('one observation has no spread'),
  };
}

/** Describes each arm on each criterion, in order of first appearance; values off the scale are counted in no category. */
export function describeArms(ratings: Iterable<Rating>, scale: readonly number[]): ArmDescription[] {
  const cells = new Map<string, { arm: string; criterion: string; values: number[] }>();
  for (const { arm, criterion, value } of ratings) {
    const key = JSON.stringify([criterion, arm]);
    const cell = cells.get(key) ?? { arm, criterion, values: [] };
    cells.set(key, cell);
    cell.values.push(value);
  }
  return [...cells.values()].map(({ arm, criterion, values }) => {
    const distribution = scale.map((category) => values.filter((value) => value === category).length);
    return { arm, criterion, distribution, ...describe(Float64Array.from(values)) };
  });
}

/** Describes paired differences (arm minus the arm compared with), with wins, ties and losses counted. */
export function describeDifferences(differences: Float64Array): PairedDescription {
  const wins = differences.filter((d) => d > 0).length;
  const losses = differences.filter((d) => d < 0).length;
  return { ...describe(differences), wins, losses, ties: differences.length - wins - losses };
}

/** Arithmetic mean; NaN of nothing. */
export function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function medianOf(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
