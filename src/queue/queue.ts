// Putting tasks into the queue. The domain's rows are the truth; an entry here only wakes a worker.

import { Logger, runMigrations } from 'graphile-worker';
import type { PoolClient } from 'pg';
import type { Store, Transaction } from '../store/client.js';
import { MAX_ATTEMPTS, type Payload, TASKS, type Task } from './tasks.js';

/** The library's own lines stay out of our standard output; what went wrong is in the job's row and its attempts. */
export const SILENT = new Logger(() => () => {});

/** Makes or updates the queue's own tables. */
export async function prepareQueue(store: Store): Promise<void> {
  await runMigrations({ pgPool: store.pool, logger: SILENT });
}

/**
 * Puts a task into the queue within the caller's transaction: it exists when, and only when, that commits. Of entries
 * with the same key only one waits.
 */
export async function enqueue<T extends Task>(
  tx: Transaction,
  task: T,
  payload: Payload<T>,
  key: string | null = null,
): Promise<void> {
  const json = JSON.stringify(TASKS[task].parse(payload));
  await tx.$executeRaw`SELECT graphile_worker.add_job(${task}, ${json}::json, max_attempts := ${MAX_ATTEMPTS}::int, job_key := ${key})`;
}

/** The same on a connection that is in a transaction. */
export async function enqueueOn<T extends Task>(
  client: Pick<PoolClient, 'query'>,
  task: T,
  payload: Payload<T>,
  key: string,
): Promise<void> {
  await client.query('SELECT graphile_worker.add_job($1, $2::json, max_attempts := $3::int, job_key := $4)', [
    task,
    JSON.stringify(TASKS[task].parse(payload)),
    MAX_ATTEMPTS,
    key,
  ]);
}
