// Things by their id, as the viewer may see them. Loaders give out what was deleted too, since what came of it shows it; asked
// for by its id, it is there for admins only, and so is what belongs to it.

import { may } from '../services/access.js';
import type { ApiContext } from './context.js';
import { parseId } from './ids.js';
import type { Loaders, NodeType } from './loaders.js';

type Row<T extends NodeType> = NonNullable<Awaited<ReturnType<Loaders[T]['load']>>>;
interface AnyRow {
  readonly id: string;
  readonly deletedAt?: Date | null;
}

/** What each belongs to, and the field that names it. */
const OWNERS: Partial<Readonly<Record<NodeType, readonly [NodeType, string]>>> = {
  FmriSession: ['Subject', 'subjectId'],
  Trial: ['FmriSession', 'sessionId'],
  Mask: ['SourceImage', 'imageId'],
};

async function isDeleted(loaders: Loaders, type: NodeType, row: AnyRow): Promise<boolean> {
  if (row.deletedAt) return true;
  const [owner, field] = OWNERS[type] ?? [];
  if (!owner || !field) return false;
  const owning: AnyRow | null = await loaders[owner].load((row as unknown as Record<string, string>)[field]!);
  return owning === null || isDeleted(loaders, owner, owning);
}

/** The row of an id, with the name of its type, which interfaces are resolved by; null where there is none of `type` to see. */
export async function findNode<T extends NodeType>(
  { loaders, viewer }: ApiContext,
  id: string,
  type?: T,
): Promise<(Row<T> & { readonly __typename: T }) | null> {
  const parsed = parseId(id);
  if (!parsed || (type && parsed.type !== type)) return null;
  const row: AnyRow | null = await loaders[parsed.type].load(parsed.key);
  if (!row || (!may(viewer, 'readDeleted') && (await isDeleted(loaders, parsed.type, row)))) return null;
  return { ...(row as Row<T>), __typename: parsed.type as T };
}
