// What a study's results are made from, as it is read: the ratings that count as columns, the raters, the screens shown twice.

import pg from 'pg';
import { pairsOfArms, screensPerRater } from '../design/parameters.js';
import type { Study } from '../generated/prisma/client.js';
import { fillTable, type RatingTable } from '../stats/rating-table.js';
import type { Services } from './context.js';
import { protocolOf } from './studies.js';
import { designParameters } from './study-protocol.js';

export interface ResultRater {
  readonly label: string;
  readonly group: number | null;
  readonly state: string;
  readonly failedChecks: number;
  readonly excluded: string | null;
}

export const raterLabel = (seat: number): string => `rater ${String(seat).padStart(2, '0')}`;

/** Everybody who holds a seat, in the order of the seats, and the seat. */
export async function readRaters(
  { store }: Services,
  { id }: Study,
): Promise<(ResultRater & { readonly seat: number })[]> {
  const { rows } = await store.pool.query<Omit<ResultRater, 'label'> & { seat: number }>(
    `SELECT seat.number AS seat, seat.group_number AS "group", rater.state, rater.failed_checks AS "failedChecks",
       rater.exclusion_reason AS excluded
     FROM study_rater AS rater JOIN study_seat AS seat ON seat.rater_id = rater.id
     WHERE rater.study_id = $1::uuid ORDER BY seat.number`,
    [id],
  );
  return rows.map((row) => ({ label: raterLabel(row.seat), ...row }));
}

/**
 * A row a rater, whose ratings are one text, such as "4 0 1 312;": place of the pair, arm, the arm beside it, and a digit a
 * criterion. A row a rating took the driver longer than the analysis takes.
 */
const RATINGS = `
  SELECT rating.seat_number, string_agg(
    item.position || ' ' || array_position($2::uuid[], rating.arm_id) - 1 || ' ' || array_position($2::uuid[],
        coalesce(nullif(replace(replace(rating.arms_key, rating.arm_id::text, ''), ',', ''), '')::uuid, rating.arm_id)) - 1
      || ' ' || array_to_string(rating.ratings, ''),
    ';' ORDER BY item.position, array_position($2::uuid[], rating.arm_id), rating.slot_position)
  FROM study_painting_rating AS rating JOIN benchmark_item AS item ON item.id = rating.item_id
  WHERE rating.study_id = $1::uuid GROUP BY 1 ORDER BY 1`;

type RatingRow = [seat: number, ratings: string];

/**
 * The ratings that count, in one statement whose rows go into columns as they arrive. Raters by seat and pairs by their place in
 * the benchmark: the same ratings give the same table, and what is drawn by the seed the same intervals.
 */
export async function readRatings(
  { store }: Services,
  study: Study,
  raters: readonly { readonly seat: number; readonly group: number | null }[],
): Promise<RatingTable> {
  const protocol = protocolOf(study);
  const parameters = designParameters(protocol);
  const arms = protocol.arms.map(({ id }) => id);
  const { rows: counts } = await store.pool.query<{ items: number }>(
    'SELECT max(position) + 1 AS items FROM benchmark_item WHERE benchmark_id = $1::uuid',
    [study.benchmarkId],
  );
  const groups = new Int32Array(protocol.raters);
  for (const { seat, group } of raters) groups[seat - 1] = group ?? 0;
  const table = fillTable(
    {
      raters: Array.from({ length: protocol.raters }, (_, i) => raterLabel(i + 1)),
      items: Array.from({ length: counts[0]!.items }, (_, i) => `pair ${i + 1}`),
      arms: protocol.arms.map(({ name }) => name),
      criteria: protocol.criteria.map(({ name }) => name),
      groups,
    },
    protocol.raters * screensPerRater(parameters) * pairsOfArms(parameters)[0]!.length,
  );
  const values = new Uint8Array(protocol.criteria.length);
  const statement: pg.QueryArrayConfig = { text: RATINGS, values: [study.id, arms], rowMode: 'array' };
  const query = new pg.Query<RatingRow>(statement);
  query.on('row', ([seat, ratings]: RatingRow) => {
    for (const rating of ratings.split(';')) {
      const [position, arm, beside, digits] = rating.split(' ') as [string, string, string, string];
      for (let c = 0; c < values.length; c++) values[c] = digits.charCodeAt(c) - 48;
      table.add(seat - 1, Number(position), Number(arm), Number(beside), values);
    }
  });
  const client = await store.pool.connect();
  try {
    await new Promise<void>((done, fail) => {
      query.on('end', () => done());
      query.on('error', fail);
      client.query(query);
    });
  } finally {
    client.release();
  }
  return table.finish();
}

/** A screen that a rater saw twice: the answers from the left, the second time with the sides swapped. */
export interface Repeat {
  readonly rater: string;
  readonly first: string;
  readonly second: string;
}

/** Each screen that was shown twice, with the rater's last word on both; '' where there is none. */
export async function readRepeats({ store }: Services, { id }: Study): Promise<Repeat[]> {
  const lastWord = (slot: string) => `coalesce((
    SELECT array_to_string(answers, '') FROM study_event AS event
    WHERE event.slot_id = ${slot}.id AND event.rater_id = seat.rater_id ORDER BY number DESC LIMIT 1), '')`;
  const { rows } = await store.pool.query<Omit<Repeat, 'rater'> & { seat: number }>(
    `SELECT seat.number AS seat, ${lastWord('original')} AS first, ${lastWord('slot')} AS second
     FROM study_slot AS slot JOIN study_seat AS seat ON seat.id = slot.seat_id
     JOIN study_slot AS original ON original.seat_id = slot.seat_id AND original.position = slot.repeats_position
     WHERE slot.study_id = $1::uuid AND slot.kind = 'DUPLICATE' AND seat.rater_id IS NOT NULL
     ORDER BY seat.number, slot.position`,
    [id],
  );
  return rows.map(({ seat, first, second }) => ({ rater: raterLabel(seat), first, second }));
}
