// The withdrawal of a subject: first what would fall with it, then, when that was looked at, the fall. Rows are kept, with the
// reason; nothing of them is shown or used any more.

import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import type { Subject } from '../generated/prisma/client.js';
import { enqueueOn } from '../queue/queue.js';
import { readSql } from '../store/sql.js';
import { authorize, reach } from './access.js';
import { auditOn } from './audit.js';
import type { Services } from './context.js';

const REPORT = readSql('withdrawal-report');
const WITHDRAW_JOBS = readSql('withdraw-paint-jobs');

export interface WithdrawalCounts {
  readonly fmriSessionCount: number;
  readonly trialCount: number;
  readonly modelCount: number;
  readonly paintJobCount: number;
  readonly unfinishedPaintJobCount: number;
  readonly paintingCount: number;
  readonly ratingCount: number;
  readonly raterCount: number;
}

export interface WithdrawalReport extends WithdrawalCounts {
  readonly subject: Subject;
  readonly digest: string;
}

type Queryable = Pick<Services['store']['pool'], 'query'>;

async function count(
  client: Queryable,
  subjectId: string,
): Promise<{ counts: WithdrawalCounts; digest: string }> {
  const counts = (await client.query<WithdrawalCounts>(REPORT, [subjectId])).rows[0]!;
  // Jobs that end meanwhile take nothing from what was looked at.
  const { unfinishedPaintJobCount: _, ...lasting } = counts;
  const digest = createHash('sha256')
    .update(JSON.stringify([subjectId, lasting]))
    .digest('hex')
    .slice(0, 32);
  return { counts, digest };
}

/** What would fall with a subject, or null when there is none or it was withdrawn. */
export async function reportWithdrawal(
  { store, viewer }: Services,
  subjectId: string,
): Promise<WithdrawalReport | null> {
  if (reach(viewer, 'Subject') === 'NONE') return null;
  const subject = await store.prisma.subject.findUnique({ where: { id: subjectId, withdrawnAt: null } });
  if (!subject) return null;
  const { counts, digest } = await count(store.pool, subjectId);
  return { ...counts, subject, digest };
}

/** Withdraws a subject as it was reported. Throws AppError NOT_FOUND, BAD_INPUT (reason), or CONFLICT when more has come since. */
export async function withdrawSubject(
  { store, viewer }: Services,
  input: { subjectId: string; reason: string; digest: string },
): Promise<WithdrawalReport> {
  authorize(viewer, 'withdrawSubject');
  const { subjectId } = input;
  const reason = input.reason.trim();
  if (reason === '' || reason.length > 500)
    throw new AppError('BAD_INPUT', 'say why, in 1 to 500 characters', { field: 'reason' });
  const report = await store.transaction(async (client) => {
    // Waits for submissions that have read the subject, and makes later ones wait.
    const { rows } = await client.query(
      'SELECT id FROM subject WHERE id = $1::uuid AND withdrawn_at IS NULL FOR UPDATE',
      [subjectId],
    );
    if (rows.length === 0) throw new AppError('NOT_FOUND', 'no such subject', { field: 'subjectId' });
    const { counts, digest } = await count(client, subjectId);
    if (digest !== input.digest)
      throw new AppError(
        'CONFLICT',
        'this is not what the report says now; read subjectWithdrawalReport again',
        {
          field: 'digest',
        },
      );
    await client.query(WITHDRAW_JOBS, [subjectId]);
    // Training runs end: those that wait at once, a running one between two steps. Their checkpoints are of its data.
    await client.query(
      `UPDATE training_run SET cancel_requested = true,
         state = CASE WHEN state = 'RUNNING' THEN state ELSE 'CANCELLED' END,
         finished_at = CASE WHEN state = 'RUNNING' THEN NULL ELSE clock_timestamp() END
       WHERE subject_id = $1::uuid AND state IN ('QUEUED', 'RUNNING', 'PAUSED', 'FAILED')`,
      [subjectId],
    );
    // A worker is woken for those that have ended too: their bundles are removed.
    const { rows: runs } = await client.query<{ id: string }>(
      'SELECT id FROM training_run WHERE subject_id = $1::uuid',
      [subjectId],
    );
    for (const { id } of runs) await enqueueOn(client, 'train', { trainingRunId: id }, `train:${id}`);
    await client.query(
      `UPDATE model SET withdrawn_at = clock_timestamp()
       FROM subject WHERE subject.id = $1::uuid AND model.subject_label = subject.label AND model.withdrawn_at IS NULL`,
      [subjectId],
    );
    await client.query(
      'UPDATE subject SET withdrawn_at = clock_timestamp(), withdrawal_reason = $2 WHERE id = $1::uuid',
      [subjectId, reason],
    );
    const [event, after] = [
      { action: 'withdrawSubject', type: 'Subject' },
      { withdrawalReason: reason, ...counts },
    ];
    await auditOn(client, viewer, { ...event, id: subjectId, before: { withdrawalReason: null }, after });
    return { ...counts, digest };
  });
  return { ...report, subject: await store.prisma.subject.findUniqueOrThrow({ where: { id: subjectId } }) };
}
