// Running tasks: the binding to graphile-worker, heartbeats, and what becomes of tasks whose worker died.

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JobHelpers, makeWorkerUtils, type Runner, run, type TaskList } from 'graphile-worker';
import { withLogFields } from '../log.js';
import type { Store } from '../store/client.js';
import { SILENT } from './queue.js';
import { type Handler, type Handlers, TASKS, type Task } from './tasks.js';

export interface Worker {
  /** Asks running tasks to stop early, waits for them, and gives them back without a wait or the loss of an attempt. */
  stop(): Promise<void>;
}

export interface WorkerOptions {
  /** Tasks of each kind at once: kinds do not wait for one another, so that a long training holds up no painting. */
  readonly concurrency: Readonly<Record<Task, number>>;
  /** A task threw, or the worker's own queries failed. */
  readonly onError: (error: unknown) => void;
  readonly beatMs?: number;
  /** A worker that has not beaten for this long is dead, and its tasks are given to others. */
  readonly deadAfterMs?: number;
}

interface Spent {
  readonly id: string;
  readonly task: string;
  readonly payload: unknown;
  readonly superseded: boolean;
}

/**
 * Whether another entry does the same work. Putting a key anew while its entry runs makes a second one, and the library
 * marks the first by spending all its attempts.
 */
const SUPERSEDED = `
  EXISTS (
    SELECT FROM graphile_worker._private_jobs AS other
    WHERE other.id <> jobs.id AND other.task_id = jobs.task_id AND other.payload::text = jobs.payload::text
      AND (other.locked_at IS NOT NULL OR other.attempts < other.max_attempts))`;

/** Tasks that no worker holds and that have no attempt left. */
const SPENT = `
  SELECT jobs.id::text AS id, tasks.identifier AS task, jobs.payload AS payload, ${SUPERSEDED} AS superseded
  FROM graphile_worker._private_jobs AS jobs JOIN graphile_worker._private_tasks AS tasks ON tasks.id = jobs.task_id
  WHERE jobs.locked_at IS NULL AND jobs.attempts >= jobs.max_attempts`;

const DEAD = `
  SELECT DISTINCT locked_by FROM graphile_worker.jobs
  WHERE locked_by IS NOT NULL AND locked_at < clock_timestamp() - make_interval(secs => $1)
    AND locked_by NOT IN
      (SELECT worker_id FROM worker_heartbeat WHERE beat_at > clock_timestamp() - make_interval(secs => $1))`;

/** The library's own rescheduleJobs cannot set 0 attempts. What is done by another entry is not given back. */
const GIVE_BACK = `
  SELECT graphile_worker.reschedule_jobs(ARRAY[jobs.id], run_at := clock_timestamp(), attempts := greatest(jobs.attempts - 1, 0))
  FROM graphile_worker._private_jobs AS jobs WHERE jobs.id = ANY ($1::bigint[]) AND NOT ${SUPERSEDED}`;

/** The attempt under way becomes the first. */
const COUNT_ANEW = `
  UPDATE graphile_worker._private_jobs AS jobs SET attempts = 1
  WHERE jobs.id = $1 AND jobs.attempts > 1 AND NOT ${SUPERSEDED}`;

const BEAT = `
  INSERT INTO worker_heartbeat (worker_id, beat_at) SELECT unnest($1::text[]), clock_timestamp()
  ON CONFLICT (worker_id) DO UPDATE SET beat_at = excluded.beat_at`;

/** Runs tasks until stopped; throws at once when a task has no handler. */
export async function runWorker(store: Store, handlers: Handlers, options: WorkerOptions): Promise<Worker> {
  const { concurrency, onError, beatMs = 2000, deadAfterMs = 8000 } = options;
  for (const task of Object.keys(TASKS)) {
    if (!(task in handlers)) throw new Error(`the task ${task} has no handler; add one to src/jobs`);
  }
  const handlerOf = (task: string) => handlers[task as Task] as Handler<Task> | undefined;
  const ids = new Set<string>();
  const events = new EventEmitter();
  // Entries are locked under the id of the pool, not of the workers in it.
  events.on('pool:create', ({ workerPool }: { workerPool: { id: string } }) => ids.add(workerPool.id));
  const abort = new AbortController();
  const aborted: string[] = [];
  const utilities = await makeWorkerUtils({ pgPool: store.pool, logger: SILENT });

  const taskList: TaskList = {};
  for (const [task, schema] of Object.entries(TASKS)) {
    const run = async (payload: unknown, job: JobHelpers['job']) => {
      let counted = job.attempts === 1;
      const movedOn = async () => {
        if (counted) return;
        counted = true;
        await store.pool.query(COUNT_ANEW, [job.id]);
      };
      try {
        await handlerOf(task)!.run(schema.parse(payload), abort.signal, movedOn);
      } catch (error) {
        if (abort.signal.aborted) aborted.push(String(job.id));
        else onError(error);
        throw error;
      }
    };
    taskList[task] = (payload: unknown, { job }: JobHelpers) =>
      withLogFields({ task, ...(payload as object) }, () => run(payload, job));
  }

  async function giveUpSpent(): Promise<void> {
    for (const { id, task, payload, superseded } of (await store.pool.query<Spent>(SPENT)).rows) {
      // Entries of a task that this version does not know stay for one that does.
      const parsed = TASKS[task as Task]?.safeParse(payload);
      if (!parsed) continue;
      if (parsed.success && !superseded) await handlerOf(task)!.giveUp(parsed.data);
      await utilities.completeJobs([id]);
    }
  }
  async function beat(): Promise<void> {
    await store.pool.query(BEAT, [[...ids]]);
    const dead = await store.pool.query<{ locked_by: string }>(DEAD, [deadAfterMs / 1000]);
    if (dead.rows.length > 0) await utilities.forceUnlockWorkers(dead.rows.map((row) => row.locked_by));
    await giveUpSpent();
  }

  async function holdsTasks(): Promise<boolean> {
    const held = 'SELECT 1 FROM graphile_worker.jobs WHERE locked_by = ANY ($1)';
    return (await store.pool.query(held, [[...ids]])).rows.length > 0;
  }

  const runners: Runner[] = [];
  for (const [task, work] of Object.entries(taskList)) {
    const runner = await run({
      pgPool: store.pool,
      logger: SILENT,
      taskList: { [task]: work },
      concurrency: concurrency[task as Task],
      noHandleSignals: true,
      pollInterval: 1000,
      events: events as never,
    });
    runner.promise.catch(onError);
    runners.push(runner);
  }
  let beating: Promise<void> = Promise.resolve();
  let busy = false;
  const onBeat = () => {
    if (busy) return;
    busy = true;
    beating = beat()
      .catch(onError)
      .finally(() => {
        busy = false;
      });
  };
  onBeat();
  const timer = setInterval(onBeat, beatMs);
  return {
    async stop() {
      abort.abort();
      await Promise.all(runners.map((runner) => runner.stop()));
      clearInterval(timer);
      await beating;
      // The library returns before the last outcomes are written; what is late finds its lock gone and writes nothing.
      for (let waited = 0; waited < 2000 && (await holdsTasks()); waited += 50) await sleep(50);
      await utilities.forceUnlockWorkers([...ids]);
      await store.pool.query(GIVE_BACK, [aborted]);
      await store.pool.query('DELETE FROM worker_heartbeat WHERE worker_id = ANY ($1)', [[...ids]]);
      await utilities.release();
    },
  };
}
