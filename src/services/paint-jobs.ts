// Paint jobs: submit, cancel, and the fenced writes of those who run them. The row is the truth; the queue only wakes.

import { hostname } from 'node:os';
import { AppError } from '../errors.js';
import {
  AttemptOutcome,
  type PaintJob,
  PaintJobState,
  PaintMethod,
  type Trial,
} from '../generated/prisma/client.js';
import { enqueue } from '../queue/queue.js';
import { ENDINGS } from '../store/client.js';
import { authorize, reach } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';

export interface SubmitPaintJob {
  readonly imageId: string;
  readonly maskId: string;
  readonly trialIds: readonly string[];
  readonly modelId: string;
  readonly method: PaintMethod;
  readonly seed: number;
  readonly steps?: number | null | undefined;
  readonly guidanceScale?: number | null | undefined;
  readonly paintingCount: number;
}

function bad(field: string, message: string): never {
  throw new AppError('BAD_INPUT', message, { field });
}

function missing(field: string): never {
  throw new AppError('NOT_FOUND', `no such ${field === 'id' ? 'paint job' : field.replace(/Ids?$/, '')}`, {
    field,
  });
}

function checkNumbers(input: SubmitPaintJob): void {
  const { seed, steps, guidanceScale, paintingCount, trialIds } = input;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    bad('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  if (steps != null && (!Number.isInteger(steps) || steps < 1 || steps > 1000))
    bad('steps', `steps must be from 1 to 1000, it is ${steps}`);
  if (guidanceScale != null && !(guidanceScale >= 0 && guidanceScale <= 30)) {
    bad('guidanceScale', `guidance must be from 0 to 30, it is ${guidanceScale}`);
  }
  if (!Number.isInteger(paintingCount) || paintingCount < 1 || paintingCount > 16) {
    bad('paintingCount', `the number of paintings must be from 1 to 16, it is ${paintingCount}`);
  }
  if (trialIds.length < 1 || trialIds.length > 100)
    bad('trialIds', 'give 1 to 100 trials; several are averaged');
  if (new Set(trialIds).size !== trialIds.length) bad('trialIds', 'each trial may be named once');
}

/**
 * As many trials of one other stimulus as `shown` has, of the same subject: the stimulus is drawn by the seed. The
 * control then differs in what was seen and in nothing else, noise included.
 */
async function drawOtherTrials(
  tx: Pick<Services['store']['prisma'], 'trial'>,
  shown: readonly Trial[],
  subjectId: string,
  voxels: number,
  seed: number,
): Promise<string[]> {
  const of = { session: { subjectId, voxels } };
  const candidates = await tx.trial.groupBy({
    by: ['stimulus'],
    where: { ...of, stimulus: { notIn: shown.map((trial) => trial.stimulus) } },
    having: { index: { _count: { gte: shown.length } } },
    orderBy: { stimulus: 'asc' },
  });
  if (candidates.length === 0) {
    bad(
      'method',
      `a shuffled control needs another stimulus of this subject with at least ${shown.length} trials; import more sessions`,
    );
  }
  // The golden ratio spreads neighbouring seeds over the list.
  const chosen = candidates[Math.floor(((seed * 0.6180339887498949) % 1) * candidates.length)]!;
  const rows = await tx.trial.findMany({
    where: { ...of, stimulus: chosen.stimulus },
    orderBy: { id: 'asc' },
    take: shown.length,
    select: { id: true },
  });
  return rows.map((row) => row.id);
}

/** Checks a job against its parts and writes its row and its queue entry in one transaction. */
export async function submitPaintJob({ store, viewer }: Services, input: SubmitPaintJob): Promise<PaintJob> {
  authorize(viewer, 'submitPaintJob');
  checkNumbers(input);
  return store.prisma.$transaction(async (tx) => {
    const model = (await tx.model.findUnique({ where: { id: input.modelId } })) ?? missing('modelId');
    const image = (await tx.sourceImage.findUnique({ where: { id: input.imageId } })) ?? missing('imageId');
    const mask = (await tx.mask.findUnique({ where: { id: input.maskId } })) ?? missing('maskId');
    if (mask.imageId !== image.id) bad('maskId', 'the mask belongs to another image');
    const trials = await tx.trial.findMany({
      where: { id: { in: [...input.trialIds] } },
      include: { session: { include: { subject: true } } },
    });
    if (trials.length !== input.trialIds.length) missing('trialIds');
    for (const { session } of trials) {
      if (session.subject.label !== model.subjectLabel) {
        bad(
          'trialIds',
          `the model is of subject ${model.subjectLabel}, the trial of subject ${session.subject.label}; models are per subject`,
        );
      }
      if (session.voxels !== model.voxels)
        bad('trialIds', `the trial has ${session.voxels} voxels; the model takes ${model.voxels}`);
    }
    const shuffled =
      input.method === PaintMethod.SHUFFLED_BRAIN
        ? await drawOtherTrials(tx, trials, trials[0]!.session.subjectId, model.voxels, input.seed)
        : [];
    const job = await tx.paintJob.create({
      data: {
        imageId: image.id,
        maskId: mask.id,
        modelId: model.id,
        method: input.method,
        seed: BigInt(input.seed),
        steps: input.steps ?? model.defaultSteps,
        guidanceScale: input.guidanceScale ?? model.defaultGuidanceScale,
        paintingCount: input.paintingCount,
        trials: {
          create: [
            ...input.trialIds.map((trialId) => ({ trialId })),
            ...shuffled.map((trialId) => ({ trialId, shuffled: true })),
          ],
        },
      },
    });
    await enqueue(tx, 'paint', { paintJobId: job.id });
    await audit(tx, viewer, { action: 'submitPaintJob', type: 'PaintJob', id: job.id, after: job });
    return job;
  });
}

/** Asks a job to end. A queued one ends at once, a running one between two denoising steps; an ended one stays as it is. */
export async function cancelPaintJob({ store, viewer }: Services, id: string): Promise<PaintJob> {
  authorize(viewer, 'cancelPaintJob');
  return store.prisma.$transaction(async (tx) => {
    const [ended] = await tx.paintJob.updateManyAndReturn({
      where: { id, state: PaintJobState.QUEUED },
      data: { state: PaintJobState.CANCELLED, cancelRequested: true, finishedAt: new Date() },
    });
    const [asked] = await tx.paintJob.updateManyAndReturn({
      where: { id, state: PaintJobState.RUNNING, cancelRequested: false },
      data: { cancelRequested: true },
    });
    const job = ended ?? asked;
    if (!job) return (await tx.paintJob.findUnique({ where: { id } })) ?? missing('id');
    const before = { state: ended ? PaintJobState.QUEUED : PaintJobState.RUNNING, cancelRequested: false };
    const after = { state: job.state, cancelRequested: true };
    await audit(tx, viewer, { action: 'cancelPaintJob', type: 'PaintJob', id, before, after });
    return job;
  });
}

/** Takes a job for one more attempt, or gives undefined when it has ended already or was cancelled meanwhile. */
export async function claimPaintJob({ store }: Services, id: string): Promise<PaintJob | undefined> {
  return store.prisma.$transaction(async (tx) => {
    await tx.paintJob.updateMany({
      where: { id, state: PaintJobState.RUNNING, cancelRequested: true },
      data: { state: PaintJobState.CANCELLED, finishedAt: new Date() },
    });
    await tx.paintJobAttempt.updateMany({
      where: { jobId: id, outcome: null },
      data: { outcome: AttemptOutcome.LOST, endedAt: new Date() },
    });
    const [job] = await tx.paintJob.updateManyAndReturn({
      where: { id, state: { in: [PaintJobState.QUEUED, PaintJobState.RUNNING] } },
      data: { state: PaintJobState.RUNNING, attempt: { increment: 1 }, startedAt: new Date(), stepsDone: 0 },
    });
    if (job) {
      const worker = `${hostname()}:${process.pid}`;
      await tx.paintJobAttempt.create({ data: { jobId: id, number: job.attempt, worker } });
    }
    return job;
  });
}

/** Notes progress; false when this attempt should stop (cancelled, or another attempt took over). */
export async function reportProgress(
  { store }: Services,
  job: PaintJob,
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
  { store, viewer }: Services,
  job: PaintJob,
  outcome: Outcome,
): Promise<boolean> {
  return store.prisma.$transaction(async (tx) => {
    const { state } = outcome;
    const fenced = await tx.paintJob.updateMany({
      where: { id: job.id, attempt: job.attempt, state: PaintJobState.RUNNING },
      data: {
        state,
        finishedAt: new Date(),
        ...(outcome.state === 'FAILED'
          ? { errorCode: outcome.errorCode, errorMessage: outcome.errorMessage }
          : {}),
      },
    });
    if (fenced.count !== 1) return false;
    await tx.paintJobAttempt.update({
      where: { jobId_number: { jobId: job.id, number: job.attempt } },
      data: {
        outcome: state,
        endedAt: new Date(),
        error: outcome.state === 'FAILED' ? outcome.errorMessage : null,
      },
    });
    if (outcome.state === 'SUCCEEDED') {
      await tx.painting.createMany({
        data: outcome.paintings.map((painting) => ({ jobId: job.id, ...painting })),
      });
    }
    const [before, after] = [{ state: PaintJobState.RUNNING }, { attempt: job.attempt, ...outcome }];
    await audit(tx, viewer, { action: 'finishPaintJob', type: 'PaintJob', id: job.id, before, after });
    await tx.$executeRaw`SELECT pg_notify(${ENDINGS}, ${job.id})`;
    return true;
  });
}

/** Ends a job that the queue will not try again: its workers died or failed at every attempt. An ended one stays as it is. */
export async function abandonPaintJob({ store, viewer }: Services, id: string): Promise<void> {
  await store.prisma.$transaction(async (tx) => {
    const abandoned = await tx.paintJob.updateManyAndReturn({
      where: { id, state: { in: [PaintJobState.QUEUED, PaintJobState.RUNNING] } },
      data: { state: PaintJobState.FAILED, finishedAt: new Date(), errorCode: 'UNAVAILABLE' },
    });
    for (const { attempt } of abandoned) {
      const errorMessage = `given up after ${attempt} attempts; submit it again`;
      const after = await tx.paintJob.update({ where: { id }, data: { errorMessage } });
      await audit(tx, viewer, { action: 'abandonPaintJob', type: 'PaintJob', id, after });
    }
    await tx.paintJobAttempt.updateMany({
      where: { jobId: id, outcome: null },
      data: { outcome: AttemptOutcome.LOST, endedAt: new Date() },
    });
  });
}

/** How often a watched row is read, besides when a worker ends it. Workers write progress four times a second at most. */
const WATCH_MS = 200;

/**
 * The job now, after each change, and at last in its final state. Only the end is told by NOTIFY, which takes a lock
 * over the whole database at each commit; progress is read from the row. Throws AppError NOT_FOUND.
 */
export async function* watchPaintJob({ store, viewer }: Services, id: string): AsyncGenerator<PaintJob> {
  if (reach(viewer, 'PaintJob') === 'NONE') missing('id');
  let seen = '';
  for (;;) {
    // Before the row is read: an end between the two is heard.
    const changed = store.endings.wait(id, WATCH_MS);
    const job = (await store.prisma.paintJob.findUnique({ where: { id } })) ?? missing('id');
    const facts = [job.state, job.attempt, job.stepsDone, job.stepsTotal, job.cancelRequested].join();
    if (facts !== seen) yield job;
    seen = facts;
    if (job.finishedAt) return;
    await changed;
  }
}
