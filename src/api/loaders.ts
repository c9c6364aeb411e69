// Batches of rows: each loader turns many reads of one request into one statement, and gives out what the viewer may read.

import type { FmriSession, Painting, SourceImage, Subject } from '../generated/prisma/client.js';
import { reach, type Viewer } from '../services/access.js';
import { measuringProgress } from '../services/benchmark-measurements.js';
import { estimatePaintJobs } from '../services/paint-job-estimates.js';
import type { TrialOfJob } from '../services/paint-job-surroundings.js';
import { labelsOf } from '../services/stimulus-labels.js';
import type { Store } from '../store/client.js';
import { readSql } from '../store/sql.js';
import { batch, byId, listBy } from './batches.js';

// What a page of jobs shows is read by SQL of its own: Prisma took most of the time (bench/results.md).
const SOURCE_IMAGES = readSql('source-images-by-id');
const SUBJECTS = readSql('subjects-by-id');
const SESSIONS = readSql('fmri-sessions-by-id');
const TRIALS_OF_JOBS = readSql('trials-of-jobs');
const PAINTINGS_OF_JOBS = readSql('paintings-of-jobs');

export type Loaders = ReturnType<typeof createLoaders>;

export function createLoaders(store: Store, viewer: Viewer) {
  const { prisma, pool } = store;
  const rowsOf = async <Row extends object>(sql: string, ids: readonly string[]) =>
    (await pool.query<Row>(sql, [ids])).rows;
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
    Subject: nodes('Subject', ({ id }) => rowsOf<Subject>(SUBJECTS, id.in)),
    FmriSession: nodes('FmriSession', ({ id }) => rowsOf<FmriSession>(SESSIONS, id.in)),
    Trial: nodes('Trial', (where) =>
      prisma.trial.findMany({ where: { ...where, session: { subject: kept } } }),
    ),
    SourceImage: nodes('SourceImage', ({ id }) => rowsOf<SourceImage>(SOURCE_IMAGES, id.in)),
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
    labelOfStimulus: batch(async (names) => {
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
      (ids) => rowsOf<TrialOfJob>(TRIALS_OF_JOBS, ids),
      (row) => row.jobId,
    ),
    attemptsOfJob: listBy(
      (ids) => prisma.paintJobAttempt.findMany({ where: { jobId: { in: ids } }, orderBy: { number: 'asc' } }),
      (row) => row.jobId,
    ),
    paintingsOfJob: listBy(
      (ids) => rowsOf<Painting>(PAINTINGS_OF_JOBS, ids),
      (row) => row.jobId,
    ),
    retriesOfJob: listBy(
      (ids) => prisma.paintJob.findMany({ where: { retriedFromId: { in: ids } }, orderBy: { id: 'asc' } }),
      (row) => row.retriedFromId!,
    ),
    estimateOfJob: batch(async (ids) => {
      const estimates = await estimatePaintJobs({ store }, ids);
      return ids.map((id) => estimates.get(id) ?? null);
    }),
    progressOfMeasurement: batch(async (ids) => {
      const progress = await measuringProgress({ store }, ids);
      return ids.map((id) => progress.get(id)!);
    }),
    previewOfJob: batch(async (ids) => {
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
