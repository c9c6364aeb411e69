// The lists that can be read, page by page, from the newest; trials in their matrix's order.

import { AppError } from '../errors.js';
import { canonicalLabel } from '../fmri/labels.js';
import type { PaintJobState, TrainingRunState } from '../generated/prisma/client.js';
import type { Services } from './context.js';
import { type PageArguments, readPage } from './pages.js';

const newest = { orderBy: { id: 'desc' } } as const;

export function listSubjects({ store: { prisma } }: Services, args: PageArguments) {
  return readPage(
    args,
    (slice) => prisma.subject.findMany({ ...slice, ...newest, where: { withdrawnAt: null } }),
    () => prisma.subject.count({ where: { withdrawnAt: null } }),
  );
}

/** The subject of a label in any of its spellings, or null. */
export function findSubject({ store: { prisma } }: Services, label: string) {
  return prisma.subject.findUnique({ where: { label: canonicalLabel(label, 'label'), withdrawnAt: null } });
}

export function listSessions({ store: { prisma } }: Services, subjectId: string, args: PageArguments) {
  const where = { subjectId };
  return readPage(
    args,
    (slice) => prisma.fmriSession.findMany({ ...slice, ...newest, where }),
    () => prisma.fmriSession.count({ where }),
  );
}

export function listTrials(
  { store: { prisma } }: Services,
  filter: { sessionId: string; stimulus?: string | null | undefined },
  args: PageArguments,
) {
  const { sessionId, stimulus } = filter;
  const where = { sessionId, ...(stimulus != null ? { stimulus } : {}) };
  return readPage(
    args,
    (slice) => prisma.trial.findMany({ ...slice, where, orderBy: { index: 'asc' } }),
    () => prisma.trial.count({ where }),
  );
}

export function listImages({ store: { prisma } }: Services, args: PageArguments) {
  return readPage(
    args,
    (slice) => prisma.sourceImage.findMany({ ...slice, ...newest }),
    () => prisma.sourceImage.count(),
  );
}

export function listModels({ store: { prisma } }: Services, args: PageArguments) {
  return readPage(
    args,
    (slice) => prisma.model.findMany({ ...slice, ...newest, where: { withdrawnAt: null } }),
    () => prisma.model.count({ where: { withdrawnAt: null } }),
  );
}

/** A count that stops here: beyond it a list says that there are more, without walking a million rows. */
const MAX_COUNT = 10_000;

export function listPaintJobs(
  { store: { prisma } }: Services,
  filter: { readonly state?: PaintJobState | undefined; readonly batchId?: string | undefined },
  args: PageArguments,
) {
  const { state, batchId } = filter;
  const where = { withdrawnAt: null, ...(state ? { state } : {}), ...(batchId ? { batchId } : {}) };
  return readPage(
    args,
    (slice) => prisma.paintJob.findMany({ ...slice, ...newest, where }),
    async () => {
      const count = await prisma.paintJob.count({ where, take: MAX_COUNT + 1 });
      return count > MAX_COUNT ? null : count;
    },
  );
}

/** Devices by host and slot. */
export function listDevices({ store: { prisma } }: Services, first: number) {
  if (first < 0 || first > 100)
    throw new AppError('BAD_INPUT', `first must be from 0 to 100, it is ${first}`, { field: 'first' });
  return prisma.device.findMany({ orderBy: [{ host: 'asc' }, { slot: 'asc' }], take: first });
}

export function listStimuli({ store: { prisma } }: Services, args: PageArguments) {
  return readPage(
    args,
    (slice) => prisma.stimulus.findMany({ ...slice, ...newest }),
    () => prisma.stimulus.count(),
  );
}

export function listTrainingRuns(
  { store: { prisma } }: Services,
  state: TrainingRunState | null | undefined,
  args: PageArguments,
) {
  const where = { subject: { withdrawnAt: null }, ...(state ? { state } : {}) };
  return readPage(
    args,
    (slice) => prisma.trainingRun.findMany({ ...slice, ...newest, where }),
    () => prisma.trainingRun.count({ where }),
  );
}

/** The curves of a run, all or of one stage or name, in the order of stage, name and step. */
export function listTrainingPoints(
  { store: { prisma } }: Services,
  runId: string,
  filter: { stage?: string | null | undefined; name?: string | null | undefined },
) {
  const { stage, name } = filter;
  return prisma.trainingRunPoint.findMany({
    where: { runId, ...(stage != null ? { stage } : {}), ...(name != null ? { name } : {}) },
    orderBy: [{ stage: 'asc' }, { name: 'asc' }, { step: 'asc' }],
  });
}
