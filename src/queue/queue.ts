// The queue: a table of tasks and the binding to graphile-worker. The domain's rows are the truth; this only wakes workers.

import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, type Runner, run, runMigrations } from 'graphile-worker';
import { z } from 'zod';
import type { Store, Transaction } from '../store/client.js';

/** Task name -> what its payload holds. */
export const TASKS = {
  paint: z.object({ paintJobId: z.uuid() }),
} as const;

export type Task = keyof typeof TASKS;
export type Payload<T extends Task> = z.infer<(typeof TASKS)[T]>;
export type Handlers = { readonly [T in Task]: (payload: Payload<T>, abort: AbortSignal) => Promise<void> };

/** The library's own lines stay out of our standard output; what went wrong is in the job's row and its attempts. */
const SILENT = new Logger(() => () => {});

const BEAT_MS = 2000;
/** A worker that has not beaten for this long is dead, and its jobs are given to others. */
const DEAD_AFTER_S = 8;

export async function prepareQueue(store: Store): Promise<void> {
  await runMigrations({ pgPool: store.pool, logger: SILENT });
}

/** Puts a task into the queue within the caller's transaction. */
export async function enqueue<T extends Task>(tx: Transaction, task: T, payload: Payload<T>): Promise<void> {
  const json = JSON.stringify(TASKS[task].parse(payload));
  await tx.$executeRaw`SELECT graphile_worker.add_job(${task}, ${json}::json, max_attempts := 5)`;
}

export interface Worker {
  /** Waits for running tasks, then ends. */
  stop(): Promise<void>;
}

/** Runs tasks until stopped; frees the tasks of workers that died without a word. */
export async function runWorker(
  store: Store,
  handlers: Handlers,
  concurrency: number,
  onError: (error: unknown) => void,
): Promise<Worker> {
  const events = new EventEmitter();
  const ids = new Set<string>();
  events.on('worker:create', ({ worker }: { worker: { workerId: string } }) => ids.add(worker.workerId));
  const abort = new AbortController();
  const beat = async () => {
    await store.pool.query(
      `INSERT INTO worker_heartbeat (worker_id, beat_at) SELECT unnest($1::text[]), clock_timestamp()
       ON CONFLICT (worker_id) DO UPDATE SET beat_at = excluded.beat_at`,
      [[...ids]],
    );
  };
  const rescue = async () => {
    const dead = await store.pool.query<{ locked_by: string }>(
      `SELECT DISTINCT locked_by FROM graphile_worker.jobs
       WHERE locked_by IS NOT NULL AND locked_at < clock_timestamp() - make_interval(secs => $1)
         AND locked_by NOT IN (SELECT worker_id FROM worker_heartbeat WHERE beat_at > clock_timestamp() - make_interval(secs => $1))`,
      [DEAD_AFTER_S],
    );
    if (dead.rows.length > 0) await utilities.forceUnlockWorkers(dead.rows.map((row) => row.locked_by));
  };
  const utilities = await makeWorkerUtils({ pgPool: store.pool, logger: SILENT });
  const taskList = Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      async (payload: unknown) => {
        try {
          const run = handler as (p: unknown, a: AbortSignal) => Promise<void>;
          await run(TASKS[name as Task].parse(payload), abort.signal);
        } catch (error) {
          // The queue tries again; a shutdown is no fault.
          if (!abort.signal.aborted) onError(error);
          throw error;
        }
      },
    ]),
  );
  const runner: Runner = await run({
    pgPool: store.pool,
    logger: SILENT,
    taskList,
    concurrency,
    noHandleSignals: true,
    pollInterval: 1000,
    events: events as never,
  });
  runner.promise.catch(onError);
  await beat();
  const timer = setInterval(() => {
    beat().then(rescue).catch(onError);
  }, BEAT_MS);
  return {
    async stop() {
      abort.abort();
      await runner.stop();
      clearInterval(timer);
      await utilities.release();
    },
  };
}
