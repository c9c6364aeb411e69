// Pages of lists as the Relay connection specification has them. Rows are ordered by their time-ordered ids, and a page begins
// behind its cursor's id, whether or not the row of that id is still in the list: what comes and goes moves no other row.

import { AppError } from '../errors.js';

const MAX_PAGE = 100;

export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** What of a list a page holds: how many rows (from the end if negative), from which one on. */
export interface Slice {
  readonly take: number;
  /** Id of the row before, or after, the page. */
  readonly beside: string | undefined;
}

/** Prisma's arguments of a slice of a list from the newest. */
export function newest<Where extends object>({ take, beside }: Slice, where: Where) {
  const beyond = beside === undefined ? [] : [{ id: take > 0 ? { lt: beside } : { gt: beside } }];
  return { take, orderBy: { id: 'desc' as const }, where: { AND: [where, ...beyond] } };
}

/** Of a cursor that cannot be of this list. */
export const badCursor = (field: string) =>
  new AppError('BAD_INPUT', 'this cursor is none of ours', { field });

export interface Page<Row> {
  readonly nodes: Row[];
  readonly edges: { readonly cursor: string; readonly node: Row }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly totalCount: number;
}

const encodeCursor = (id: string) => Buffer.from(id).toString('base64url');

function decodeCursor(cursor: string, field: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw badCursor(field);
}

function sliceOf({ first, after, last, before }: PageArguments): Slice {
  if ((first == null) === (last == null))
    throw new AppError('BAD_INPUT', 'give either first or last', { field: 'first' });
  const [count, field] = first != null ? [first, 'first'] : [last!, 'last'];
  if (count < 1 || count > MAX_PAGE)
    throw new AppError('BAD_INPUT', `${field} must be from 1 to ${MAX_PAGE}, it is ${count}`, { field });
  if (first != null ? before != null : after != null)
    throw new AppError('BAD_INPUT', 'after goes with first, before with last', { field });
  const [cursor, name] = first != null ? [after, 'after'] : [before, 'before'];
  const beside = cursor != null ? decodeCursor(cursor, name) : undefined;
  return { take: (first != null ? 1 : -1) * (count + 1), beside };
}

/** Reads one row more than asked for, to know whether another page follows. */
export async function readPage<Row extends { id: string }>(
  args: PageArguments,
  list: (slice: Slice) => Promise<Row[]>,
  count: () => Promise<number | null>,
): Promise<Page<Row>> {
  return toPage(args, await list(sliceOf(args)), count);
}

/** How many rows a page without a cursor reads, one more than asked for, and from which end. */
export function edgeOf(args: PageArguments): { readonly take: number; readonly forward: boolean } {
  const { take } = sliceOf(args);
  return { take: Math.abs(take), forward: take > 0 };
}

/** A page of rows that were read with one more than asked for, in the list's order. */
export function toPage<Row extends { id: string }>(
  args: PageArguments,
  rows: readonly Row[],
  count: () => Promise<number | null>,
): Page<Row> {
  const wanted = (args.first ?? args.last)!;
  const more = rows.length > wanted;
  const forward = args.first != null;
  const nodes = forward ? rows.slice(0, wanted) : rows.slice(more ? 1 : 0);
  const [start, end] = [nodes[0], nodes.at(-1)];
  return {
    nodes,
    // Made when they are asked for: most read the nodes.
    get edges() {
      return nodes.map((node) => ({ cursor: encodeCursor(node.id), node }));
    },
    pageInfo: {
      hasNextPage: forward ? more : args.before != null,
      hasPreviousPage: forward ? args.after != null : more,
      startCursor: start ? encodeCursor(start.id) : null,
      endCursor: end ? encodeCursor(end.id) : null,
    },
    // A function that GraphQL calls only when the field is asked for: counting is a statement of its own.
    totalCount: count as unknown as number,
  };
}
