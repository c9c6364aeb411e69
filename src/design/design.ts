// The design of a study as a pure function: who sees which painting, when, on which side, fixed before the first rating.

import type { CreateRandom, RandomSource } from '../stats/random.js';
import { dealItems } from './groups.js';
import { arrange, type CatchKind, placeCatchTrials } from './order.js';
import { checkParameters, type DesignParameters, DUPLICATE_GAP, fail, pairsOfArms } from './parameters.js';
import { drawSides } from './sides.js';

/** Changes whenever the same seed and parameters would give other slots; stored and exported with the seed. */
export const DESIGN_ALGORITHM = 'mindpainter-design-1';

export type SlotKind = 'PRACTICE' | 'RATING' | CatchKind;

/** One screen of one rater. */
export interface Slot {
  /** 0-based; raters are numbered in the order in which they will arrive. */
  readonly rater: number;
  /** 0-based place in the rater's sequence. */
  readonly position: number;
  readonly kind: SlotKind;
  /** null where only an instruction is shown. */
  readonly item: string | null;
  /** The arms shown, left to right; null stands for the painting that was broken on purpose. */
  readonly arms: readonly (string | null)[];
  /** For RATING: which of the item's raters this one is, from 0: unique with item and arms, so overlap has a bound. */
  readonly overlap: number | null;
  /** For INSTRUCTED and GROSS_FAILURE: the answer that passes. */
  readonly expected: number | null;
  /** For DUPLICATE: the position of the screen that it repeats. */
  readonly repeats: number | null;
}

export interface DesignRater {
  readonly rater: number;
  readonly group: number;
  /** The order in which this rater is asked the criteria, the same on each screen. */
  readonly criteria: readonly string[];
}

export interface Design {
  readonly algorithm: string;
  readonly seed: number;
  readonly parameters: DesignParameters;
  readonly raters: readonly DesignRater[];
  /** By rater, then position. */
  readonly slots: readonly Slot[];
}

interface Screen extends Omit<Slot, 'rater' | 'position' | 'repeats'> {
  readonly source: string;
  readonly original?: Screen;
}

/** More tries than this at a rater's sequence, and the sources are too few for it. */
const MAX_TRIES = 200;

/** Designs a study; BAD_INPUT names the parameter that stands in the way and what would work. */
export function design(seed: number, parameters: DesignParameters, createRandom: CreateRandom): Design {
  checkParameters(parameters);
  const random = createRandom(seed);
  const groups = dealItems(parameters, random);
  const members = parameters.raters / parameters.groups;
  const raters: DesignRater[] = [];
  const sequences: Slot[][] = [];
  groups.forEach((items, group) => {
    const sides = drawSides(parameters, items.length, random);
    for (let member = 0; member < members; member++) {
      // Early arrivals fill all groups evenly, should the study end early.
      const rater = member * parameters.groups + group;
      raters[rater] = { rater, group, criteria: random.shuffle([...parameters.criteria]) };
      const screens = items.flatMap(({ id, source, bridging }, i) =>
        pairsOfArms(parameters).map(
          (arms, pair): Screen => ({
            kind: 'RATING',
            item: id,
            source,
            arms: sides[member]![pair]![i] ? [...arms].reverse() : arms,
            overlap: bridging ? rater : member,
            expected: null,
          }),
        ),
      );
      sequences[rater] = sequence(parameters, screens, random).map((screen, position, all) => {
        const { source: _, original, ...slot } = screen;
        return { rater, position, ...slot, repeats: original ? all.indexOf(original) : null };
      });
    }
  });
  return { algorithm: DESIGN_ALGORITHM, seed, parameters, raters, slots: sequences.flat() };
}

/** Practice, then the screens in random order with catch trials among them, no source twice in a row. */
function sequence(parameters: DesignParameters, screens: readonly Screen[], random: RandomSource): Screen[] {
  const practice = practiceScreens(parameters, random);
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const main = arrange(screens, random);
    // The practice is laid backwards from the first screen of the study.
    const before = main && arrange(practice, random, main[0]!.source)?.reverse();
    const checked = main && before && withCatchTrials(parameters, main, random);
    if (checked) return [...before, ...checked];
  }
  return fail(
    'items',
    'the sources are too few to keep each from following itself with these catch trials and practice items',
    'more different sources, or fewer catch trials',
  );
}

function practiceScreens(parameters: DesignParameters, random: RandomSource): Screen[] {
  const pairs = random.shuffle([...pairsOfArms(parameters)]);
  return parameters.practiceItems.map(({ id, source }, i) => ({
    kind: 'PRACTICE',
    item: id,
    source,
    arms: random.shuffle([...pairs[i % pairs.length]!]),
    overlap: null,
    expected: null,
  }));
}

function withCatchTrials(
  parameters: DesignParameters,
  main: readonly Screen[],
  random: RandomSource,
): Screen[] | undefined {
  const places = placeCatchTrials(parameters.catchTrials, main.length, random);
  const repeated = new Set<Screen>();
  const inserted = new Map<number, Screen>();
  for (const { gap, kind } of places) {
    if (kind === 'INSTRUCTED') {
      const expected = 1 + random.int(parameters.scale);
      inserted.set(gap, { kind, item: null, source: '', arms: [], overlap: null, expected });
      continue;
    }
    const fits = ({ source }: Screen) => source !== main[gap - 1]!.source && source !== main[gap]?.source;
    const early = kind === 'DUPLICATE' ? main.slice(0, gap - DUPLICATE_GAP) : main;
    const choice = early.filter((screen) => fits(screen) && !repeated.has(screen));
    const original = choice[random.int(Math.max(1, choice.length))];
    if (!original) return undefined;
    if (kind === 'GROSS_FAILURE') {
      inserted.set(gap, {
        ...original,
        kind,
        arms: breakOne(original.arms, random),
        overlap: null,
        expected: 1,
      });
      continue;
    }
    repeated.add(original);
    inserted.set(gap, { ...original, kind, arms: [...original.arms].reverse(), overlap: null, original });
  }
  return main.flatMap((screen, i) => {
    const check = inserted.get(i + 1);
    return check ? [screen, check] : [screen];
  });
}

function breakOne(arms: Screen['arms'], random: RandomSource): Screen['arms'] {
  const broken = random.int(arms.length);
  return arms.map((arm, side) => (side === broken ? null : arm));
}
