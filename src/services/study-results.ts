// A study's results: four statements, then the statistics of src/stats. Nothing here is known before the study is unsealed.

import { setImmediate } from 'node:timers/promises';
import type { Study } from '../generated/prisma/client.js';
import { createRng } from '../random.js';
import { agreement } from '../stats/agreement.js';
import type { BootstrapOptions } from '../stats/bootstrap.js';
import { crossedBootstrap } from '../stats/bootstrap.js';
import { deltaOf } from '../stats/cliffs-delta.js';
import { crossedMean } from '../stats/crossed-mean.js';
import { describeArms, describeDifferences } from '../stats/descriptives.js';
import { friedmanTest } from '../stats/friedman.js';
import { benjaminiHochberg, holm } from '../stats/multiplicity.js';
import { type SignTest, signedRankTest, signTest } from '../stats/paired-tests.js';
import { type Retest, selfConsistency } from '../stats/rater-checks.js';
import { pairRatings, type Rating } from '../stats/ratings.js';
import type { Services } from './context.js';
import { protocolOf } from './studies.js';
import { SCALE, type StudyProtocol } from './study-protocol.js';

/** Changes whenever the same ratings would give other numbers. */
export const RESULTS_ALGORITHM = 'mindpainter-results-1';

const CATEGORIES = Array.from({ length: SCALE }, (_, i) => i + 1);
const RESAMPLES = 1000;
const CONFIDENCE = 0.95;

/** A rating that counts, names as the report prints them. */
export interface StudyRating extends Rating {
  readonly group: number;
  /** The arms of its screen: side by side, two arms are compared on the screens that show both. */
  readonly screenArms: readonly string[];
}

export interface ResultRater {
  readonly label: string;
  readonly group: number | null;
  readonly state: string;
  readonly failedChecks: number;
  readonly excluded: string | null;
}

export const raterLabel = (seat: number): string => `rater ${String(seat).padStart(2, '0')}`;

/** Ratings and raters, in four statements however many there are. */
async function readRatings({ store }: Services, study: Study, protocol: StudyProtocol) {
  const armName = new Map(protocol.arms.map(({ id, name }) => [id, name]));
  const { rows: items } = await store.pool.query<{ id: string; position: number }>(
    'SELECT id, position FROM benchmark_item WHERE benchmark_id = $1::uuid',
    [study.benchmarkId],
  );
  const itemName = new Map(items.map(({ id, position }) => [id, `pair ${position + 1}`]));
  const { rows } = await store.pool.query<{
    seat_number: number;
    group_number: number;
    item_id: string;
    arms_key: string;
    arm_id: string;
    criterion: number;
    value: number;
  }>(
    `SELECT seat_number, group_number, item_id, arms_key, arm_id, criterion::int, value
     FROM study_rating WHERE study_id = $1::uuid ORDER BY seat_number, slot_id, arm_id, criterion`,
    [study.id],
  );
  const screens = new Map<string, string[]>();
  const armsOf = (key: string) => {
    const known = screens.get(key) ?? key.split(',').map((id) => armName.get(id)!);
    screens.set(key, known);
    return known;
  };
  const ratings = rows.map(
    (row): StudyRating => ({
      rater: raterLabel(row.seat_number),
      group: row.group_number,
      item: itemName.get(row.item_id)!,
      arm: armName.get(row.arm_id)!,
      criterion: protocol.criteria[row.criterion - 1]!.name,
      value: row.value,
      screenArms: armsOf(row.arms_key),
    }),
  );
  const { rows: raters } = await store.pool.query<{
    seat: number | null;
    group: number | null;
    state: string;
    failed: number;
    excluded: string | null;
  }>(
    `SELECT seat.number AS seat, seat.group_number AS "group", rater.state, rater.failed_checks AS failed,
       rater.exclusion_reason AS excluded
     FROM study_rater AS rater JOIN study_seat AS seat ON seat.rater_id = rater.id
     WHERE rater.study_id = $1::uuid ORDER BY seat.number`,
    [study.id],
  );
  const { rows: repeats } = await store.pool.query<{ seat: number; first: number[]; second: number[] }>(
    `WITH last AS (
       SELECT DISTINCT ON (rater_id, slot_id) rater_id, slot_id, answers FROM study_event
       WHERE study_id = $1::uuid ORDER BY rater_id, slot_id, number DESC
     )
     SELECT seat.number AS seat, first.answers AS first, second.answers AS second
     FROM study_slot AS slot JOIN study_seat AS seat ON seat.id = slot.seat_id
     JOIN study_slot AS original ON original.seat_id = slot.seat_id AND original.position = slot.repeats_position
     JOIN last AS second ON second.slot_id = slot.id AND second.rater_id = seat.rater_id
     JOIN last AS first ON first.slot_id = original.id AND first.rater_id = seat.rater_id
     WHERE slot.study_id = $1::uuid AND slot.kind = 'DUPLICATE' ORDER BY seat.number, slot.position`,
    [study.id],
  );
  return {
    ratings,
    raters: raters.map(
      ({ seat, group, state, failed, excluded }): ResultRater => ({
        label: raterLabel(seat!),
        group,
        state,
        failedChecks: failed,
        excluded,
      }),
    ),
    retests: repeats.flatMap((repeat) => retestsOf(repeat, protocol.criteria.length)),
  };
}

/** A duplicate shows its original with the sides swapped. */
function retestsOf(
  { seat, first, second }: { seat: number; first: number[]; second: number[] },
  criteria: number,
) {
  const sides = first.length / criteria;
  return first.flatMap((value, i): Retest[] => {
    const swapped = (sides - 1 - Math.floor(i / criteria)) * criteria + (i % criteria);
    const again = second[swapped];
    return again === undefined ? [] : [{ rater: raterLabel(seat), first: value, second: again }];
  });
}

const pairsOf = (arms: readonly string[]) =>
  arms.flatMap((arm, i) => arms.slice(i + 1).map((other) => [arm, other] as const));

/** What the correction for many tests starts from; 1 where there is nothing but ties. */
function signP({ exactPValue, asymptotic }: SignTest): number {
  if (exactPValue.status === 'DEFINED') return exactPValue.value;
  return asymptotic.status === 'DEFINED' ? asymptotic.value.pValue : 1;
}

function compare(
  ratings: readonly StudyRating[],
  criterion: string,
  arm: string,
  other: string,
  options: BootstrapOptions,
) {
  const both = ratings.filter(
    ({ screenArms }) => screenArms.length === 1 || [arm, other].every((one) => screenArms.includes(one)),
  );
  const pairs = pairRatings(both, criterion, arm, other);
  const { first, second, difference } = pairs;
  return {
    criterion,
    arm,
    comparedWith: other,
    difference: describeDifferences(difference),
    unpaired: pairs.unpaired,
    interval: crossedMean(pairs, difference, options),
    signTest: signTest(difference),
    signedRankTest: signedRankTest(difference),
    // A pair's two ratings are of one rater and one item: they are drawn together.
    cliffsDelta: difference.length === 0 ? null : crossedBootstrap(pairs, deltaOf(first, second), options),
  };
}

/** Friedman's test over rater and item, where all arms were rated; an arm on several screens counts by its mean. */
function friedmanOf(ratings: readonly StudyRating[], criterion: string, arms: readonly string[]) {
  const blocks = new Map<string, Map<string, number[]>>();
  for (const rating of ratings) {
    if (rating.criterion !== criterion) continue;
    const key = `${rating.rater}\n${rating.item}`;
    const block = blocks.get(key) ?? new Map<string, number[]>();
    blocks.set(key, block);
    block.set(rating.arm, [...(block.get(rating.arm) ?? []), rating.value]);
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const complete = [...blocks.values()].filter((block) => block.size === arms.length);
  return { criterion, ...friedmanTest(complete.map((block) => arms.map((arm) => mean(block.get(arm)!)))) };
}

/** Answers by item, in blocks of raters who rated the same items. */
function agreementOf(
  ratings: readonly StudyRating[],
  criterion: string,
  arm: string,
  options: BootstrapOptions,
) {
  const groupsOf = new Map<string, Set<number>>();
  for (const { item, group } of ratings) groupsOf.set(item, (groupsOf.get(item) ?? new Set()).add(group));
  // A painting that a rater saw on several screens counts once.
  const seen = new Set<string>();
  const answers = ratings.flatMap((rating) => {
    const { rater, item, group, value } = rating;
    if (rating.arm !== arm || rating.criterion !== criterion || seen.has(`${rater}\n${item}`)) return [];
    seen.add(`${rater}\n${item}`);
    return [{ item, value, block: groupsOf.get(item)!.size > 1 ? 'bridging' : `group ${group}` }];
  });
  return answers.length === 0
    ? null
    : { criterion, arm, ...agreement(answers, CATEGORIES, 'ORDINAL', options) };
}

async function analyse(ratings: readonly StudyRating[], protocol: StudyProtocol, options: BootstrapOptions) {
  const arms = protocol.arms.map(({ name }) => name);
  const criteria = protocol.criteria.map(({ name }) => name);
  const comparisons = [];
  for (const criterion of criteria) {
    for (const [arm, other] of pairsOf(arms)) {
      await setImmediate();
      comparisons.push(compare(ratings, criterion, arm, other, options));
    }
  }
  const pValues = comparisons.map((comparison) => signP(comparison.signTest));
  const [byHolm, byBenjaminiHochberg] = [holm(pValues), benjaminiHochberg(pValues)];
  const agreements = [];
  for (const criterion of criteria) {
    for (const arm of arms) {
      await setImmediate();
      const found = agreementOf(ratings, criterion, arm, options);
      if (found) agreements.push(found);
    }
  }
  return {
    ratings: ratings.length,
    raters: new Set(ratings.map(({ rater }) => rater)).size,
    items: new Set(ratings.map(({ item }) => item)).size,
    arms: describeArms(ratings, CATEGORIES),
    comparisons: comparisons.map((comparison, i) => ({
      ...comparison,
      adjustedPValues: { of: 'sign test', holm: byHolm[i]!, benjaminiHochberg: byBenjaminiHochberg[i]! },
    })),
    friedman: arms.length < 3 ? [] : criteria.map((criterion) => friedmanOf(ratings, criterion, arms)),
    agreement: agreements,
  };
}

export type Analysis = Awaited<ReturnType<typeof analyse>>;

export interface StudyResults {
  readonly algorithm: string;
  readonly seed: number;
  readonly resamples: number;
  readonly confidence: number;
  /** All raters who hold a seat. */
  readonly all: Analysis;
  /** Without those whom the lead excluded; null where nobody is. */
  readonly kept: Analysis | null;
  readonly raters: readonly ResultRater[];
  readonly selfConsistency: ReturnType<typeof selfConsistency>;
}

/** The results of an unsealed study; null before. */
export async function studyResults(services: Services, study: Study): Promise<StudyResults | null> {
  if (study.state !== 'UNSEALED') return null;
  const protocol = protocolOf(study);
  const { ratings, raters, retests } = await readRatings(services, study, protocol);
  const seed = Number(study.seed);
  const options = { seed, createRandom: createRng, resamples: RESAMPLES, confidence: CONFIDENCE };
  const out = new Set(raters.filter(({ excluded }) => excluded !== null).map(({ label }) => label));
  return {
    algorithm: RESULTS_ALGORITHM,
    seed,
    resamples: RESAMPLES,
    confidence: CONFIDENCE,
    all: await analyse(ratings, protocol, options),
    kept:
      out.size === 0
        ? null
        : await analyse(
            ratings.filter(({ rater }) => !out.has(rater)),
            protocol,
            options,
          ),
    raters,
    selfConsistency: selfConsistency(retests, CATEGORIES),
  };
}
