// Deleting, with a reason, and restoring. A deleted row is listed no more and taken for no new work; what came of it stays
// readable, and its blobs stay. (A person who withdraws takes all of it along, for good: withdrawals.ts.)

import { AppError } from '../errors.js';
import type { Benchmark, Study } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { readSql } from '../store/sql.js';
import { authorize } from './access.js';
import type { Services } from './context.js';
import { checkText, type Editable, editRow, type RowOf } from './edits.js';

const USES = readSql('uses');

interface Use {
  readonly noun: string;
  readonly type: string;
  readonly id: string;
  readonly detail: string;
  readonly total: number;
}

const refuse = (message: string) => new AppError('CONFLICT', message, { field: 'id' });

/** Throws AppError CONFLICT that says by what a thing is used. */
async function refuseUsed(tx: Transaction, type: Editable, row: RowOf<Editable>): Promise<void> {
  if (type === 'Benchmark' && (row as Benchmark).frozenAt)
    throw refuse('the benchmark is frozen: studies rest on it');
  if (type === 'Study' && (row as Study).openedAt)
    throw refuse(`the study is ${(row as Study).state}: only one that was never opened can be deleted`);
  const uses = await tx.$queryRawUnsafe<Use[]>(USES, type, row.id);
  const [first] = uses;
  if (!first) return;
  const named = uses.map((use) => `${use.noun} ${use.type}_${use.id} (${use.detail})`).join(', ');
  const rest = first.total > uses.length ? ` and ${first.total - uses.length} more` : '';
  throw refuse(`it is in use by ${named}${rest}`);
}

export interface Deletion {
  readonly type: Editable;
  readonly id: string;
  readonly expectedVersion: number;
}

/** Throws AppError BAD_INPUT, NOT_FOUND, or CONFLICT: changed meanwhile, or in use by what the message names. */
export function deleteRow(services: Services, deletion: Deletion, reason: string): Promise<RowOf<Editable>> {
  const { viewer } = services;
  authorize(viewer, 'delete');
  const deletedReason = checkText(reason, 'reason', 500, 1);
  return editRow(services, { action: 'delete', ...deletion }, async (tx, before) => {
    await refuseUsed(tx, deletion.type, before);
    return { deletedAt: new Date(), deletedReason, deletedById: viewer.userId };
  });
}

/** Throws AppError NOT_FOUND, or CONFLICT: changed meanwhile, or not deleted. */
export function restoreRow(services: Services, deletion: Deletion): Promise<RowOf<Editable>> {
  authorize(services.viewer, 'restore');
  return editRow(services, { action: 'restore', deleted: true, ...deletion }, async () => ({
    deletedAt: null,
    deletedReason: null,
    deletedById: null,
  }));
}

const PARTS = {
  Subject: 'subject',
  FmriSession: 'fmri_session',
  SourceImage: 'source_image',
  Mask: 'mask',
  Model: 'model',
} as const;
export type PartIds = Partial<Readonly<Record<keyof typeof PARTS, readonly string[]>>>;

/**
 * Keeps the parts of new work from being deleted until the transaction ends. Throws AppError CONFLICT on `field` that names
 * one which was deleted. `query` runs a statement in that transaction.
 */
export async function holdParts(
  query: (sql: string, ids: readonly string[]) => Promise<readonly { id: string }[]>,
  parts: PartIds,
  field: string,
): Promise<void> {
  for (const type of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
    const ids = [...new Set(parts[type])];
    if (ids.length === 0) continue;
    // Materialized, or Postgres would look for deleted ones first and lock none of the others.
    const [gone] = await query(
      `WITH part AS MATERIALIZED (
         SELECT id, deleted_at FROM ${PARTS[type]} WHERE id = ANY ($1::uuid[]) ORDER BY id FOR SHARE
       )
       SELECT id FROM part WHERE deleted_at IS NOT NULL LIMIT 1`,
      ids,
    );
    if (gone) throw new AppError('CONFLICT', `${type}_${gone.id} was deleted; restore it first`, { field });
  }
}
