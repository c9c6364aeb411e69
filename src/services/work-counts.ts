// What waits and runs in the lab, counted in one statement.

import { readSql } from '../store/sql.js';
import { authorize } from './access.js';
import type { Services } from './context.js';
import { DEAD_AFTER_SECONDS } from './paint-job-estimates.js';

const COUNT = readSql('count-work');

export interface WorkCount {
  readonly kind: 'paint_jobs' | 'devices' | 'training_runs' | 'webhook_deliveries' | 'webhook_endpoints';
  readonly label: string;
  /** A job's priority; else empty. */
  readonly detail: string;
  readonly number: number;
}

/** Throws AppError UNAUTHENTICATED or FORBIDDEN to all but admins. */
export async function countWork({ store, viewer }: Services): Promise<WorkCount[]> {
  authorize(viewer, 'readMetrics');
  return (await store.pool.query<WorkCount>(COUNT, [DEAD_AFTER_SECONDS])).rows;
}
