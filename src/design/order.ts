// A rater's sequence: random, no source twice in a row, catch trials spread over it.

import type { RandomSource } from '../stats/random.js';
import { type CatchTrials, catchGap, DUPLICATE_GAP } from './parameters.js';

/**
 * Puts screens in random order so that none follows another with the same source, nor starts with the source `after`;
 * undefined where that cannot be. At each step any screen may come next, unless one source fills half of the rest.
 */
export function arrange<T extends { readonly source: string }>(
  screens: readonly T[],
  random: RandomSource,
  after?: string,
): T[] | undefined {
  const rest = random.shuffle([...screens]);
  const left = new Map<string, number>();
  for (const { source } of rest) left.set(source, (left.get(source) ?? 0) + 1);
  const order: T[] = [];
  let last = after;
  while (rest.length > 0) {
    const pressing = [...left].find(([, count]) => 2 * count > rest.length)?.[0];
    // The rest is in random order, so its first screen that fits is a random one.
    const next = rest.findIndex(
      ({ source }) => source !== last && (pressing === undefined || source === pressing),
    );
    if (next < 0) return undefined;
    const [screen] = rest.splice(next, 1);
    last = screen!.source;
    left.set(last, left.get(last)! - 1);
    order.push(screen!);
  }
  return order;
}

export type CatchKind = 'INSTRUCTED' | 'DUPLICATE' | 'GROSS_FAILURE';

/** A catch trial that comes after the first `gap` screens of the study proper. */
export interface CatchPlace {
  readonly gap: number;
  readonly kind: CatchKind;
}

/** Spreads the catch trials evenly with random places: never first, never two in a row, duplicates late enough. */
export function placeCatchTrials(wanted: CatchTrials, screens: number, random: RandomSource): CatchPlace[] {
  const n = wanted.instructed + wanted.duplicates + wanted.grossFailures;
  const gaps = Array.from({ length: n }, (_, j) => catchGap(j, n, screens));
  const late = random.shuffle(gaps.flatMap(({ last }, j) => (last > DUPLICATE_GAP ? [j] : [])));
  const duplicates = new Set(late.slice(0, wanted.duplicates));
  const others = random.shuffle<CatchKind>([
    ...new Array<CatchKind>(wanted.instructed).fill('INSTRUCTED'),
    ...new Array<CatchKind>(wanted.grossFailures).fill('GROSS_FAILURE'),
  ]);
  return gaps.map(({ first, last }, j) => {
    const kind = duplicates.has(j) ? 'DUPLICATE' : others.pop()!;
    const from = kind === 'DUPLICATE' ? Math.max(first, DUPLICATE_GAP + 1) : first;
    return { kind, gap: from + random.int(last - from + 1) };
  });
}
