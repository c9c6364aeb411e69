// The lists that can be read, page by page, from the newest; trials in their matrix's order.

import { AppError } from '../errors.js';
import { canonicalLabel } from '../fmri/labels.js';
import type {
  Device,
  PaintJob,
  PaintJobState,
  Subject,
  TrainingRunPoint,
  TrainingRunState,
} from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import { type Entity, may, reach } from './access.js';
import type { Services } from './context.js';
import { listed, seen } from './edits.js';
import { withDates } from './json-rows.js';
import { badCursor, newest, type Page, type PageArguments, readPage, type Slice } from './pages.js';

/** A page of what the viewer may read; of a type that does not exist for them, an empty one. */
export function readVisible<Row extends { id: string }>(
  { viewer }: Services,
  entity: Entity,
  args: PageArguments,
  list: (slice: Slice) => Promise<Row[]>,
  count: () => Promise<number | null>,
): Promise<Page<Row>> {
  return reach(viewer, entity) === 'NONE' ? noPage(args) : readPage(args, list, count);
}

const noPage = <Row extends { id: string }>(args: PageArguments): Promise<Page<Row>> =>
  readPage<Row>(
    args,
    async () => [],
    async () => 0,
  );

/** The same of a type that can be deleted: what is there or, by itself and for those who may read it, what was deleted. */
export function readListed<Row extends { id: string }>(
  services: Services,
  entity: Entity,
  deleted: boolean,
  args: PageArguments,
  list: (slice: Slice, where: ReturnType<typeof listed>) => Promise<Row[]>,
  count: (where: ReturnType<typeof listed>) => Promise<number>,
): Promise<Page<Row>> {
  const where = listed(deleted);
  const read = () =>
    readVisible(
      services,
      entity,
      args,
      (slice) => list(slice, where),
      () => count(where),
    );
  if (!deleted || may(services.viewer, 'readDeleted')) return read();
  reach(services.viewer, entity);
  return noPage(args);
}

export function listSubjects(services: Services, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  const kept = { withdrawnAt: null };
  return readListed(
    services,
    'Subject',
    deleted,
    args,
    (slice, where) => prisma.subject.findMany(newest(slice, { ...where, ...kept })),
    (where) => prisma.subject.count({ where: { ...where, ...kept } }),
  );
}

/** The subject of a label in any of its spellings, or null. */
export async function findSubject(services: Services, label: string): Promise<Subject | null> {
  if (reach(services.viewer, 'Subject') === 'NONE') return null;
  const where = { label: canonicalLabel(label, 'label'), withdrawnAt: null, ...seen(services) };
  return services.store.prisma.subject.findUnique({ where });
}

export function listSessions(services: Services, subjectId: string, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  return readListed(
    services,
    'FmriSession',
    deleted,
    args,
    (slice, where) => prisma.fmriSession.findMany(newest(slice, { subjectId, ...where })),
    (where) => prisma.fmriSession.count({ where: { subjectId, ...where } }),
  );
}

export function listTrials(
  services: Services,
  filter: { sessionId: string; stimulus?: string | null | undefined },
  args: PageArguments,
) {
  const { prisma } = services.store;
  const { sessionId, stimulus } = filter;
  const where = { sessionId, ...(stimulus != null ? { stimulus } : {}) };
  return readVisible(
    services,
    'Trial',
    args,
    async ({ take, beside }) => {
      const at = beside && (await prisma.trial.findFirst({ where: { id: beside, sessionId } }));
      if (beside && !at) throw badCursor(take > 0 ? 'after' : 'before');
      const beyond = at ? { index: take > 0 ? { gt: at.index } : { lt: at.index } } : {};
      return prisma.trial.findMany({ take, where: { ...where, ...beyond }, orderBy: { index: 'asc' } });
    },
    () => prisma.trial.count({ where }),
  );
}

export function listImages(services: Services, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  return readListed(
    services,
    'SourceImage',
    deleted,
    args,
    (slice, where) => prisma.sourceImage.findMany(newest(slice, where)),
    (where) => prisma.sourceImage.count({ where }),
  );
}

export function listMasks(services: Services, imageId: string, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  return readListed(
    services,
    'Mask',
    deleted,
    args,
    (slice, where) => prisma.mask.findMany(newest(slice, { imageId, ...where })),
    (where) => prisma.mask.count({ where: { imageId, ...where } }),
  );
}

export function listModels(services: Services, deleted: boolean, args: PageArguments) {
  const { prisma } = services.store;
  const kept = { withdrawnAt: null };
  return readListed(
    services,
    'Model',
    deleted,
    args,
    (slice, where) => prisma.model.findMany(newest(slice, { ...where, ...kept })),
    (where) => prisma.model.count({ where: { ...where, ...kept } }),
  );
}

/** A count that stops here: beyond it a list says that there are more, without walking a million rows. */
const MAX_COUNT = 10_000;

const FROM_NEWEST = readSql('list-paint-jobs');
const FROM_OLDEST = FROM_NEWEST.replace('id < $3', 'id > $3').replace('id DESC', 'id ASC');

export function listPaintJobs(
  services: Services,
  filter: { readonly state?: PaintJobState | undefined; readonly batchId?: string | undefined },
  args: PageArguments,
) {
  const { prisma, pool } = services.store;
  const { state, batchId } = filter;
  const where = { withdrawnAt: null, ...(state ? { state } : {}), ...(batchId ? { batchId } : {}) };
  return readVisible(
    services,
    'PaintJob',
    args,
    // By SQL of its own: the platform's most read list, where Prisma took half of the time (bench/results.md).
    async ({ take, beside }) => {
      const values = [state, batchId, beside, Math.abs(take)];
      const { rows } = await pool.query<{ jobs: PaintJob[] }>(take < 0 ? FROM_OLDEST : FROM_NEWEST, values);
      const { jobs } = rows[0]!;
      withDates(jobs, ['createdAt', 'startedAt', 'finishedAt', 'startDeadline']);
      for (const job of jobs) job.seed = BigInt(job.seed);
      return take < 0 ? jobs.reverse() : jobs;
    },
    async () => {
      const count = await prisma.paintJob.count({ where, take: MAX_COUNT + 1 });
      return count > MAX_COUNT ? null : count;
    },
  );
}

/** Devices by host and slot. */
export async function listDevices({ store, viewer }: Services, first: number): Promise<Device[]> {
  if (reach(viewer, 'Device') === 'NONE') return [];
  if (first < 1 || first > 100)
    throw new AppError('BAD_INPUT', `first must be from 1 to 100, it is ${first}`, { field: 'first' });
  return store.prisma.device.findMany({ orderBy: [{ host: 'asc' }, { slot: 'asc' }], take: first });
}

export function listStimuli(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'Stimulus',
    args,
    (slice) => prisma.stimulus.findMany(newest(slice, {})),
    () => prisma.stimulus.count(),
  );
}

export function listTrainingRuns(
  services: Services,
  state: TrainingRunState | null | undefined,
  args: PageArguments,
) {
  const { prisma } = services.store;
  const where = { subject: { withdrawnAt: null }, ...(state ? { state } : {}) };
  return readVisible(
    services,
    'TrainingRun',
    args,
    (slice) => prisma.trainingRun.findMany(newest(slice, where)),
    () => prisma.trainingRun.count({ where }),
  );
}

/** The curves of a run, all or of one stage or name, in the order of stage, name and step. */
export async function listTrainingPoints(
  { store, viewer }: Services,
  runId: string,
  filter: { stage?: string | null | undefined; name?: string | null | undefined },
): Promise<TrainingRunPoint[]> {
  if (reach(viewer, 'TrainingRun') === 'NONE') return [];
  const { stage, name } = filter;
  return store.prisma.trainingRunPoint.findMany({
    where: { runId, ...(stage != null ? { stage } : {}), ...(name != null ? { name } : {}) },
    orderBy: [{ stage: 'asc' }, { name: 'asc' }, { step: 'asc' }],
  });
}
