// The lists that can be read, page by page, from the newest; trials in their matrix's order.

import { canonicalLabel } from '../fmri/labels.js';
import type { PaintJobState, Subject } from '../generated/prisma/client.js';
import { type Entity, reach } from './access.js';
import type { Services } from './context.js';
import { type Page, type PageArguments, readPage, type Slice } from './pages.js';

const newest = { orderBy: { id: 'desc' } } as const;

/** A page of what the viewer may read; of a type that does not exist for them, an empty one. */
export function readVisible<Row extends { id: string }>(
  { viewer }: Services,
  entity: Entity,
  args: PageArguments,
  list: (slice: Slice) => Promise<Row[]>,
  count: () => Promise<number>,
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
    (slice) => prisma.subject.findMany({ ...slice, ...newest }),
    () => prisma.subject.count(),
  );
}

/** The subject of a label in any of its spellings, or null. */
export async function findSubject({ store, viewer }: Services, label: string): Promise<Subject | null> {
  if (reach(viewer, 'Subject') === 'NONE') return null;
  return store.prisma.subject.findUnique({ where: { label: canonicalLabel(label, 'label') } });
}

export function listSessions(services: Services, subjectId: string, args: PageArguments) {
  const { prisma } = services.store;
  const where = { subjectId };
  return readVisible(
    services,
    'FmriSession',
    args,
    (slice) => prisma.fmriSession.findMany({ ...slice, ...newest, where }),
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
    (slice) => prisma.trial.findMany({ ...slice, where, orderBy: { index: 'asc' } }),
    () => prisma.trial.count({ where }),
  );
}

export function listImages(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'SourceImage',
    args,
    (slice) => prisma.sourceImage.findMany({ ...slice, ...newest }),
    () => prisma.sourceImage.count(),
  );
}

export function listModels(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  return readVisible(
    services,
    'Model',
    args,
    (slice) => prisma.model.findMany({ ...slice, ...newest }),
    () => prisma.model.count(),
  );
}

export function listPaintJobs(
  services: Services,
  state: PaintJobState | null | undefined,
  args: PageArguments,
) {
  const { prisma } = services.store;
  const where = state ? { state } : {};
  return readVisible(
    services,
    'PaintJob',
    args,
    (slice) => prisma.paintJob.findMany({ ...slice, ...newest, where }),
    () => prisma.paintJob.count({ where }),
  );
}
