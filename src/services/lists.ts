// The lists that can be read, page by page, from the newest; trials in their matrix's order.

import { canonicalLabel } from '../fmri/labels.js';
import type { PaintJobState, TrainingRunState } from '../generated/prisma/client.js';
import type { Services } from './context.js';
import { type PageArguments, readPage } from './pages.js';

const newest = { orderBy: { id: 'desc' } } as const;

export function listSubjects({ store: { prisma } }: Services, args: PageArguments) {
  return readPage(
    args,
    (slice) => prisma.subject.findMany({ ...slice, ...newest }),
    () => prisma.subject.count(),
  );
}

/** The subject of a label in any of its spellings, or null. */
export function findSubject({ store: { prisma } }: Services, label: string) {
  return prisma.subject.findUnique({ where: { label: canonicalLabel(label, 'label') } });
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
    (slice) => prisma.model.findMany({ ...slice, ...newest }),
    () => prisma.model.count(),
  );
}

export function listPaintJobs(
  { store: { prisma } }: Services,
  state: PaintJobState | null | undefined,
  args: PageArguments,
) {
  const where = state ? { state } : {};
  return readPage(
    args,
    (slice) => prisma.paintJob.findMany({ ...slice, ...newest, where }),
    () => prisma.paintJob.count({ where }),
  );
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
  const where = state ? { state } : {};
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
