// The committed migrations make what prisma/schema.prisma declares; the comparison sees what differs and leaves nothing behind.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { diffMigrations } from '../../scripts/schema-engine.js';

const MIGRATIONS = 'prisma/migrations';
const SCHEMA = 'prisma/schema.prisma';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-diff-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function schemaWith(from: string | RegExp, to: string): Promise<string> {
  const text = await readFile(SCHEMA, 'utf8');
  const path = join(folder, 'schema.prisma');
  await writeFile(path, text.replace(from, to));
  expect(await readFile(path, 'utf8')).not.toBe(text);
  return path;
}

async function databases(): Promise<string[]> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 'shadow%'");
  await client.end();
  return rows.map((row) => row.datname);
}

test('migrations and schema agree', async () => {
  expect(await diffMigrations(inject('postgresUrl'), MIGRATIONS, SCHEMA)).toBe('');
  expect(await databases()).toEqual([]);
});

test.each<[string, string | RegExp, string, RegExp]>([
  [
    'a column',
    '  stimulus   String',
    '  stimulus   String\n  onset Float?',
    /ADD COLUMN +"onset" DOUBLE PRECISION/,
  ],
  ['a type', '@default(1)', '@default(1) @db.SmallInt', /"version" SET DATA TYPE SMALLINT/],
  ['nullability', 'preset    Json?', 'preset    Json', /"preset" SET NOT NULL/],
  ['an index', '  @@index([stimulus])\n', '', /DROP INDEX "trial_stimulus_idx"/],
  ['a unique key', '  @@unique([jobId, index])\n', '', /DROP INDEX "painting_job_id_index_key"/],
  ['a state', '  ABORTED\n}', '  ABORTED\n  LATE\n}', /ALTER TYPE "PaintJobState" ADD VALUE 'LATE'/],
  ['a default', '@default(QUEUED)', '@default(FAILED)', /"state" SET DEFAULT 'FAILED'/],
])('%s that only one of them has is seen', async (_name, from, to, sql) => {
  expect(await diffMigrations(inject('postgresUrl'), MIGRATIONS, await schemaWith(from, to))).toMatch(sql);
});

test('a migration with functions runs whole; one that fails is named, and its database goes too', async () => {
  const migrations = join(folder, 'migrations');
  await cp(MIGRATIONS, migrations, { recursive: true });
  const add = async (name: string, sql: string) => {
    await cp(join(MIGRATIONS, '0001_create_core'), join(migrations, name), { recursive: true });
    await writeFile(join(migrations, name, 'migration.sql'), sql);
  };
  await add(
    '0002_add_function',
    'CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;',
  );
  expect(await diffMigrations(inject('postgresUrl'), migrations, SCHEMA)).toBe('');
  await add('0003_break', 'ALTER TABLE nowhere ADD COLUMN x int;');
  await expect(diffMigrations(inject('postgresUrl'), migrations, SCHEMA)).rejects.toThrow('0003_break');
  expect(await databases()).toEqual([]);
});
