// Changes of rows that people edit, delete and restore: made to the version that was looked at, one after another, and audited.

import { AppError } from '../errors.js';
import type {
  Benchmark,
  FmriSession,
  Mask,
  Model,
  SourceImage,
  Study,
  Subject,
} from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { type Action, may } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';

interface Rows {
  readonly Subject: Subject;
  readonly FmriSession: FmriSession;
  readonly SourceImage: SourceImage;
  readonly Mask: Mask;
  readonly Model: Model;
  readonly Benchmark: Benchmark;
  readonly Study: Study;
}
export type Editable = keyof Rows;
export type RowOf<T extends Editable> = Rows[T];

interface Kind {
  readonly table: string;
  /** What a person would call it. */
  readonly noun: string;
  /** Counts its changes. */
  readonly counter: 'version' | 'revision';
  /** What keeps a row from being withdrawn. */
  readonly kept: object;
}
const withdrawnAt = null;
const KINDS: Readonly<Record<Editable, Kind>> = {
  Subject: { table: 'subject', noun: 'subject', counter: 'version', kept: { withdrawnAt } },
  FmriSession: {
    table: 'fmri_session',
    noun: 'session',
    counter: 'version',
    kept: { subject: { withdrawnAt } },
  },
  SourceImage: { table: 'source_image', noun: 'image', counter: 'version', kept: {} },
  Mask: { table: 'mask', noun: 'mask', counter: 'version', kept: {} },
  Model: { table: 'model', noun: 'model', counter: 'version', kept: { withdrawnAt } },
  Benchmark: { table: 'benchmark', noun: 'benchmark', counter: 'version', kept: {} },
  // Its version is its protocol's.
  Study: { table: 'study', noun: 'study', counter: 'revision', kept: {} },
};

/** Prisma's delegates, as far as they are used here. */
interface Delegate<Row> {
  findFirst(args: { where: object }): Promise<Row | null>;
  update(args: { where: { id: string }; data: object }): Promise<Row>;
}
function delegateOf<T extends Editable>(tx: Transaction, type: T): Delegate<Rows[T]> {
  const name = `${type[0]!.toLowerCase()}${type.slice(1)}` as 'subject';
  return tx[name] as unknown as Delegate<Rows[T]>;
}

/** Said where a change was decided by a version that is no more. */
export const stale = (what: string, version: number, expected: number) =>
  new AppError('CONFLICT', `the ${what} was changed meanwhile: it has version ${version}, not ${expected}`, {
    field: 'expectedVersion',
    currentVersion: version,
  });

/** Of a list: what is there or, by itself and for those who may read it, what was deleted. */
export const listed = (deleted: boolean) => ({ deletedAt: deleted ? { not: null } : null });
/** Of one row by its id or name: what is there, for those who may read it also what was deleted. */
export const seen = ({ viewer }: Services) => (may(viewer, 'readDeleted') ? {} : listed(false));

/** Said where something would be made anew that is still there, deleted. */
export const wasDeleted = (type: Editable, id: string, field: string) =>
  new AppError('CONFLICT', `this ${KINDS[type].noun} was deleted; restore ${type}_${id} to use it again`, {
    field,
  });

export interface Edit<T extends Editable> {
  readonly action: Action;
  readonly type: T;
  readonly id: string;
  readonly expectedVersion: number;
  /** Whether it is about something that was deleted. */
  readonly deleted?: boolean;
}

/** The part of a row that a change was about. Of a study's row the rest would tell its arms. */
const part = (row: object, keys: readonly string[]) =>
  Object.fromEntries(Object.entries(row).filter(([key]) => keys.includes(key)));

/**
 * Changes a row as `change` says, with the row locked: what else needs it comes before or after. Throws AppError NOT_FOUND;
 * CONFLICT, with the current version, for another version than the expected one; and what `change` throws.
 */
export async function editRow<T extends Editable>(
  { store, viewer }: Services,
  { action, type, id, expectedVersion, deleted = false }: Edit<T>,
  change: (tx: Transaction, before: Rows[T]) => Promise<object>,
): Promise<Rows[T]> {
  const { table, noun, counter, kept } = KINDS[type];
  return store.prisma.$transaction(async (tx) => {
    const rows = delegateOf(tx, type);
    await tx.$queryRawUnsafe(`SELECT id FROM ${table} WHERE id = $1::uuid FOR UPDATE`, id);
    const before = await rows.findFirst({ where: { id, ...kept } });
    if (!before || (before.deletedAt && !deleted))
      throw new AppError('NOT_FOUND', `no such ${noun}`, { field: 'id' });
    if (!before.deletedAt && deleted)
      throw new AppError('CONFLICT', `this ${noun} is not deleted`, { field: 'id' });
    const version = (before as Readonly<Record<'version' | 'revision', number>>)[counter];
    if (version !== expectedVersion) throw stale(noun, version, expectedVersion);
    const data = await change(tx, before);
    const after = await rows.update({ where: { id }, data: { ...data, [counter]: version + 1 } });
    const keys = [...Object.keys(data), counter];
    await audit(tx, viewer, { action, type, id, before: part(before, keys), after: part(after, keys) });
    return after;
  });
}

/** Text that a person writes about something, as it is stored. Throws AppError BAD_INPUT on `field`. */
export function checkText(text: string, field: string, maxLength: number, minLength = 0): string {
  const trimmed = text.trim();
  if (trimmed.length >= minLength && trimmed.length <= maxLength) return trimmed;
  throw new AppError('BAD_INPUT', `give ${minLength} to ${maxLength} characters`, { field });
}

export const MAX_NOTES = 5000;

/** A change of name and notes: what is absent stays. */
export interface Naming {
  readonly id: string;
  readonly expectedVersion: number;
  readonly name?: string | null | undefined;
  readonly notes?: string | null | undefined;
}

/** What it changes, checked: a name of `minLength` to 200 characters, notes of up to 5,000. Throws AppError BAD_INPUT. */
export function namingOf({ name, notes }: Naming, minLength: number, maxLength = 200) {
  return {
    ...(name == null ? {} : { name: checkText(name, 'name', maxLength, minLength) }),
    ...(notes == null ? {} : { notes: checkText(notes, 'notes', MAX_NOTES) }),
  };
}
