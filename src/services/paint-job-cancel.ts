// Cancelling paint jobs, one or many. Cancelling twice is cancelling once.

import type { PaintJob, PaintJobState } from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import type { Services } from './context.js';
import { bad } from './paint-job-orders.js';
import { missing } from './paint-job-parts.js';

const CANCEL = readSql('cancel-paint-jobs');

/** Which jobs to end; all given conditions must hold, and at least one is given. */
export interface CancelChoice {
  readonly ids?: readonly string[] | undefined;
  readonly batchId?: string | undefined;
  readonly state?: PaintJobState | undefined;
  readonly submittedBy?: string | undefined;
}

export interface Cancelled {
  /** Waited, and have ended now. */
  readonly cancelledCount: number;
  /** Run, and stop between two denoising steps. */
  readonly stoppingCount: number;
}

/** Asks jobs to end, in one statement. Those that have ended, or were asked before, stay as they are and do not count. */
export async function cancelPaintJobs({ store }: Services, choice: CancelChoice): Promise<Cancelled> {
  const { ids = null, batchId = null, state = null, submittedBy = null } = choice;
  if (ids && ids.length > 10_000) bad('ids', 'give at most 10000 ids');
  if (!ids && !batchId && !submittedBy) bad('ids', 'give ids, batchId or mine');
  if (state && state !== 'QUEUED' && state !== 'RUNNING')
    bad('state', 'only jobs that are QUEUED or RUNNING can be cancelled');
  const { rows } = await store.pool.query<{ state: string }>(CANCEL, [ids, batchId, state, submittedBy]);
  const cancelledCount = rows.filter((row) => row.state === 'CANCELLED').length;
  return { cancelledCount, stoppingCount: rows.length - cancelledCount };
}

/** Asks exactly one job to end; one that has ended stays as it is. Throws AppError NOT_FOUND. */
export async function cancelPaintJob(services: Services, id: string): Promise<PaintJob> {
  await cancelPaintJobs(services, { ids: [id] });
  return (await services.store.prisma.paintJob.findUnique({ where: { id } })) ?? missing('id');
}
