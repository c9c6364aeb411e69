// Batches of rows: each loader turns many reads of one request into one statement, and gives out what the viewer may read.

import DataLoader from 'dataloader';
import { reach, type Viewer } from '../services/access.js';
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

export function createLoaders({ prisma }: Store, viewer: Viewer) {
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
  return {
    Subject: nodes('Subject', (where) => prisma.subject.findMany({ where })),
    FmriSession: nodes('FmriSession', (where) => prisma.fmriSession.findMany({ where })),
    Trial: nodes('Trial', (where) => prisma.trial.findMany({ where })),
    SourceImage: nodes('SourceImage', (where) => prisma.sourceImage.findMany({ where })),
    Mask: nodes('Mask', (where) => prisma.mask.findMany({ where })),
    Model: nodes('Model', (where) => prisma.model.findMany({ where })),
    PaintJob: nodes('PaintJob', (where) => prisma.paintJob.findMany({ where })),
    Painting: nodes('Painting', (where) => prisma.painting.findMany({ where })),
    Rating: nodes('Rating', (where, own) =>
      prisma.rating.findMany({ where: own ? { ...where, raterId: userId } : where }),
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
    AuditEvent: nodes('AuditEvent', (where) => prisma.auditEvent.findMany({ where })),
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
  'Painting',
  'Rating',
  'User',
  'ApiToken',
  'RaterLink',
  'AuditEvent',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];
