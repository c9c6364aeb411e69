// Cancelling paint jobs, one or many. Cancelling twice is cancelling once.

import type { PaintJob, PaintJobState } from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import { authorize } from './access.js';
import { auditOn } from './audit.js';
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

/** Asks, and writes the audit events; gives the jobs that it has changed, as they stand now. */
async function cancel(
  { store, viewer }: Services,
  action: 'cancelPaintJob' | 'cancelPaintJobs',
  choice: CancelChoice,
) {
  const { ids = null, batchId = null, state = null, submittedBy = null } = choice;
  return store.transaction(async (client) => {
    const values = [ids, batchId, state, submittedBy];
    const { rows } = await client.query<{ id: string; state: 'CANCELLED' | 'RUNNING' }>(CANCEL, values);
    const events = rows.map((job) => ({
      action,
      type: 'PaintJob',
      id: job.id,
      before: { state: job.state === 'CANCELLED' ? 'QUEUED' : job.state, cancelRequested: false },
      after: { state: job.state, cancelRequested: true },
    }));
    await auditOn(client, viewer, ...events);
    return rows;
  });
}

/** Asks jobs to end, in one statement. Those that have ended, or were asked before, stay as they are and do not count. */
export async function cancelPaintJobs(services: Services, choice: CancelChoice): Promise<Cancelled> {
  authorize(services.viewer, 'cancelPaintJobs');
  const { ids, batchId, state, submittedBy } = choice;
  if (ids && ids.length > 10_000) bad('ids', 'give at most 10000 ids');
  if (!ids && !batchId && !submittedBy) bad('ids', 'give ids, batchId or mine');
  if (state && state !== 'QUEUED' && state !== 'RUNNING')
    bad('state', 'only jobs that are QUEUED or RUNNING can be cancelled');
  const jobs = await cancel(services, 'cancelPaintJobs', choice);
  const cancelledCount = jobs.filter((job) => job.state === 'CANCELLED').length;
  return { cancelledCount, stoppingCount: jobs.length - cancelledCount };
}

/** Asks exactly one job to end; one that has ended stays as it is. Throws AppError NOT_FOUND. */
export async function cancelPaintJob(services: Services, id: string): Promise<PaintJob> {
  authorize(services.viewer, 'cancelPaintJob');
  await cancel(services, 'cancelPaintJob', { ids: [id] });
  const where = { id, withdrawnAt: null };
  return (await services.store.prisma.paintJob.findUnique({ where })) ?? missing('id');
}
