// Batches of rows: each loader turns many reads of one request into one statement.

import DataLoader from 'dataloader';
import { estimatePaintJobs } from '../services/paint-job-estimates.js';
import type { Store } from '../store/client.js';

/** Rows by id; a missing one is an error, since only foreign keys and checked ids come here. */
function byId<Row extends { id: string }>(fetch: (ids: string[]) => Promise<Row[]>) {
  return new DataLoader<string, Row | null>(async (ids) => {
    const rows = new Map((await fetch([...ids])).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

/** Lists of rows by the key of what they belong to, in the order in which they were fetched. */
function listBy<Row>(fetch: (keys: string[]) => Promise<Row[]>, key: (row: Row) => string) {
  return new DataLoader<string, Row[]>(async (keys) => {
    const lists = new Map<string, Row[]>(keys.map((k) => [k, []]));
    for (const row of await fetch([...keys])) lists.get(key(row))!.push(row);
    return keys.map((k) => lists.get(k)!);
  });
}

export type Loaders = ReturnType<typeof createLoaders>;

export function createLoaders(store: Store) {
  const { prisma } = store;
  const among = (ids: string[]) => ({ where: { id: { in: ids } } });
  // What a subject has withdrawn is as if it did not exist.
  const kept = { withdrawnAt: null };
  const amongKept = (ids: string[]) => ({ where: { id: { in: ids }, ...kept } });
  return {
    Subject: byId((ids) => prisma.subject.findMany(amongKept(ids))),
    FmriSession: byId((ids) => prisma.fmriSession.findMany({ where: { id: { in: ids }, subject: kept } })),
    Trial: byId((ids) => prisma.trial.findMany({ where: { id: { in: ids }, session: { subject: kept } } })),
    SourceImage: byId((ids) => prisma.sourceImage.findMany(among(ids))),
    Mask: byId((ids) => prisma.mask.findMany(among(ids))),
    Model: byId((ids) => prisma.model.findMany(amongKept(ids))),
    PaintJob: byId((ids) => prisma.paintJob.findMany(amongKept(ids))),
    PaintJobBatch: byId((ids) => prisma.paintJobBatch.findMany(among(ids))),
    Device: byId((ids) => prisma.device.findMany(among(ids))),
    Painting: byId((ids) => prisma.painting.findMany({ where: { id: { in: ids }, job: kept } })),
    Rating: byId((ids) => prisma.rating.findMany({ where: { id: { in: ids }, painting: { job: kept } } })),
    Stimulus: byId((ids) => prisma.stimulus.findMany(among(ids))),
    TrainingRun: byId((ids) => prisma.trainingRun.findMany({ where: { id: { in: ids }, subject: kept } })),
    sessionsOfRun: listBy(
      (ids) =>
        prisma.trainingRunSession.findMany({
          where: { runId: { in: ids } },
          include: { session: true },
          orderBy: { session: { label: 'asc' } },
        }),
      (row) => row.runId,
    ),
    stimuliOfRun: listBy(
      (ids) =>
        prisma.trainingRunStimulus.findMany({ where: { runId: { in: ids } }, orderBy: { name: 'asc' } }),
      (row) => row.runId,
    ),
    attemptsOfRun: listBy(
      (ids) =>
        prisma.trainingRunAttempt.findMany({ where: { runId: { in: ids } }, orderBy: { number: 'asc' } }),
      (row) => row.runId,
    ),
    runsOfModel: listBy(
      (ids) =>
        prisma.trainingRun.findMany({
          where: { modelId: { in: ids }, subject: kept },
          orderBy: { id: 'asc' },
        }),
      (row) => row.modelId!,
    ),
    trialsOfJob: listBy(
      (ids) =>
        prisma.paintJobTrial.findMany({
          where: { jobId: { in: ids } },
          include: { trial: true },
          orderBy: { trialId: 'asc' },
        }),
      (row) => row.jobId,
    ),
    attemptsOfJob: listBy(
      (ids) => prisma.paintJobAttempt.findMany({ where: { jobId: { in: ids } }, orderBy: { number: 'asc' } }),
      (row) => row.jobId,
    ),
    paintingsOfJob: listBy(
      (ids) => prisma.painting.findMany({ where: { jobId: { in: ids } }, orderBy: { index: 'asc' } }),
      (row) => row.jobId,
    ),
    retriesOfJob: listBy(
      (ids) => prisma.paintJob.findMany({ where: { retriedFromId: { in: ids } }, orderBy: { id: 'asc' } }),
      (row) => row.retriedFromId!,
    ),
    estimateOfJob: new DataLoader(async (ids: readonly string[]) => {
      const estimates = await estimatePaintJobs({ store }, ids);
      return ids.map((id) => estimates.get(id) ?? null);
    }),
    previewOfJob: new DataLoader(async (ids: readonly string[]) => {
      const rows = await prisma.paintJobPreview.findMany({
        where: { jobId: { in: [...ids] } },
        select: { jobId: true, stepsDone: true },
      });
      return ids.map((id) => rows.find((row) => row.jobId === id) ?? null);
    }),
    stateCountsOfBatch: listBy(
      async (ids) => {
        const where = { batchId: { in: ids }, ...kept };
        const groups = await prisma.paintJob.groupBy({ by: ['batchId', 'state'], where, _count: true });
        return groups.map(({ batchId, state, _count }) => ({ batchId, state, count: _count }));
      },
      (row) => row.batchId!,
    ),
    ratingsOfPainting: listBy(
      (ids) => prisma.rating.findMany({ where: { paintingId: { in: ids } }, orderBy: { id: 'asc' } }),
      (row) => row.paintingId,
    ),
  };
}

/** Types that node(id) finds. */
export const NODE_TYPES = [
  'Subject',
  'FmriSession',
  'Trial',
  'SourceImage',
  'Mask',
  'Model',
  'PaintJob',
  'PaintJobBatch',
  'Device',
  'Painting',
  'Rating',
  'Stimulus',
  'TrainingRun',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];
