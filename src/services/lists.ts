// The lists that can be read, page by page, from the newest; trials in their matrix's order.

import { AppError } from '../errors.js';
import { canonicalLabel } from '../fmri/labels.js';
import type {
  Device,
  PaintJobState,
  Subject,
  TrainingRunPoint,
  TrainingRunState,
} from '../generated/prisma/client.js';
import { type Entity, reach } from './access.js';
import type { Services } from './context.js';
import { badCursor, newest, type Page, type PageArguments, readPage, type Slice } from './pages.js';

/** A page of what the viewer may read; of a type that does not exist for them, an empty one. */
export function readVisible<Row extends { id: string }>(
  { viewer }: Services,
  entity: Entity,
  args: PageArguments,
  list: (slice: Slice) => Promise<Row[]>,
  count: () => Promise<number | null>,
): Promise<Page<Row>> {
  if (reach(viewer, entity) !== 'NONE') return readPage(args, list, count);
  return readPage<Row>(
    args,
    async () => [],
    async () => 0,
  );
}

export function listSubjects(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'Subject',
    args,
    (slice) => prisma.subject.findMany(newest(slice, { withdrawnAt: null })),
    () => prisma.subject.count({ where: { withdrawnAt: null } }),
  );
}

/** The subject of a label in any of its spellings, or null. */
export async function findSubject({ store, viewer }: Services, label: string): Promise<Subject | null> {
  if (reach(viewer, 'Subject') === 'NONE') return null;
  const where = { label: canonicalLabel(label, 'label'), withdrawnAt: null };
  return store.prisma.subject.findUnique({ where });
}

export function listSessions(services: Services, subjectId: string, args: PageArguments) {
  const { prisma } = services.store;
  const where = { subjectId };
  return readVisible(
    services,
    'FmriSession',
    args,
    (slice) => prisma.fmriSession.findMany(newest(slice, where)),
    () => prisma.fmriSession.count({ where }),
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

export function listImages(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'SourceImage',
    args,
    (slice) => prisma.sourceImage.findMany(newest(slice, {})),
    () => prisma.sourceImage.count(),
  );
}

export function listModels(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'Model',
    args,
    (slice) => prisma.model.findMany(newest(slice, { withdrawnAt: null })),
    () => prisma.model.count({ where: { withdrawnAt: null } }),
  );
}

/** A count that stops here: beyond it a list says that there are more, without walking a million rows. */
const MAX_COUNT = 10_000;

export function listPaintJobs(
  services: Services,
  filter: { readonly state?: PaintJobState | undefined; readonly batchId?: string | undefined },
  args: PageArguments,
) {
  const { prisma } = services.store;
  const { state, batchId } = filter;
  const where = { withdrawnAt: null, ...(state ? { state } : {}), ...(batchId ? { batchId } : {}) };
  return readVisible(
    services,
    'PaintJob',
    args,
    (slice) => prisma.paintJob.findMany(newest(slice, where)),
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
