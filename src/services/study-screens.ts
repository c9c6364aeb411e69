// What a rater sees: the next screen, and where they stand. Nothing here names an arm, an item, a job or a painting.

import type { StudyRaterState, StudySlotKind, StudyState } from '../generated/prisma/client.js';
import { stripPngMetadata } from '../imaging/png-metadata.js';
import { reach } from './access.js';
import type { Services } from './context.js';
import { type Criterion, DEFAULT_VALUES, type StudyProtocol } from './study-protocol.js';

type Queryable = Pick<Services['store']['pool'], 'query'>;

/** How many screens ahead a rater's page may load pictures. */
const AHEAD = 3;

/** A rater's row with the study's, as every step of rating reads them. */
export interface RaterRow {
  readonly id: string;
  readonly study_id: string;
  readonly study_state: StudyState;
  readonly study_name: string;
  readonly protocol: StudyProtocol;
  readonly seat_id: string | null;
  readonly seat_criteria: readonly string[] | null;
  readonly state: StudyRaterState;
  readonly tab_id: string | null;
  readonly consent_sha256: string | null;
  readonly pause_reason: string | null;
  readonly event_count: number;
  readonly chain_head: string;
}

const RATER = `
  SELECT rater.id, rater.study_id, study.state AS study_state, study.name AS study_name, study.protocol, seat.id AS seat_id,
    seat.criteria AS seat_criteria, rater.state, rater.tab_id, rater.consent_sha256, rater.pause_reason, rater.event_count,
    rater.chain_head
  FROM study_rater AS rater JOIN study ON study.id = rater.study_id LEFT JOIN study_seat AS seat ON seat.rater_id = rater.id
  WHERE rater.user_id = $1::uuid AND rater.study_id = ANY ($2::uuid[]) AND study.deleted_at IS NULL`;

/** The user's place in a study, or undefined. With `lock`, their answers come one after another and the study's state stands. */
export async function readRater(
  client: Queryable,
  userId: string,
  studyId: string,
  lock: boolean,
): Promise<RaterRow | undefined> {
  const locks = lock ? ' FOR UPDATE OF rater FOR SHARE OF study' : '';
  return (await client.query<RaterRow>(`${RATER}${locks}`, [userId, [studyId]])).rows[0];
}

/** A screen of the rater's seat with their last word on it. */
export interface SlotRow {
  readonly id: string;
  readonly position: number;
  readonly kind: StudySlotKind;
  readonly item_id: string | null;
  readonly expected: number | null;
  /** null where there is no answer, or it was undone. */
  readonly answers: readonly number[] | null;
  /** Of the last word, an undo too: its number in the rater's chain, and the seconds since. */
  readonly event_number: number | null;
  readonly seconds_ago: number | null;
  /** The side of the painting that was broken on purpose. */
  readonly broken_side: number | null;
  /** One of its paintings was withdrawn: it is shown no more. */
  readonly withdrawn: boolean;
}

const SLOTS = `
  WITH last AS (
    SELECT DISTINCT ON (slot_id) slot_id, kind, answers, at, number FROM study_event WHERE rater_id = $1::uuid
    ORDER BY slot_id, number DESC
  )
  SELECT slot.id, slot.position, slot.kind, slot.item_id, slot.expected,
    CASE WHEN last.kind = 'RATE' THEN last.answers END AS answers, last.number AS event_number,
    extract(epoch FROM clock_timestamp() - last.at)::float8 AS seconds_ago,
    (SELECT side FROM study_picture WHERE slot_id = slot.id AND role = 'CANDIDATE' AND arm_id IS NULL LIMIT 1) AS broken_side,
    EXISTS (
      SELECT FROM study_picture AS picture JOIN painting ON painting.id = picture.painting_id
      JOIN paint_job ON paint_job.id = painting.job_id
      WHERE picture.slot_id = slot.id AND paint_job.withdrawn_at IS NOT NULL
    ) AS withdrawn
  FROM study_slot AS slot LEFT JOIN last ON last.slot_id = slot.id
  WHERE slot.seat_id = $2::uuid ORDER BY slot.position`;

export async function readSlots(client: Queryable, rater: RaterRow): Promise<readonly SlotRow[]> {
  if (rater.seat_id === null) return [];
  return (await client.query<SlotRow>(SLOTS, [rater.id, rater.seat_id])).rows;
}

const isLeft = ({ answers, withdrawn }: SlotRow) => answers === null && !withdrawn;

/** The screen to answer now, or undefined when all is done. */
export const nextSlot = (slots: readonly SlotRow[]): SlotRow | undefined => slots.find(isLeft);

/** Checks that were failed: an instruction not followed, or a broken painting not given the lowest answer throughout. */
export function failedChecks(slots: readonly SlotRow[], criteria: number): number {
  return slots.filter(({ kind, answers, expected, broken_side }) => {
    if (answers === null) return false;
    if (kind === 'INSTRUCTED') return answers[0] !== expected;
    if (kind !== 'GROSS_FAILURE' || broken_side === null) return false;
    return answers
      .slice(broken_side * criteria, (broken_side + 1) * criteria)
      .some((answer) => answer !== expected);
  }).length;
}

export interface PictureRow {
  readonly id: string;
  readonly slot_id: string;
  readonly role: 'CANDIDATE' | 'SOURCE' | 'STIMULUS';
  readonly side: number;
}

export async function readPictures(client: Queryable, slotIds: readonly string[]): Promise<PictureRow[]> {
  const { rows } = await client.query<PictureRow>(
    'SELECT id, slot_id, role, side FROM study_picture WHERE slot_id = ANY ($1::uuid[]) ORDER BY role, side',
    [slotIds],
  );
  return rows;
}

export interface RaterPictureView {
  readonly id: string;
  readonly role: PictureRow['role'];
  readonly side: number;
}

export interface RaterScreen {
  readonly slotId: string;
  readonly practice: boolean;
  /** What to answer, where there is nothing to look at. */
  readonly instruction: string | null;
  readonly pictures: readonly RaterPictureView[];
  readonly criteria: readonly Required<Criterion>[];
}

/** A study as its rater may know it. */
export interface RaterStudy {
  readonly studyId: string;
  readonly name: string;
  readonly open: boolean;
  readonly closed: boolean;
  readonly state: StudyRaterState;
  readonly instructions: string;
  readonly criteria: readonly Required<Criterion>[];
  readonly consent: { readonly version: string; readonly text: string };
  readonly tabId: string | null;
  /** Screens of practice and study; checks are not counted. */
  readonly done: number;
  readonly total: number;
  readonly screen: RaterScreen | null;
  readonly ahead: readonly RaterScreen[];
  /** How long the last answer can still be taken back. */
  readonly undoSeconds: number;
  readonly pauseReason: string | null;
  readonly completion: { readonly code: string; readonly url: string | null } | null;
}

const counts = ({ kind, withdrawn }: SlotRow) => (kind === 'RATING' || kind === 'PRACTICE') && !withdrawn;

/** Only the rater's last event can be undone, and an undo is none. */
function undoSeconds(slots: readonly SlotRow[], { protocol, state, event_count }: RaterRow): number {
  const last = slots.find(({ event_number }) => event_number === event_count);
  if (!last?.answers || (state !== 'ACTIVE' && state !== 'FINISHED')) return 0;
  return Math.max(0, Math.ceil(protocol.undoSeconds - last.seconds_ago!));
}

/** What the rater sees now. */
export async function showStudy(client: Queryable, rater: RaterRow): Promise<RaterStudy> {
  const { protocol, state } = rater;
  const slots = await readSlots(client, rater);
  const open = rater.study_state === 'OPEN';
  const next = open && state === 'ACTIVE' ? nextSlot(slots) : undefined;
  const shown = next ? slots.filter(isLeft).slice(0, AHEAD + 1) : [];
  const pictures = await readPictures(
    client,
    shown.map(({ id }) => id),
  );
  const order = rater.seat_criteria ?? protocol.criteria.map(({ name }) => name);
  const criteria = order.map((name) => ({
    values: DEFAULT_VALUES,
    ...protocol.criteria.find((criterion) => criterion.name === name)!,
  }));
  const [screen = null, ...ahead] = shown.map(
    ({ id, kind, expected }): RaterScreen => ({
      slotId: id,
      practice: kind === 'PRACTICE',
      instruction: kind === 'INSTRUCTED' ? `To show that you read this, answer ${expected}.` : null,
      pictures: pictures.filter(({ slot_id }) => slot_id === id),
      criteria: kind === 'INSTRUCTED' ? [] : criteria,
    }),
  );
  const { completionCode: code, completionUrl } = protocol;
  return {
    studyId: rater.study_id,
    name: rater.study_name,
    open,
    closed: rater.study_state === 'CLOSED' || rater.study_state === 'UNSEALED',
    state,
    instructions: protocol.instructions,
    criteria,
    consent: protocol.consent,
    tabId: rater.tab_id,
    done: slots.filter((slot) => counts(slot) && slot.answers).length,
    total: slots.filter(counts).length,
    screen,
    ahead,
    undoSeconds: open ? undoSeconds(slots, rater) : 0,
    pauseReason: rater.pause_reason,
    completion:
      state === 'FINISHED'
        ? { code, url: completionUrl?.replaceAll('{code}', encodeURIComponent(code)) ?? null }
        : null,
  };
}

/** The studies that the viewer is a rater of, from the newest, at most 100. */
export async function myStudies({ store, viewer }: Services): Promise<RaterStudy[]> {
  // Asked for its check that somebody is signed in; a study is its raters' whatever their role.
  reach(viewer, 'Study');
  if (viewer.userId === null) return [];
  const { rows: ids } = await store.pool.query<{ study_id: string }>(
    'SELECT study_id FROM study_rater WHERE user_id = $1::uuid ORDER BY study_id DESC LIMIT 100',
    [viewer.userId],
  );
  const { rows } = await store.pool.query<RaterRow>(`${RATER} ORDER BY rater.study_id DESC`, [
    viewer.userId,
    ids.map(({ study_id }) => study_id),
  ]);
  return Promise.all(rows.map((rater) => showStudy(store.pool, rater)));
}

const PICTURE = `
  SELECT picture.png_sha256
  FROM study_picture AS picture
  JOIN study_slot AS slot ON slot.id = picture.slot_id
  JOIN study_seat AS seat ON seat.id = slot.seat_id
  JOIN study_rater AS rater ON rater.id = seat.rater_id AND rater.user_id = $2::uuid AND rater.state IN ('ACTIVE', 'FINISHED')
  JOIN study ON study.id = slot.study_id AND study.state = 'OPEN'
  LEFT JOIN painting ON painting.id = picture.painting_id LEFT JOIN paint_job ON paint_job.id = painting.job_id
  WHERE picture.id = $1::uuid AND paint_job.withdrawn_at IS NULL
    AND ${AHEAD} >= (
      SELECT count(*) FROM study_slot AS earlier
      WHERE earlier.seat_id = slot.seat_id AND earlier.position < slot.position
        AND NOT EXISTS (SELECT FROM study_event WHERE rater_id = rater.id AND slot_id = earlier.id)
        AND NOT EXISTS (
          SELECT FROM study_picture AS shown JOIN painting AS gone ON gone.id = shown.painting_id
          JOIN paint_job AS job ON job.id = gone.job_id
          WHERE shown.slot_id = earlier.id AND job.withdrawn_at IS NOT NULL
        )
    )`;

/** A picture's pixels for the rater who is to see it about now, or null. Nobody else ever gets it, the lab included. */
export async function readStudyPicture(
  { store, blobs, viewer }: Services,
  id: string,
): Promise<Buffer | null> {
  if (viewer.userId === null) return null;
  const { rows } = await store.pool.query<{ png_sha256: string }>(PICTURE, [id, viewer.userId]);
  return rows[0] ? stripPngMetadata(await blobs.get(rows[0].png_sha256)) : null;
}
