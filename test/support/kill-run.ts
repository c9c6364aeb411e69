// Many jobs on workers that are killed at random (kill -9): what became of each, and how long the struck ones waited.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Services } from '../../src/services/context.js';
import type { PaintJobOrder } from '../../src/services/paint-job-orders.js';
import { submitPaintJobs } from '../../src/services/paint-job-submission.js';

export interface KillRun {
  readonly jobs: number;
  readonly workers: number;
  /** Milliseconds from one kill to the next, drawn evenly between the two. */
  readonly killEveryMs: readonly [number, number];
  /** Kills no more than so many; absent: as long as there are jobs. Fewer than a job's attempts: none can be given up. */
  readonly mostKills?: number;
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** Gives up after so long; what has not ended then is lost. */
  readonly timeoutMs: number;
  readonly onProgress?: (ended: number, kills: number) => void;
}

export interface KillResult {
  readonly jobs: number;
  readonly kills: number;
  /** Jobs that have not ended with their painting. */
  readonly lost: number;
  /** Jobs with more than one painting, or more than one attempt that stored one. */
  readonly doubled: number;
  /** The longest time from a kill until the job that it struck ran again. */
  readonly maxRescueSeconds: number;
  /** Attempts that a kill ended. */
  readonly struck: number;
}

/** How each job ended, one row a job. */
const ENDS = `
  SELECT job.state::text AS state,
    (SELECT count(*)::int FROM painting WHERE painting.job_id = job.id) AS paintings,
    (SELECT count(*)::int FROM paint_job_attempt AS a WHERE a.job_id = job.id AND a.outcome = 'SUCCEEDED') AS successes
  FROM paint_job AS job`;

/** Attempts that lost their worker, with the start of the next one, or the end of the job. */
const LOSSES = `
  SELECT lost.worker, coalesce(next.started_at, job.finished_at) AS rescued_at
  FROM paint_job_attempt AS lost JOIN paint_job AS job ON job.id = lost.job_id
  LEFT JOIN paint_job_attempt AS next ON next.job_id = lost.job_id AND next.number = lost.number + 1
  WHERE lost.outcome = 'LOST'`;

const BUSY = `
  SELECT worker FROM paint_job_attempt GROUP BY worker
  HAVING bool_or(outcome IS NULL) AND bool_or(outcome = 'SUCCEEDED')`;

export async function runKills(services: Services, order: PaintJobOrder, run: KillRun): Promise<KillResult> {
  const { pool } = services.store;
  const killedAt = new Map<string, number>();
  const running = new Set<ChildProcess>();
  let over = false;

  function start(): void {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main/worker.ts'], {
      env: {
        ...process.env,
        DATABASE_URL: run.databaseUrl,
        MINDPAINTER_DATA_DIR: run.dataDir,
        LOG_LEVEL: 'silent',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      if (!over) start();
    });
  }
  const name = (child: ChildProcess) => `${hostname()}:${child.pid}`;
  /**
   * Strikes a worker that runs a job and has finished one before, if there is one: a machine that takes long to start a
   * worker would else see nothing but starts.
   */
  async function killOne(): Promise<boolean> {
    const { rows } = await pool.query<{ worker: string }>(BUSY);
    const busy = [...running].filter((child) => rows.some((row) => row.worker === name(child)));
    const chosen = busy[Math.floor(Math.random() * busy.length)];
    if (!chosen) return false;
    killedAt.set(name(chosen), Date.now());
    chosen.kill('SIGKILL');
    return true;
  }
  const countEnded = async () => {
    const sql = `SELECT count(*)::int AS n FROM paint_job WHERE finished_at IS NOT NULL`;
    return (await pool.query<{ n: number }>(sql)).rows[0]!.n;
  };

  const { batch } = await submitPaintJobs(
    services,
    { common: order, axes: [], runs: run.jobs },
    { submittedBy: 'test' },
  );
  if (!batch) throw new Error('the jobs were refused');
  for (let i = 0; i < run.workers; i++) start();
  const deadline = Date.now() + run.timeoutMs;
  const [least, most] = run.killEveryMs;
  const { mostKills = Number.POSITIVE_INFINITY } = run;
  let nextKill = Date.now() + least;
  for (let ended = 0; ended < run.jobs && Date.now() < deadline; ended = await countEnded()) {
    run.onProgress?.(ended, killedAt.size);
    // While a victim is sought, look often: on a fast machine a job is over in less than the usual pause.
    const seeking = Date.now() >= nextKill && killedAt.size < mostKills;
    await sleep(seeking ? 20 : 200);
    if (!seeking || !(await killOne())) continue;
    nextKill = Date.now() + least + Math.random() * (most - least);
  }
  over = true;
  await Promise.all(
    [...running].map(async (child) => {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }),
  );
  const ends = await pool.query<{ state: string; paintings: number; successes: number }>(ENDS);
  const losses = await pool.query<{ worker: string; rescued_at: Date | null }>(LOSSES);
  // A worker is killed once; an attempt that was lost otherwise counts from nowhere and shows as infinite.
  const waits = losses.rows.map(({ worker, rescued_at }) =>
    rescued_at ? (rescued_at.getTime() - (killedAt.get(worker) ?? 0)) / 1000 : Number.POSITIVE_INFINITY,
  );
  return {
    jobs: ends.rows.length,
    kills: killedAt.size,
    lost: ends.rows.filter((row) => row.state !== 'SUCCEEDED' || row.paintings === 0).length,
    doubled: ends.rows.filter((row) => row.paintings > 1 || row.successes > 1).length,
    maxRescueSeconds: Number(Math.max(0, ...waits).toFixed(1)),
    struck: waits.length,
  };
}
