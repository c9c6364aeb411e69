// Audit events: each write says who did what to which thing, with what stood before and after, in its own transaction.

import type { PoolClient } from 'pg';
import type { Prisma } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { prepareSql } from '../store/sql.js';
import { uuid7 } from '../store/uuid7.js';
import type { Viewer } from './access.js';

export interface AuditEntry {
  /** Name of the mutation, or of what the platform did by itself. */
  readonly action: string;
  readonly type: string;
  readonly id: string;
  /** Whole rows or what changed of them; absent where there was nothing. */
  readonly before?: object;
  readonly after?: object;
}

/** A row as JSON. Hashes of secrets stay out: an audit is read by more people than the table of credentials. */
function toJson(row: object): Prisma.InputJsonObject {
  const json = JSON.stringify(row, (key, value: unknown) => {
    if (key === 'secretHash') return undefined;
    return typeof value === 'bigint' ? Number(value) : value;
  });
  return JSON.parse(json) as Prisma.InputJsonObject;
}

/** Writes events into the transaction of the writes that they tell of: they exist when, and only when, that commits. */
export async function audit(
  tx: Transaction,
  viewer: Viewer,
  ...entries: readonly AuditEntry[]
): Promise<void> {
  const { userId, credentialId } = viewer;
  await tx.auditEvent.createMany({
    data: entries.map(({ action, type, id, before, after }) => ({
      userId,
      credentialId,
      action,
      entityType: type,
      entityId: id,
      ...(before ? { before: toJson(before) } : {}),
      ...(after ? { after: toJson(after) } : {}),
    })),
  });
}

const INSERT = prepareSql('insert-audit-events');

/** The same on a connection whose transaction is the caller's: one statement, for any number of events. */
export async function auditOn(
  client: Pick<PoolClient, 'query'>,
  viewer: Viewer,
  ...entries: readonly AuditEntry[]
): Promise<void> {
  if (entries.length === 0) return;
  const json = (row: object | undefined) => (row ? JSON.stringify(toJson(row)) : null);
  await client.query(INSERT, [
    viewer.userId,
    viewer.credentialId,
    entries.map(() => uuid7()),
    entries.map((entry) => entry.action),
    entries.map((entry) => entry.type),
    entries.map((entry) => entry.id),
    entries.map((entry) => json(entry.before)),
    entries.map((entry) => json(entry.after)),
  ]);
}
