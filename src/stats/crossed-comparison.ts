// Two arms rated by the same raters on the same items: their mean difference and Cliff's delta over the same resamples.

import { type BootstrapOptions, type BootstrapResult, bootstrap } from './bootstrap.js';
import { deltaOfTable } from './cliffs-delta.js';
import { type CrossedMean, crossedMeanOf } from './crossed-mean.js';
import type { Crossing } from './ratings.js';

export interface CrossedComparison {
  /** Of the differences, first - second. */
  readonly difference: CrossedMean;
  readonly delta: BootstrapResult;
}

/**
 * What crossedMean of the differences and crossedBootstrap of `deltaOf` give, from counts: both need only how often each pair
 * of values was drawn, so a resample costs two passes over the rater x item table, and leaving one out is a subtraction.
 */
export function crossedComparison(
  crossing: Crossing,
  first: Float64Array,
  second: Float64Array,
  options: BootstrapOptions,
): CrossedComparison {
  const levels = [...new Set([...new Set(first), ...new Set(second)])].sort((a, b) => a - b);
  const levelOf = new Map(levels.map((value, level) => [value, level]));
  const pairs = levels.length ** 2;
  // [observation], which pair of values it is.
  const kind = Int32Array.from(
    first,
    (value, k) => levelOf.get(value)! * levels.length + levelOf.get(second[k]!)!,
  );
  const values = Float64Array.from({ length: pairs }, (_, pair) => {
    return levels[Math.floor(pair / levels.length)]! - levels[pair % levels.length]!;
  });
  const deltas = new Float64Array(options.resamples);
  let resample = 0;
  const difference = crossedMeanOf(
    crossing,
    first.map((value, k) => value - second[k]!),
    { kind, values },
    options,
    ({ drawn }) => {
      deltas[resample++] = deltaOfTable(drawn, levels.length);
    },
  );
  const all = new Float64Array(pairs);
  for (const pair of kind) all[pair]!++;
  const without = (unit: Int32Array, units: number) => {
    const counts = new Float64Array(units * pairs);
    for (let k = 0; k < kind.length; k++) counts[unit[k]! * pairs + kind[k]!]!++;
    return Float64Array.from({ length: units }, (_, u) =>
      deltaOfTable(
        all.map((count, pair) => count - counts[u * pairs + pair]!),
        levels.length,
      ),
    );
  };
  const replay = deltas.values();
  const delta = bootstrap(
    deltaOfTable(all, levels.length),
    () => replay.next().value!,
    () => [without(crossing.rater, crossing.raters.length), without(crossing.item, crossing.items.length)],
    options,
  );
  return { difference, delta };
}
