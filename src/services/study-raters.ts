// A study's raters as its lead knows them: invited in bulk, looked after while they rate, judged by reason and never deleted.

import { AppError } from '../errors.js';
import type { StudyRaterState } from '../generated/prisma/client.js';
import { uuid7 } from '../store/uuid7.js';
import { authorize } from './access.js';
import { audit, auditOn } from './audit.js';
import type { Services } from './context.js';
import { findOrAddRater, issue } from './credentials.js';
import { bad } from './paint-job-orders.js';
import { chainStart } from './study-chain.js';
import { checkName } from './users.js';

const MAX_INVITED = 1000;
const DAY_MS = 86_400_000;

export interface Invitation {
  readonly raterName: string;
  readonly secret: string;
}

/** Makes a link for each rater, by the names given or numbered ones. The links are shown once. */
export async function inviteRaters(
  services: Services,
  input: {
    readonly studyId: string;
    readonly names?: readonly string[] | undefined;
    readonly count?: number | undefined;
    readonly expiresInDays: number;
  },
): Promise<Invitation[]> {
  const { store, viewer } = services;
  authorize(viewer, 'inviteStudyRaters');
  const { studyId, expiresInDays } = input;
  if ((input.names === undefined) === (input.count === undefined)) bad('names', 'give either names or count');
  const count = input.names?.length ?? input.count!;
  if (!Number.isInteger(count) || count < 1 || count > MAX_INVITED)
    bad('count', `invite 1 to ${MAX_INVITED} raters at once`);
  if (!Number.isInteger(expiresInDays) || expiresInDays < 1 || expiresInDays > 366)
    bad('expiresInDays', 'give whole days from 1 to 366');
  const study = await store.prisma.study.findUnique({
    where: { id: studyId, deletedAt: null },
    include: { _count: { select: { raters: true } } },
  });
  if (!study) throw new AppError('NOT_FOUND', 'no such study', { field: 'studyId' });
  if (study.closedAt) throw new AppError('CONFLICT', 'the study is closed', { field: 'studyId' });
  const start = study._count.raters;
  const numbered = () =>
    Array.from(
      { length: count },
      (_, i) => `${studyId.slice(-6)} rater ${String(start + i + 1).padStart(2, '0')}`,
    );
  const names = (input.names ?? numbered()).map((name) => checkName(name, 'names'));
  if (new Set(names).size !== names.length) bad('names', 'a name is there twice');
  const expiresAt = new Date(Date.now() + expiresInDays * DAY_MS);
  return store.prisma.$transaction(
    async (tx) => {
      const invitations: Invitation[] = [];
      for (const raterName of names) {
        const { id: userId, deactivatedAt } = await findOrAddRater(tx, viewer, raterName, 'names');
        if (deactivatedAt) throw new AppError('CONFLICT', `${raterName} is deactivated`, { field: 'names' });
        const link = {
          kind: 'RATER_LINK',
          userId,
          name: raterName,
          scopes: ['READ', 'RATE'],
          expiresAt,
        } as const;
        const { secret } = await issue(
          tx,
          services,
          { ...link, scopes: [...link.scopes] },
          { action: 'createRaterLink', type: 'RaterLink' },
        );
        const id = uuid7();
        const data = { id, studyId, userId, chainHead: chainStart(studyId, id) };
        await tx.studyRater.createMany({ data: [data], skipDuplicates: true });
        invitations.push({ raterName, secret });
      }
      const after = { raters: names.length, expiresAt };
      await audit(tx, viewer, { action: 'inviteStudyRaters', type: 'Study', id: studyId, after });
      return invitations;
    },
    { timeout: 120_000, maxWait: 30_000 },
  );
}

/** How a rater does; no answer is among it. */
export interface RaterHealth {
  readonly id: string;
  readonly name: string;
  readonly state: StudyRaterState;
  readonly seatNumber: number | null;
  readonly groupNumber: number | null;
  readonly answered: number;
  readonly failedChecks: number;
  readonly medianResponseMs: number | null;
  readonly undone: number;
  readonly pauseReason: string | null;
  readonly exclusionReason: string | null;
  readonly lastSeenAt: Date | null;
}

const HEALTH = `
  SELECT rater.id, lab_user.name, rater.state, seat.number AS "seatNumber", seat.group_number AS "groupNumber",
    (count(event.number) FILTER (WHERE event.kind = 'RATE') - count(event.number) FILTER (WHERE event.kind = 'UNDO'))::int
      AS answered,
    rater.failed_checks AS "failedChecks",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY event.response_ms) AS "medianResponseMs",
    (count(event.number) FILTER (WHERE event.kind = 'UNDO'))::int AS undone, rater.pause_reason AS "pauseReason",
    rater.exclusion_reason AS "exclusionReason", rater.last_seen_at AS "lastSeenAt"
  FROM study_rater AS rater JOIN lab_user ON lab_user.id = rater.user_id
  LEFT JOIN study_seat AS seat ON seat.rater_id = rater.id LEFT JOIN study_event AS event ON event.rater_id = rater.id
  WHERE rater.study_id = $1::uuid
  GROUP BY rater.id, lab_user.name, seat.number, seat.group_number ORDER BY rater.id LIMIT 1000`;

/** Every rater of a study, in the order of invitation, at most 1,000. */
export async function listRaters({ store }: Services, studyId: string): Promise<RaterHealth[]> {
  return (await store.pool.query<RaterHealth>(HEALTH, [studyId])).rows;
}

export type Verdict = 'CONTINUE' | 'EXCLUDE' | 'REPLACE';

/**
 * The lead's word on a rater: a paused one goes on; or is excluded, the ratings kept and results given with and without; or
 * the seat goes to another. Throws AppError NOT_FOUND, BAD_INPUT (reason) or CONFLICT.
 */
export async function judgeRater(
  services: Services,
  input: {
    readonly studyId: string;
    readonly raterId: string;
    readonly verdict: Verdict;
    readonly reason: string;
  },
): Promise<void> {
  const { store, viewer } = services;
  authorize(viewer, 'judgeStudyRater');
  const { studyId, raterId, verdict } = input;
  const reason = input.reason.trim();
  if (reason === '' || reason.length > 500) bad('reason', 'say why, in 1 to 500 characters');
  await store.transaction(async (client) => {
    const { rows } = await client.query<{ state: StudyRaterState; study_state: string }>(
      `SELECT rater.state, study.state AS study_state FROM study_rater AS rater JOIN study ON study.id = rater.study_id
       WHERE rater.id = $1::uuid AND study.id = $2::uuid FOR UPDATE OF rater FOR SHARE OF study`,
      [raterId, studyId],
    );
    const [rater] = rows;
    if (!rater) throw new AppError('NOT_FOUND', 'no such rater in this study', { field: 'raterId' });
    // Once the arms are known, whom to leave out is no longer a blind choice.
    if (rater.study_state === 'UNSEALED')
      throw new AppError('CONFLICT', 'the study is unsealed: raters are judged before', { field: 'studyId' });
    if (verdict === 'CONTINUE' && rater.state !== 'PAUSED')
      throw new AppError('CONFLICT', `the rater is ${rater.state}, not PAUSED`, { field: 'raterId' });
    if (verdict === 'REPLACE' && (rater.state === 'FINISHED' || rater.study_state === 'CLOSED'))
      throw new AppError('CONFLICT', 'who has finished keeps the seat', { field: 'raterId' });
    if (verdict === 'CONTINUE')
      await client.query(`UPDATE study_rater SET state = 'ACTIVE', pause_reason = NULL WHERE id = $1::uuid`, [
        raterId,
      ]);
    if (verdict === 'EXCLUDE')
      await client.query(
        'UPDATE study_rater SET excluded_at = clock_timestamp(), exclusion_reason = $2 WHERE id = $1::uuid',
        [raterId, reason],
      );
    if (verdict === 'REPLACE') {
      await client.query('UPDATE study_seat SET rater_id = NULL WHERE rater_id = $1::uuid', [raterId]);
      await client.query(
        `UPDATE study_rater SET state = 'REPLACED', pause_reason = NULL WHERE id = $1::uuid`,
        [raterId],
      );
    }
    const after = { verdict, reason };
    await auditOn(client, viewer, {
      action: 'judgeStudyRater',
      type: 'StudyRater',
      id: raterId,
      before: { state: rater.state },
      after,
    });
  });
}
