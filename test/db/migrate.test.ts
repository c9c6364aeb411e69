// The migration runner on real databases: applied once, in order, whole; refuses what would diverge.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../src/store/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  folder = mkdtempSync(join(tmpdir(), 'mindpainter-migrations-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

function write(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("the project's own migrations apply to an empty database, and a second start applies nothing", async () => {
  cpSync('prisma/migrations', folder, { recursive: true });
  expect((await migrate(database.url, folder))[0]).toBe('0001_create_core');
  expect(await migrate(database.url, folder)).toEqual([]);
});

test('raters who were names become people, and the same names stay apart', async () => {
  cpSync('prisma/migrations', folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name >= '0006') rmSync(join(folder, name), { recursive: true });
  await migrate(database.url, folder);
  const id = (n: number) => `'00000000-0000-0000-0000-00000000000${n}'`;
  const rating = (n: number, painting: number, rater: string) =>
    `(${id(n)}, ${id(painting)}, '${rater}', 3, 1, now())`;
  await query(`
    INSERT INTO source_image (id, sha256, format, width, height, size_bytes, png_sha256, thumbnail_sha256)
      VALUES (${id(1)}, 'a', 'png', 1, 1, 1, 'a', 'a');
    INSERT INTO mask (id, image_id, sha256, png_sha256, coverage) VALUES (${id(1)}, ${id(1)}, 'a', 'a', 1);
    INSERT INTO model (id, name, hash, folder, subject_label, simulated, voxels, image_size_px, default_steps, default_guidance_scale)
      VALUES (${id(1)}, 'a', 'a', 'a', '01', true, 1, 1, 1, 1);
    INSERT INTO paint_job (id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count)
      VALUES (${id(1)}, ${id(1)}, ${id(1)}, ${id(1)}, 0, 1, 1, 2);
    INSERT INTO painting (id, job_id, index, png_sha256, thumbnail_sha256, outside_mask_different_pixels)
      VALUES (${id(1)}, ${id(1)}, 0, 'a', 'a', 0), (${id(2)}, ${id(1)}, 1, 'a', 'a', 0);
    INSERT INTO rating (id, painting_id, rater, score, revision, updated_at)
      VALUES ${rating(1, 1, 'ann')}, ${rating(2, 2, 'ann')}, ${rating(3, 1, 'bob')}, ${rating(4, 2, 'local')}`);
  cpSync('prisma/migrations', folder, { recursive: true });
  expect((await migrate(database.url, folder))[0]).toBe('0006_add_people');
  expect(
    await query(`SELECT name, role, count(rating.id)::int AS ratings FROM lab_user
                 LEFT JOIN rating ON rater_id = lab_user.id GROUP BY name, role ORDER BY name`),
  ).toEqual([
    { name: 'ann', role: 'RATER', ratings: 2 },
    { name: 'bob', role: 'RATER', ratings: 1 },
    { name: 'local', role: 'ADMIN', ratings: 1 },
  ]);
});

test('three starts at once apply each migration once', async () => {
  write('0001_a', 'CREATE TABLE a (n int); SELECT pg_sleep(0.2); INSERT INTO a VALUES (1)');
  write('0002_b', 'INSERT INTO a VALUES (2)');
  const applied = await Promise.all([1, 2, 3].map(() => migrate(database.url, folder)));
  expect(applied.flat().sort()).toEqual(['0001_a', '0002_b']);
  expect(await query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
});

test('a migration that fails leaves nothing, is named, and runs again when mended', async () => {
  write('0001_a', 'CREATE TABLE a (n int)');
  write('0002_b', 'CREATE TABLE b (n int); SELECT nonsense');
  await expect(migrate(database.url, folder)).rejects.toThrow(/0002_b.*nonsense/);
  expect(await query("SELECT to_regclass('b') AS b")).toEqual([{ b: null }]);
  expect(await query('SELECT migration_name FROM _prisma_migrations')).toEqual([
    { migration_name: '0001_a' },
  ]);
  write('0002_b', 'CREATE TABLE b (n int)');
  expect(await migrate(database.url, folder)).toEqual(['0002_b']);
});

test('an edited migration is refused, and later ones are not applied', async () => {
  write('0001_a', 'CREATE TABLE a (n int)');
  await migrate(database.url, folder);
  write('0001_a', 'CREATE TABLE a (n bigint)');
  write('0002_b', 'CREATE TABLE b (n int)');
  await expect(migrate(database.url, folder)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await query("SELECT to_regclass('b') AS b")).toEqual([{ b: null }]);
});

test('a database of a newer version is refused', async () => {
  write('0001_a', 'CREATE TABLE a (n int)');
  write('0002_b', 'CREATE TABLE b (n int)');
  await migrate(database.url, folder);
  rmSync(join(folder, '0002_b'), { recursive: true });
  await expect(migrate(database.url, folder)).rejects.toThrow('0002_b');
});

test("a migration that Prisma's own tools left unfinished is refused", async () => {
  write('0001_a', 'CREATE TABLE a (n int)');
  await migrate(database.url, folder);
  await query('UPDATE _prisma_migrations SET finished_at = NULL');
  await expect(migrate(database.url, folder)).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a migration folder without its file is refused with its name', async () => {
  mkdirSync(join(folder, '0001_empty'));
  await expect(migrate(database.url, folder)).rejects.toThrow('0001_empty');
});

test('an address where no server listens, a wrong password: said as such, without the password', async () => {
  for (const [part, value] of [
    ['port', '1'],
    ['password', 'secret-guess'],
  ] as const) {
    const url = new URL(database.url);
    url[part] = value;
    const error = await migrate(url.href, folder).catch((e) => e);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', field: 'DATABASE_URL' });
    expect(error.message).not.toContain('secret-guess');
  }
});
