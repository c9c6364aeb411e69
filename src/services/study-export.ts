// The export of an unsealed study as streams: all rating events with their hashes, and the ratings that count as a table.

import type { Study } from '../generated/prisma/client.js';
import { reach } from './access.js';
import type { Services } from './context.js';
import { findStudy, protocolOf } from './studies.js';
import type { ChainedEvent } from './study-chain.js';
import { raterLabel } from './study-ratings.js';
import { studyResults } from './study-results.js';

/** Changes whenever fields of the export do. */
export const EXPORT_FORMAT = 'mindpainter-study-1';

/** What each field of the export means. */
export const DICTIONARY: readonly (readonly [string, string])[] = [
  ['study', 'the study: id, name, version and the moments of its life'],
  ['seed', 'seed of the design and of all resampling'],
  ['algorithm', 'version of the design: with seed and protocol it gives the same slots again'],
  ['protocol', 'what raters were shown and asked, and the rules; frozen when the study was opened'],
  ['protocolSha256', 'sha256 over protocol, algorithm and design as canonical JSON (keys sorted)'],
  [
    'slots',
    'every screen: seat (the place of a rater), position, kind, pair, and the arms from left to right (null: broken on purpose)',
  ],
  ['slots.kind', 'PRACTICE, RATING, or a check: INSTRUCTED, DUPLICATE, GROSS_FAILURE; RATING alone counts'],
  ['raters', 'who held or lost a seat, under pseudonyms; events and head end their hash chain'],
  [
    'raters.excluded',
    "the lead's reason for leaving a rater out of a second analysis; null where there is none",
  ],
  [
    'events',
    'every answer and undo, in the order in which a rater gave them; the last one for a slot counts',
  ],
  [
    'events.answers',
    'values 1 to 3 (3 is best): paintings from the left, within each the criteria in the protocol order',
  ],
  ['events.responseMs', 'from the pictures decoded to the answer, as the rater client measured it'],
  [
    'events.hash',
    "sha256 over the hash before it by the same rater and the event's fields, as canonical JSON",
  ],
  [
    'chainRoot',
    'sha256 over the ends of all chains, set when the study was closed; npm run verify:export checks it',
  ],
  ['rater', 'pseudonym: the seat'],
  ['group', 'group of raters, from 1'],
  ['pair', 'pair of picture and brain signal, from 1 as in the benchmark'],
  ['screen_arms', 'arms of the screen, sorted'],
  ['arm', 'the arm that painted what was rated'],
  ['criterion', 'what was asked'],
  ['value', 'the rating: 1, 2 or 3; 3 is best'],
  ['response_ms', 'as events.responseMs; of the whole screen'],
  ['at', 'moment of the answer in UTC'],
  ['event_number', "number of the answer among the rater's events"],
  ['excluded', 'true for raters whom the lead left out of the second analysis'],
];

/** A study that the viewer may export; null where it is not theirs to read; 'SEALED' before it is unsealed. */
export async function findExport(services: Services, id: string): Promise<Study | null | 'SEALED'> {
  if (reach(services.viewer, 'Study') === 'NONE') return null;
  const study = await findStudy(services, id);
  if (!study) return null;
  return study.state === 'UNSEALED' ? study : 'SEALED';
}

const BATCH = 5000;

/** Rows of a query in batches by a cursor, so that memory stays as it is however many there are. */
async function* batches<Row>(services: Services, sql: string, values: unknown[]): AsyncGenerator<Row[]> {
  const client = await services.store.pool.connect();
  try {
    await client.query('BEGIN READ ONLY');
    await client.query(`DECLARE export NO SCROLL CURSOR FOR ${sql}`, values);
    for (;;) {
      const { rows } = await client.query(`FETCH ${BATCH} FROM export`);
      if (rows.length > 0) yield rows as Row[];
      if (rows.length < BATCH) return;
    }
  } finally {
    await client.query('ROLLBACK').catch(() => {});
    client.release();
  }
}

const SLOTS = `
  SELECT slot.id, seat.number AS seat, seat.group_number AS "group", slot.position, slot.kind, item.position + 1 AS pair,
    (SELECT jsonb_agg(arm.name ORDER BY picture.side) FROM study_picture AS picture
     LEFT JOIN benchmark_arm AS arm ON arm.id = picture.arm_id
     WHERE picture.slot_id = slot.id AND picture.role = 'CANDIDATE') AS arms,
    slot.expected, slot.repeats_position AS repeats
  FROM study_slot AS slot JOIN study_seat AS seat ON seat.id = slot.seat_id
  LEFT JOIN benchmark_item AS item ON item.id = slot.item_id
  WHERE slot.study_id = $1::uuid ORDER BY seat.number, slot.position`;

const RATERS = `
  SELECT rater.id, seat.number AS seat, rater.state, rater.consent_version AS consent, rater.failed_checks AS "failedChecks",
    rater.exclusion_reason AS excluded, rater.event_count AS events, rater.chain_head AS head
  FROM study_rater AS rater LEFT JOIN study_seat AS seat ON seat.rater_id = rater.id
  WHERE rater.study_id = $1::uuid ORDER BY rater.id`;

const EVENTS = `
  SELECT rater_id AS rater, number, slot_id AS slot, kind, answers, client_id AS "clientId", response_ms AS "responseMs",
    consent_sha256 AS "consentSha256", at, hash
  FROM study_event WHERE study_id = $1::uuid ORDER BY rater_id, number`;

export type ExportedEvent = ChainedEvent & { readonly hash: string };

/** The whole study as JSON, piece by piece. */
export async function* exportJson(services: Services, study: Study): AsyncGenerator<string> {
  const { id, name, version, openedAt, closedAt, unsealedAt, protocolSha256, algorithm, chainRoot } = study;
  const { store } = services;
  const head = {
    format: EXPORT_FORMAT,
    study: { id, name, version, openedAt, closedAt, unsealedAt },
    dictionary: Object.fromEntries(DICTIONARY),
    algorithm,
    seed: Number(study.seed),
    protocol: protocolOf(study),
    protocolSha256,
    chainRoot,
    raters: (await store.pool.query(RATERS, [id])).rows,
    results: await studyResults(services, study),
  };
  yield JSON.stringify(head).slice(0, -1);
  yield* field('slots', batches(services, SLOTS, [id]));
  yield* field('events', batches<ExportedEvent>(services, EVENTS, [id]));
  yield '}\n';
}

/** A list among the fields of an object that has others before it. */
async function* field(name: string, rows: AsyncIterable<readonly object[]>): AsyncGenerator<string> {
  yield `,"${name}":[`;
  let separator = '\n';
  for await (const batch of rows) {
    yield separator + batch.map((row) => JSON.stringify(row)).join(',\n');
    separator = ',\n';
  }
  yield '\n]';
}

const RATINGS = `
  SELECT rating.seat_number AS seat, rating.group_number, item.position + 1 AS pair, rating.arms_key, rating.arm_id,
    rating.criterion::int, rating.value, rating.response_ms, rating.at, rating.event_number,
    rater.excluded_at IS NOT NULL AS excluded
  FROM study_rating AS rating JOIN benchmark_item AS item ON item.id = rating.item_id
  JOIN study_rater AS rater ON rater.id = rating.rater_id
  WHERE rating.study_id = $1::uuid ORDER BY rating.seat_number, rating.event_number, rating.arm_id, rating.criterion`;

interface RatingRow {
  readonly seat: number;
  readonly group_number: number;
  readonly pair: number;
  readonly arms_key: string;
  readonly arm_id: string;
  readonly criterion: number;
  readonly value: number;
  readonly response_ms: number | null;
  readonly at: Date;
  readonly event_number: number;
  readonly excluded: boolean;
}

/** A cell of CSV (RFC 4180); a text that a spreadsheet would run is quoted by an apostrophe. */
function cell(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (values: readonly (string | number | boolean | null)[]) => `${values.map(cell).join(',')}\r\n`;

const COLUMNS = [
  'rater',
  'group',
  'pair',
  'screen_arms',
  'arm',
  'criterion',
  'value',
  'response_ms',
  'at',
  'event_number',
  'excluded',
] as const;

/** The ratings that count, a row a rating. */
export async function* exportCsv(services: Services, study: Study): AsyncGenerator<string> {
  const { arms, criteria } = protocolOf(study);
  const armName = new Map(arms.map(({ id, name }) => [id, name]));
  yield line(COLUMNS);
  for await (const rows of batches<RatingRow>(services, RATINGS, [study.id])) {
    yield rows
      .map((row) =>
        line([
          raterLabel(row.seat),
          row.group_number,
          row.pair,
          row.arms_key
            .split(',')
            .map((id) => armName.get(id)!)
            .sort()
            .join(' | '),
          armName.get(row.arm_id)!,
          criteria[row.criterion - 1]!.name,
          row.value,
          row.response_ms,
          row.at.toISOString(),
          row.event_number,
          row.excluded,
        ]),
      )
      .join('');
  }
}

/** What each column and field means, as CSV. */
export function dictionaryCsv(): string {
  return line(['field', 'meaning']) + DICTIONARY.map(line).join('');
}
