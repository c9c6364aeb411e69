// Applies prisma/migrations at start, compatible with Prisma's own table `_prisma_migrations`, without its engine.

import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { AppError } from '../errors.js';

/** Prisma's own advisory lock, so that its tools and ours exclude each other. */
const LOCK = 72707369;

const TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL,
  logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`;

interface Applied {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 30_000 });
  // A connection that breaks between two statements is reported by the next statement.
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (cause) {
    const { hostname, port, pathname } = new URL(url);
    const reason = (cause as Error).message || (cause as NodeJS.ErrnoException).code;
    throw new AppError(
      'UNAVAILABLE',
      `cannot open the database ${pathname.slice(1)} at ${hostname}:${port || 5432}: ${reason}`,
      { field: 'DATABASE_URL', cause },
    );
  }
}

/** Brings a database up to date and returns the names of what was applied. Refuses edited, failed and unknown migrations. */
export async function migrate(url: string, folder: string): Promise<string[]> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .sort();
  const client = await connect(url);
  const applied: string[] = [];
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(TABLE);
    const known = await client.query<Applied>(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const byName = new Map(known.rows.map((row) => [row.migration_name, row]));
    for (const row of known.rows) {
      if (!names.includes(row.migration_name)) {
        throw new AppError(
          'CONFLICT',
          `the database has migration ${row.migration_name}, which this version does not know; use a newer version`,
        );
      }
    }
    for (const name of names) {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8').catch((cause) => {
        throw new AppError('CONFLICT', `migration ${name} has no file migration.sql; restore it`, { cause });
      });
      const checksum = createHash('sha256').update(sql).digest('hex');
      const before = byName.get(name);
      if (before) {
        if (!before.finished_at)
          throw new AppError('CONFLICT', `migration ${name} failed before; mend the database first`);
        if (before.checksum !== checksum)
          throw new AppError('CONFLICT', `migration ${name} was edited after it was applied`);
        continue;
      }
      await client.query('BEGIN');
      try {
        await client.query(sql);
        await client.query(
          'INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)',
          [randomUUID(), checksum, name],
        );
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
      }
      applied.push(name);
    }
  } finally {
    await client.end();
  }
  return applied;
}
