// Rating: a seat is leased at start, each answer is appended to the rater's chain, the last one can be undone.

import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { AppError } from '../errors.js';
import { authorize } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';
import { bad } from './paint-job-orders.js';
import { type ChainedEvent, eventHash, hashOf } from './study-chain.js';
import { SCALE } from './study-protocol.js';
import {
  failedChecks,
  nextSlot,
  type PictureRow,
  type RaterRow,
  type RaterStudy,
  readPictures,
  readRater,
  readSlots,
  type SlotRow,
  showStudy,
} from './study-screens.js';

function conflict(field: string, message: string): never {
  throw new AppError('CONFLICT', message, { field });
}

/** The viewer's place in the study, locked until the transaction ends. Throws AppError NOT_FOUND. */
async function lockRater(client: PoolClient, { viewer }: Services, studyId: string): Promise<RaterRow> {
  const rater = viewer.userId === null ? undefined : await readRater(client, viewer.userId, studyId, true);
  if (!rater)
    throw new AppError('NOT_FOUND', 'no such study, or you are not invited to it', { field: 'studyId' });
  return rater;
}

async function show({ store, viewer }: Services, studyId: string): Promise<RaterStudy> {
  return showStudy(store.pool, (await readRater(store.pool, viewer.userId!, studyId, false))!);
}

/** A free seat, or one whose rater was not seen for as long as the lease. Throws AppError LIMIT_REACHED. */
async function leaseSeat(client: PoolClient, { study_id, protocol }: RaterRow): Promise<string> {
  const free = await client.query<{ id: string }>(
    `SELECT id FROM study_seat WHERE study_id = $1::uuid AND rater_id IS NULL ORDER BY number
     LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [study_id],
  );
  if (free.rows[0]) return free.rows[0].id;
  const { rows } = await client.query<{ id: string; rater_id: string; seconds: number }>(
    `SELECT seat.id, rater.id AS rater_id,
       extract(epoch FROM rater.last_seen_at + make_interval(mins => $2::int) - clock_timestamp())::float8 AS seconds
     FROM study_seat AS seat JOIN study_rater AS rater ON rater.id = seat.rater_id
     WHERE seat.study_id = $1::uuid AND rater.state = 'ACTIVE' ORDER BY rater.last_seen_at
     LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [study_id, protocol.leaseMinutes],
  );
  const [oldest] = rows;
  if (!oldest || oldest.seconds > 0)
    throw new AppError('LIMIT_REACHED', 'all places of this study are taken', {
      field: 'studyId',
      retryAfterSeconds: oldest?.seconds,
    });
  await client.query(`UPDATE study_rater SET state = 'REPLACED', tab_id = NULL WHERE id = $1::uuid`, [
    oldest.rater_id,
  ]);
  return oldest.id;
}

/**
 * Starts, or goes on with, rating on the page that asks: any page opened before may write no more. The first time takes the
 * consent and a seat. Throws AppError NOT_FOUND, CONFLICT, BAD_INPUT (consentVersion) or LIMIT_REACHED.
 */
export async function startRating(
  services: Services,
  input: { readonly studyId: string; readonly consentVersion?: string | undefined },
): Promise<RaterStudy> {
  const { store, viewer } = services;
  authorize(viewer, 'startStudyRating');
  await store.transaction(async (client) => {
    const rater = await lockRater(client, services, input.studyId);
    if (rater.study_state !== 'OPEN') conflict('studyId', 'the study takes no ratings now');
    if (rater.state === 'PAUSED') conflict('studyId', `you are paused: ${rater.pause_reason}`);
    if (rater.state === 'REPLACED')
      conflict('studyId', 'you were away for long, and your place was given to another');
    const { consent } = rater.protocol;
    const starts = rater.state === 'INVITED';
    if (starts && input.consentVersion !== consent.version)
      bad('consentVersion', `agree to the consent text of version ${consent.version} first`);
    if (starts) {
      const seatId = await leaseSeat(client, rater);
      await client.query('UPDATE study_seat SET rater_id = $2::uuid WHERE id = $1::uuid', [seatId, rater.id]);
    }
    // The last screens of a rater may have fallen with a withdrawal, or been answered before a pause.
    const finished = !starts && !nextSlot(await readSlots(client, rater));
    await client.query(
      `UPDATE study_rater SET tab_id = $2::uuid, last_seen_at = clock_timestamp(),
         state = CASE WHEN $5 THEN 'FINISHED'::"StudyRaterState" ELSE 'ACTIVE' END,
         finished_at = CASE WHEN $5 THEN coalesce(finished_at, clock_timestamp()) END,
         consent_version = coalesce(consent_version, $3), consent_sha256 = coalesce(consent_sha256, $4),
         consented_at = coalesce(consented_at, clock_timestamp())
       WHERE id = $1::uuid`,
      [rater.id, randomUUID(), consent.version, hashOf(consent), finished],
    );
    const after = starts ? { state: 'ACTIVE', consent: consent.version } : { resumed: true };
    await auditOn(client, viewer, { action: 'startStudyRating', type: 'StudyRater', id: rater.id, after });
  });
  return show(services, input.studyId);
}

export interface Answer {
  readonly pictureId?: string | undefined;
  readonly criterion?: string | undefined;
  readonly value: number;
}

export interface Submission {
  readonly studyId: string;
  readonly tabId: string;
  readonly slotId: string;
  /** Drawn by the client for this answer: sent again, it is the same answer. */
  readonly answerId: string;
  readonly answers: readonly Answer[];
  readonly responseMs?: number | undefined;
}

/** The answers in the order in which they are stored. Throws AppError BAD_INPUT on `answers`. */
function orderAnswers(
  slot: SlotRow,
  pictures: readonly PictureRow[],
  criteria: readonly string[],
  answers: readonly Answer[],
): number[] {
  for (const { value } of answers)
    if (!Number.isInteger(value) || value < 1 || value > SCALE)
      bad('answers', `an answer is a whole number from 1 to ${SCALE}; it is ${value}`);
  if (slot.kind === 'INSTRUCTED') {
    if (answers.length !== 1 || answers[0]!.pictureId !== undefined || answers[0]!.criterion !== undefined)
      bad('answers', 'this screen takes one value, for no picture');
    return [answers[0]!.value];
  }
  const candidates = pictures.filter(({ slot_id, role }) => slot_id === slot.id && role === 'CANDIDATE');
  const given = new Map<string, number>();
  for (const { pictureId, criterion, value } of answers) {
    if (!candidates.some(({ id }) => id === pictureId))
      bad('answers', 'a picture is none that is rated on this screen');
    if (criterion === undefined || !criteria.includes(criterion))
      bad('answers', `"${criterion ?? ''}" is no criterion of this study; it has ${criteria.join(', ')}`);
    const key = JSON.stringify([pictureId, criterion]);
    if (given.has(key)) bad('answers', `${criterion} is answered twice for one picture`);
    given.set(key, value);
  }
  return candidates.flatMap(({ id }) =>
    criteria.map((criterion) => {
      const value = given.get(JSON.stringify([id, criterion]));
      return value ?? bad('answers', `${criterion} is not answered for one of the pictures`);
    }),
  );
}

/** Who may write now. Throws AppError CONFLICT. */
function checkWriter(rater: RaterRow, tabId: string, finishedToo: boolean): void {
  const { study_state, state } = rater;
  if (study_state !== 'OPEN')
    conflict('studyId', `the study is ${study_state.toLowerCase()} and takes no ratings`);
  if (state === 'INVITED') conflict('studyId', 'start first, with startStudyRating');
  if (state === 'PAUSED') conflict('studyId', `you are paused: ${rater.pause_reason}`);
  if (state === 'REPLACED')
    conflict('studyId', 'you were away for long, and your place was given to another');
  if (state === 'FINISHED' && !finishedToo) conflict('studyId', 'you have finished this study');
  if (rater.tab_id !== tabId)
    conflict(
      'tabId',
      'the study was opened in another tab or on another device since; go on there, or start again here',
    );
}

const APPEND = `
  WITH event AS (
    INSERT INTO study_event (rater_id, number, study_id, slot_id, kind, answers, client_id, response_ms, consent_sha256, at, hash)
    VALUES ($1::uuid, $2, $3::uuid, $4::uuid, $5::"StudyEventKind", $6::smallint[], $7, $8, $9, $10, $11)
  )
  UPDATE study_rater SET event_count = $2, chain_head = $11, last_seen_at = clock_timestamp(), state = $12::"StudyRaterState",
    failed_checks = $13, pause_reason = $14,
    finished_at = CASE WHEN $12 = 'FINISHED' THEN clock_timestamp() END
  WHERE id = $1::uuid`;

/** Appends an event, and says where the rater stands after it. */
async function append(
  client: PoolClient,
  rater: RaterRow,
  event: Pick<ChainedEvent, 'slot' | 'kind' | 'answers' | 'clientId' | 'responseMs'>,
  slots: readonly SlotRow[],
): Promise<void> {
  const { protocol } = rater;
  const at = new Date();
  const chained: ChainedEvent = {
    ...event,
    rater: rater.id,
    number: rater.event_count + 1,
    consentSha256: rater.consent_sha256!,
    at: at.toISOString(),
  };
  const failed = failedChecks(slots, protocol.criteria.length);
  const before = failedChecks(
    slots.map((slot) => (slot.id === event.slot ? { ...slot, answers: null } : slot)),
    protocol.criteria.length,
  );
  const paused = failed > before && failed > protocol.allowedFailures;
  const state = paused ? 'PAUSED' : nextSlot(slots) ? 'ACTIVE' : 'FINISHED';
  const reason = paused ? `attention checks failed: ${failed}; the study's lead looks at it` : null;
  await client.query(APPEND, [
    rater.id,
    chained.number,
    rater.study_id,
    event.slot,
    event.kind,
    event.answers,
    event.clientId,
    event.responseMs,
    chained.consentSha256,
    at,
    eventHash(rater.chain_head, chained),
    state,
    failed,
    reason,
  ]);
}

interface Before {
  readonly slot_id: string;
  readonly kind: 'RATE' | 'UNDO';
  readonly answers: readonly number[];
}

async function findBefore(
  client: PoolClient,
  raterId: string,
  clientId: string,
): Promise<Before | undefined> {
  const { rows } = await client.query<Before>(
    'SELECT slot_id, kind, answers FROM study_event WHERE rater_id = $1::uuid AND client_id = $2',
    [raterId, clientId],
  );
  return rows[0];
}

function checkIds({
  answerId,
  responseMs,
}: {
  readonly answerId: string;
  readonly responseMs?: number | undefined;
}): void {
  if (answerId.length < 1 || answerId.length > 100) bad('answerId', 'an id has 1 to 100 characters');
  if (
    responseMs !== undefined &&
    !(Number.isInteger(responseMs) && responseMs >= 0 && responseMs <= 86_400_000)
  )
    bad('responseMs', 'give whole milliseconds from 0 to a day');
}

/**
 * Takes the answers to the screen that is shown. The same `answerId` again changes nothing and gives the same answer; with
 * other content it is refused. Throws AppError NOT_FOUND, BAD_INPUT (answers) or CONFLICT.
 */
export async function submitAnswer(
  services: Services,
  input: Submission,
): Promise<{ study: RaterStudy; feedback: string | null }> {
  const { store, viewer } = services;
  authorize(viewer, 'submitStudyAnswer');
  checkIds(input);
  const feedback = await store.transaction(async (client) => {
    const rater = await lockRater(client, services, input.studyId);
    const before = await findBefore(client, rater.id, input.answerId);
    if (!before) checkWriter(rater, input.tabId, false);
    const slots = await readSlots(client, rater);
    const slot = slots.find(({ id }) => id === input.slotId);
    if (!slot) throw new AppError('NOT_FOUND', 'no such screen among yours', { field: 'slotId' });
    const criteria = rater.protocol.criteria.map(({ name }) => name);
    const answers = orderAnswers(slot, await readPictures(client, [slot.id]), criteria, input.answers);
    const told = () =>
      slot.kind === 'PRACTICE'
        ? (rater.protocol.practice.find(({ itemId }) => itemId === slot.item_id)?.feedback ?? null)
        : null;
    if (before) {
      const same =
        before.kind === 'RATE' && before.slot_id === slot.id && before.answers.join() === answers.join();
      if (!same) conflict('answerId', 'this id was used for another answer; draw a new one for each');
      return told();
    }
    if (slot.withdrawn) conflict('slotId', 'a painting on this screen was withdrawn; it is rated no more');
    if (slot.answers)
      conflict('slotId', 'this screen is answered already; undo the last answer to change it');
    if (slot.id !== nextSlot(slots)!.id) conflict('slotId', 'another screen comes first');
    const now = slots.map((one) => (one === slot ? { ...one, answers } : one));
    const { answerId: clientId, responseMs = null } = input;
    await append(client, rater, { slot: slot.id, kind: 'RATE', answers, clientId, responseMs }, now);
    const after = { slotId: slot.id, number: rater.event_count + 1 };
    await auditOn(client, viewer, { action: 'submitStudyAnswer', type: 'StudyRater', id: rater.id, after });
    return told();
  });
  return { study: await show(services, input.studyId), feedback };
}

/** Takes the last answer back, within the study's window; it is kept among the events. Throws AppError NOT_FOUND or CONFLICT. */
export async function undoAnswer(
  services: Services,
  input: { readonly studyId: string; readonly tabId: string; readonly answerId: string },
): Promise<RaterStudy> {
  const { store, viewer } = services;
  authorize(viewer, 'undoStudyAnswer');
  checkIds(input);
  await store.transaction(async (client) => {
    const rater = await lockRater(client, services, input.studyId);
    const before = await findBefore(client, rater.id, input.answerId);
    if (before?.kind === 'RATE')
      conflict('answerId', 'this id was used for an answer; draw a new one for each');
    if (before) return;
    checkWriter(rater, input.tabId, true);
    const { rows } = await client.query<{ slot_id: string; kind: string; seconds: number }>(
      `SELECT slot_id, kind, extract(epoch FROM clock_timestamp() - at)::float8 AS seconds
       FROM study_event WHERE rater_id = $1::uuid AND number = $2`,
      [rater.id, rater.event_count],
    );
    const [last] = rows;
    if (!last) conflict('studyId', 'there is no answer to undo');
    if (last.kind === 'UNDO') conflict('studyId', 'only the last answer can be undone, and it was');
    const { undoSeconds } = rater.protocol;
    if (last.seconds > undoSeconds) conflict('studyId', `an answer can be undone for ${undoSeconds} s`);
    const slots = await readSlots(client, rater);
    const now = slots.map((one) => (one.id === last.slot_id ? { ...one, answers: null } : one));
    const event = {
      slot: last.slot_id,
      kind: 'UNDO',
      answers: [],
      clientId: input.answerId,
      responseMs: null,
    } as const;
    await append(client, rater, event, now);
    const after = { slotId: last.slot_id, number: rater.event_count + 1 };
    await auditOn(client, viewer, { action: 'undoStudyAnswer', type: 'StudyRater', id: rater.id, after });
  });
  return show(services, input.studyId);
}
