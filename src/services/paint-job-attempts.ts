// Running paint jobs: the claim, and the fenced writes of those who run them. The row is the truth; notices only wake.

import { hostname } from 'node:os';
import { AttemptOutcome, type PaintJob, PaintJobState } from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import type { Services } from './context.js';
import { DEAD_AFTER_SECONDS } from './paint-job-estimates.js';

/** A job as its worker took it; its attempt is the fence of all that the worker writes. */
export type ClaimedJob = PaintJob;

/** A job that has lost its worker so often fails. */
const MAX_LOSSES = 5;

const CLAIM = readSql('claim-paint-job');
const RESCUE = readSql('rescue-paint-jobs');
const RELEASE = readSql('release-paint-job');
const ABORT_OVERDUE = readSql('abort-overdue-paint-jobs');
const SAVE_PREVIEW = readSql('save-preview');

/** This process, for people. */
export const workerName = () => `${hostname()}:${process.pid}`;

/** Takes the next job in the fair order for a worker; undefined when none waits, or its device is paused. */
export async function claimPaintJob({ store }: Services, workerId: string): Promise<ClaimedJob | undefined> {
  const { rows } = await store.pool.query<{ job_id: string }>(CLAIM, [workerId, workerName()]);
  const [claimed] = rows;
  return claimed && store.prisma.paintJob.findUniqueOrThrow({ where: { id: claimed.job_id } });
}

/**
 * Frees the jobs of workers that are gone, and with `own` those that this worker has claimed but runs no more. `reason`
 * goes into the attempts. Returns how many there were.
 */
export async function rescuePaintJobs(
  { store }: Services,
  options: { own?: string | undefined; reason?: string; deadAfterSeconds?: number } = {},
): Promise<number> {
  const { own = null, reason = 'its worker is gone', deadAfterSeconds = DEAD_AFTER_SECONDS } = options;
  return (await store.pool.query(RESCUE, [deadAfterSeconds, MAX_LOSSES, own, reason])).rowCount ?? 0;
}

/** Ends the jobs whose deadline passed before they started; each program does so every second or two. */
export async function abortOverduePaintJobs({ store }: Services): Promise<void> {
  await store.pool.query(ABORT_OVERDUE);
}

/**
 * Gives a job back to the queue, in its old place, because the worker stops or cannot go on: `reason` then goes into the
 * attempt. A stale attempt changes nothing.
 */
export async function releasePaintJob(
  { store }: Services,
  job: ClaimedJob,
  reason: string | null = null,
): Promise<void> {
  await store.pool.query(RELEASE, [job.id, job.attempt, reason]);
}

/** Notes progress; false when this attempt should stop (cancelled, or another attempt took over). */
export async function reportProgress(
  { store }: Services,
  job: ClaimedJob,
  stepsDone: number,
  stepsTotal: number,
): Promise<boolean> {
  const rows = await store.prisma.paintJob.updateManyAndReturn({
    where: { id: job.id, attempt: job.attempt, state: PaintJobState.RUNNING },
    data: { stepsDone, stepsTotal },
    select: { cancelRequested: true },
  });
  return rows.length === 1 && !rows[0]!.cancelRequested;
}

/** Keeps the latest preview of a job that runs. A stale attempt changes nothing. */
export async function savePreview(
  { store }: Services,
  job: ClaimedJob,
  stepsDone: number,
  webp: Uint8Array,
): Promise<void> {
  await store.pool.query(SAVE_PREVIEW, [job.id, job.attempt, stepsDone, Buffer.from(webp)]);
}

export interface FinishedPainting {
  readonly index: number;
  readonly pngSha256: string;
  readonly thumbnailSha256: string;
  readonly outsideMaskDifferentPixels: number;
}

export type Outcome =
  | { readonly state: 'SUCCEEDED'; readonly paintings: readonly FinishedPainting[] }
  | { readonly state: 'FAILED'; readonly errorCode: string; readonly errorMessage: string }
  | { readonly state: 'CANCELLED' };

/** Ends an attempt, result and state in one transaction. A stale attempt writes nothing and gets false. */
export async function finishPaintJob(
  { store }: Services,
  job: ClaimedJob,
  outcome: Outcome,
): Promise<boolean> {
  return store.prisma.$transaction(async (tx) => {
    const { state } = outcome;
    const fenced = await tx.paintJob.updateMany({
      where: { id: job.id, attempt: job.attempt, state: PaintJobState.RUNNING },
      data: {
        state,
        finishedAt: new Date(),
        workerId: null,
        ...(outcome.state === 'FAILED'
          ? { errorCode: outcome.errorCode, errorMessage: outcome.errorMessage }
          : {}),
      },
    });
    if (fenced.count !== 1) return false;
    await tx.paintJobAttempt.update({
      where: { jobId_number: { jobId: job.id, number: job.attempt } },
      data: {
        outcome: AttemptOutcome[state],
        endedAt: new Date(),
        error: outcome.state === 'FAILED' ? outcome.errorMessage : null,
      },
    });
    if (outcome.state === 'SUCCEEDED') {
      await tx.painting.createMany({
        data: outcome.paintings.map((painting) => ({ jobId: job.id, ...painting })),
      });
    }
    await tx.paintJobPreview.deleteMany({ where: { jobId: job.id } });
    return true;
  });
}
