// What workers write of training runs: claims, curves and ends, each fenced by (id, attempt, RUNNING).

import { hostname } from 'node:os';
import {
  AttemptOutcome,
  type Prisma,
  type TrainingRun,
  TrainingRunState,
} from '../generated/prisma/client.js';
import { enqueue } from '../queue/queue.js';
import type { Services } from './context.js';
import { type BundleFacts, registerModelIn } from './models.js';

export type { TrainingRun };

/** Takes a run for one more attempt, or gives undefined when it waits for its owner or has ended. */
export async function claimTrainingRun({ store }: Services, id: string): Promise<TrainingRun | undefined> {
  const { QUEUED, RUNNING, PAUSED, CANCELLED } = TrainingRunState;
  return store.prisma.$transaction(async (tx) => {
    await tx.trainingRun.updateMany({
      where: { id, state: RUNNING, cancelRequested: true },
      data: { state: CANCELLED, finishedAt: new Date() },
    });
    await tx.trainingRun.updateMany({
      where: { id, state: RUNNING, pauseRequested: true },
      data: { state: PAUSED },
    });
    await tx.trainingRunAttempt.updateMany({
      where: { runId: id, outcome: null },
      data: { outcome: AttemptOutcome.LOST, endedAt: new Date() },
    });
    const [run] = await tx.trainingRun.updateManyAndReturn({
      where: { id, state: { in: [QUEUED, RUNNING] } },
      data: { state: RUNNING, attempt: { increment: 1 }, startedAt: new Date() },
    });
    if (run) {
      const worker = `${hostname()}:${process.pid}`;
      await tx.trainingRunAttempt.create({ data: { runId: id, number: run.attempt, worker } });
    }
    return run;
  });
}

export interface Point {
  readonly stage: string;
  readonly name: string;
  readonly step: number;
  readonly value: number;
}

/** What there is to write; empty parts are not written. */
export interface TrainingReport {
  readonly progress?: { readonly stage: string; readonly step: number; readonly steps: number };
  readonly excludedVoxels?: number;
  readonly points: readonly Point[];
}

/** Notes progress and points; points that are there already stay. False when this attempt should stop. */
export async function reportTraining(
  { store }: Services,
  run: TrainingRun,
  { progress, excludedVoxels, points }: TrainingReport,
): Promise<boolean> {
  const where = { id: run.id, attempt: run.attempt, state: TrainingRunState.RUNNING };
  const select = { cancelRequested: true, pauseRequested: true };
  const change = { ...progress, ...(excludedVoxels === undefined ? {} : { excludedVoxels }) };
  return store.prisma.$transaction(async (tx) => {
    const [row] =
      Object.keys(change).length > 0
        ? await tx.trainingRun.updateManyAndReturn({ where, data: change, select })
        : await tx.trainingRun.findMany({ where, select });
    if (row && points.length > 0) {
      await tx.trainingRunPoint.createMany({
        data: points.map((point) => ({ runId: run.id, ...point })),
        skipDuplicates: true,
      });
    }
    return row !== undefined && !row.cancelRequested && !row.pauseRequested;
  });
}

export interface TrainingFault {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
  readonly stage: string | undefined;
  readonly step: number | undefined;
}

/** Registers the model and ends the run in one transaction. A stale or cancelled attempt writes nothing and gets false. */
export async function succeedTrainingRun(
  { store, viewer }: Services,
  run: TrainingRun,
  result: {
    facts: Omit<BundleFacts, 'training'>;
    metrics: Prisma.InputJsonArray;
    provenance: Prisma.InputJsonObject;
  },
): Promise<boolean> {
  return store.prisma.$transaction(async (tx) => {
    const where = { id: run.id, attempt: run.attempt, state: TrainingRunState.RUNNING };
    // The row is locked before the model is written: of two attempts, or an attempt and a cancel, one gets here first.
    const locked = await tx.trainingRun.updateMany({
      where: { ...where, cancelRequested: false },
      data: { pauseRequested: false },
    });
    if (locked.count !== 1) return false;
    const model = await registerModelIn(tx, viewer, result.facts);
    await tx.trainingRun.updateMany({
      where,
      data: {
        state: TrainingRunState.SUCCEEDED,
        finishedAt: new Date(),
        modelId: model.id,
        metrics: result.metrics,
        provenance: result.provenance,
      },
    });
    await endAttempt(tx, run, AttemptOutcome.SUCCEEDED);
    return true;
  });
}

/** Ends an attempt with an error. The run can be resumed from its checkpoint. */
export async function failTrainingRun(
  { store }: Services,
  run: TrainingRun,
  fault: TrainingFault,
): Promise<boolean> {
  return store.prisma.$transaction(async (tx) => {
    const { count } = await tx.trainingRun.updateMany({
      where: { id: run.id, attempt: run.attempt, state: TrainingRunState.RUNNING },
      data: {
        state: TrainingRunState.FAILED,
        finishedAt: new Date(),
        errorCode: fault.code,
        errorMessage: fault.message,
        errorField: fault.field ?? null,
        errorStage: fault.stage ?? null,
        errorStep: fault.step ?? null,
      },
    });
    if (count === 1) await endAttempt(tx, run, AttemptOutcome.FAILED, fault.message);
    return count === 1;
  });
}

/** Ends an attempt that stopped as it was asked to, and says where the run stands; a pause that was taken back queues it. */
export async function stopTrainingRun(
  { store }: Services,
  run: TrainingRun,
): Promise<TrainingRunState | undefined> {
  const { RUNNING, PAUSED, CANCELLED, QUEUED } = TrainingRunState;
  return store.prisma.$transaction(async (tx) => {
    const where = { id: run.id, attempt: run.attempt, state: RUNNING };
    const [row] = await tx.$queryRaw<{ pause_requested: boolean; cancel_requested: boolean }[]>`
      SELECT pause_requested, cancel_requested FROM training_run
      WHERE id = ${run.id}::uuid AND attempt = ${run.attempt} AND state = 'RUNNING' FOR UPDATE`;
    if (!row) return undefined;
    const state = row.cancel_requested ? CANCELLED : row.pause_requested ? PAUSED : QUEUED;
    await tx.trainingRun.updateMany({
      where,
      data: { state, ...(state === CANCELLED ? { finishedAt: new Date() } : {}) },
    });
    await endAttempt(tx, run, state === CANCELLED ? AttemptOutcome.CANCELLED : AttemptOutcome.PAUSED);
    if (state === QUEUED) await enqueue(tx, 'train', { trainingRunId: run.id }, `train:${run.id}`);
    return state;
  });
}

async function endAttempt(
  tx: Pick<Services['store']['prisma'], 'trainingRunAttempt'>,
  run: TrainingRun,
  outcome: AttemptOutcome,
  error: string | null = null,
): Promise<void> {
  await tx.trainingRunAttempt.update({
    where: { runId_number: { runId: run.id, number: run.attempt } },
    data: { outcome, endedAt: new Date(), error },
  });
}

/** Ends a run that the queue will not try again. Its checkpoint stays, so that it can be resumed. */
export async function abandonTrainingRun({ store }: Services, id: string): Promise<void> {
  await store.prisma.$transaction(async (tx) => {
    const abandoned = await tx.trainingRun.updateManyAndReturn({
      where: { id, state: { in: [TrainingRunState.QUEUED, TrainingRunState.RUNNING] } },
      data: { state: TrainingRunState.FAILED, finishedAt: new Date(), errorCode: 'UNAVAILABLE' },
    });
    for (const { attempt } of abandoned) {
      const errorMessage = `given up after ${attempt} attempts; the worker's log says why; resume it`;
      await tx.trainingRun.update({ where: { id }, data: { errorMessage } });
    }
    await tx.trainingRunAttempt.updateMany({
      where: { runId: id, outcome: null },
      data: { outcome: AttemptOutcome.LOST, endedAt: new Date() },
    });
  });
}
