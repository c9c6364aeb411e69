// Pages within pages: the first pages of the lists of many parents, read with two statements and counted with one. Nothing is
// kept between batches.

import DataLoader from 'dataloader';
import { edgeOf, type Page, type PageArguments, toPage } from '../services/pages.js';
import type { Store } from '../store/client.js';

interface Lists<Row, Filter> {
  /** Keys of each parent's first `take` rows from one end, in the list's order; FILTER is $3, or null. */
  readonly sql: (direction: 'ASC' | 'DESC') => string;
  readonly rows: (ids: string[]) => Promise<Row[]>;
  readonly count: (parents: string[], filter: Filter) => Promise<ReadonlyMap<string, number>>;
}

/** Reads pages without a cursor; those of one request with the same arguments and filter share their statements. */
function pageLoader<Row extends { id: string }, Filter extends string | null>(
  { pool }: Store,
  order: { readonly forward: 'ASC' | 'DESC'; readonly backward: 'ASC' | 'DESC' },
  lists: Lists<Row, Filter>,
): (parent: string, filter: Filter, args: PageArguments) => Promise<Page<Row>> {
  const pages = new Map<string, DataLoader<string, Row[]>>();
  const counts = new Map<string, DataLoader<string, number>>();
  const among = <V>(
    loaders: Map<string, DataLoader<string, V>>,
    key: string,
    load: (ids: string[]) => Promise<V[]>,
  ) => {
    const loader = loaders.get(key) ?? new DataLoader<string, V>((ids) => load([...ids]), { cache: false });
    loaders.set(key, loader);
    return loader;
  };
  return async (parent, filter, args) => {
    const { take, forward } = edgeOf(args);
    const rows = await among(pages, JSON.stringify([take, forward, filter]), async (parents) => {
      const sql = lists.sql(forward ? order.forward : order.backward);
      const found = await pool.query<{ parent: string; id: string }>(sql, [parents, take, filter]);
      const byId = new Map((await lists.rows(found.rows.map(({ id }) => id))).map((row) => [row.id, row]));
      const listed = new Map<string, Row[]>(parents.map((key) => [key, []]));
      for (const { parent: key, id } of found.rows) if (byId.has(id)) listed.get(key)!.push(byId.get(id)!);
      return parents.map((key) => (forward ? listed.get(key)! : listed.get(key)!.reverse()));
    }).load(parent);
    return toPage(args, rows, () =>
      among(counts, JSON.stringify(filter), async (parents) => {
        const known = await lists.count(parents, filter);
        return parents.map((key) => known.get(key) ?? 0);
      }).load(parent),
    );
  };
}

const lateral = (inner: string) =>
  `SELECT p.id AS parent, c.id FROM unnest($1::uuid[]) WITH ORDINALITY AS p(id, place)
   CROSS JOIN LATERAL (${inner}) c ORDER BY p.place, c.place`;

const NEWEST = { forward: 'DESC', backward: 'ASC' } as const;

export type PageLoaders = ReturnType<typeof createPageLoaders>;

export function createPageLoaders(store: Store) {
  const { prisma } = store;
  return {
    sessionsOfSubject: pageLoader(store, NEWEST, {
      sql: (direction) =>
        lateral(`SELECT id, row_number() OVER (ORDER BY id ${direction}) AS place FROM fmri_session
          WHERE subject_id = p.id AND deleted_at IS NULL AND $3::text IS NULL ORDER BY id ${direction} LIMIT $2`),
      rows: (ids) => prisma.fmriSession.findMany({ where: { id: { in: ids } } }),
      count: async (parents, _: null) => {
        const where = { subjectId: { in: parents }, deletedAt: null };
        const groups = await prisma.fmriSession.groupBy({ by: ['subjectId'], where, _count: true });
        return new Map(groups.map((group) => [group.subjectId, group._count]));
      },
    }),
    masksOfImage: pageLoader(store, NEWEST, {
      sql: (direction) =>
        lateral(`SELECT id, row_number() OVER (ORDER BY id ${direction}) AS place FROM mask
          WHERE image_id = p.id AND deleted_at IS NULL AND $3::text IS NULL ORDER BY id ${direction} LIMIT $2`),
      rows: (ids) => prisma.mask.findMany({ where: { id: { in: ids } } }),
      count: async (parents, _: null) => {
        const where = { imageId: { in: parents }, deletedAt: null };
        const groups = await prisma.mask.groupBy({ by: ['imageId'], where, _count: true });
        return new Map(groups.map((group) => [group.imageId, group._count]));
      },
    }),
    trialsOfSession: pageLoader(
      store,
      { forward: 'ASC', backward: 'DESC' },
      {
        sql: (direction) =>
          lateral(`SELECT id, row_number() OVER (ORDER BY index ${direction}) AS place FROM trial
          WHERE session_id = p.id AND ($3::text IS NULL OR stimulus = $3) ORDER BY index ${direction} LIMIT $2`),
        rows: (ids) => prisma.trial.findMany({ where: { id: { in: ids } } }),
        count: async (parents, stimulus: string | null) => {
          const where = { sessionId: { in: parents }, ...(stimulus === null ? {} : { stimulus }) };
          const groups = await prisma.trial.groupBy({ by: ['sessionId'], where, _count: true });
          return new Map(groups.map((group) => [group.sessionId, group._count]));
        },
      },
    ),
  };
}
