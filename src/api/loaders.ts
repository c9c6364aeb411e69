// Batches of rows: each loader turns many reads of one request into one statement, and gives out what the viewer may read.

import DataLoader from 'dataloader';
import { reach, type Viewer } from '../services/access.js';
import { estimatePaintJobs } from '../services/paint-job-estimates.js';
import { labelsOf } from '../services/stimulus-labels.js';
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

export function createLoaders(store: Store, viewer: Viewer) {
  const { prisma } = store;
  /** A loader of one type; `own` says that the viewer may read theirs only. */
  const nodes = <Row extends { id: string }>(
    type: NodeType,
    fetch: (where: { id: { in: string[] } }, own: boolean) => Promise<Row[]>,
  ) =>
    byId<Row>(async (ids) => {
      const reached = reach(viewer, type);
      return reached === 'NONE' ? [] : fetch({ id: { in: ids } }, reached === 'OWN');
    });
  // Who reads only what is theirs is a user; without one, the filters below throw.
  const userId = viewer.userId!;
  // What a subject has withdrawn is as if it did not exist.
  const kept = { withdrawnAt: null };
  return {
    Subject: nodes('Subject', (where) => prisma.subject.findMany({ where: { ...where, ...kept } })),
    FmriSession: nodes('FmriSession', (where) =>
      prisma.fmriSession.findMany({ where: { ...where, subject: kept } }),
    ),
    Trial: nodes('Trial', (where) =>
      prisma.trial.findMany({ where: { ...where, session: { subject: kept } } }),
    ),
    SourceImage: nodes('SourceImage', (where) => prisma.sourceImage.findMany({ where })),
    Mask: nodes('Mask', (where) => prisma.mask.findMany({ where })),
    Model: nodes('Model', (where) => prisma.model.findMany({ where: { ...where, ...kept } })),
    PaintJob: nodes('PaintJob', (where) => prisma.paintJob.findMany({ where: { ...where, ...kept } })),
    PaintJobBatch: nodes('PaintJobBatch', (where) => prisma.paintJobBatch.findMany({ where })),
    Device: nodes('Device', (where) => prisma.device.findMany({ where })),
    Painting: nodes('Painting', (where) => prisma.painting.findMany({ where: { ...where, job: kept } })),
    Rating: nodes('Rating', (where, own) =>
      prisma.rating.findMany({
        where: { ...where, painting: { job: kept }, ...(own ? { raterId: userId } : {}) },
      }),
    ),
    Stimulus: nodes('Stimulus', (where) => prisma.stimulus.findMany({ where })),
    TrainingRun: nodes('TrainingRun', (where) =>
      prisma.trainingRun.findMany({ where: { ...where, subject: kept } }),
    ),
    User: nodes('User', (where, own) =>
      prisma.user.findMany({ where: own ? { AND: [where, { id: userId }] } : where }),
    ),
    ApiToken: nodes('ApiToken', (where, own) =>
      prisma.credential.findMany({ where: { ...where, kind: 'TOKEN', ...(own ? { userId } : {}) } }),
    ),
    RaterLink: nodes('RaterLink', (where) =>
      prisma.credential.findMany({ where: { ...where, kind: 'RATER_LINK' } }),
    ),
    WebhookEndpoint: nodes('WebhookEndpoint', (where) =>
      prisma.webhookEndpoint.findMany({ where: { ...where, deletedAt: null } }),
    ),
    WebhookDelivery: nodes('WebhookDelivery', (where) =>
      prisma.webhookDelivery.findMany({ where: { ...where, endpoint: { deletedAt: null } } }),
    ),
    webhookEvent: byId((ids) => prisma.webhookEvent.findMany({ where: { id: { in: ids } } })),
    attemptsOfWebhook: listBy(
      (ids) =>
        prisma.webhookAttempt.findMany({ where: { deliveryId: { in: ids } }, orderBy: { number: 'asc' } }),
      (row) => row.deliveryId,
    ),
    AuditEvent: nodes('AuditEvent', (where) => prisma.auditEvent.findMany({ where })),
    Benchmark: nodes('Benchmark', (where) => prisma.benchmark.findMany({ where })),
    Study: nodes('Study', (where) => prisma.study.findMany({ where })),
    armsOfBenchmark: listBy(
      (ids) =>
        prisma.benchmarkArm.findMany({ where: { benchmarkId: { in: ids } }, orderBy: { position: 'asc' } }),
      (row) => row.benchmarkId,
    ),
    labelOfStimulus: new DataLoader<string, string | null>(async (names) => {
      const labels = await labelsOf(prisma, names);
      return names.map((name) => labels.get(name) ?? null);
    }),
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
      (ids) => {
        const own = reach(viewer, 'Rating') === 'OWN' ? { raterId: userId } : {};
        return prisma.rating.findMany({
          where: { paintingId: { in: ids }, ...own },
          orderBy: { id: 'asc' },
        });
      },
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
  'User',
  'ApiToken',
  'RaterLink',
  'AuditEvent',
  'Benchmark',
  'Study',
  'WebhookEndpoint',
  'WebhookDelivery',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];
