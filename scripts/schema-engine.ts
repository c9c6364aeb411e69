// Prisma's schema engine as WebAssembly, on a Postgres server of ours: what `prisma migrate diff` does, without its download.

import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  type ColumnType,
  ColumnTypeEnum,
  type SqlDriverAdapter,
} from '@prisma/driver-adapter-utils';
import pg from 'pg';

/** Postgres's internal one-byte type "char", in which its catalogue is written; the adapter does not know it. */
const CHAR_OID = 18;
const BPCHAR_OID = 1042;

/** An adapter that can read Postgres's catalogue and run whole scripts. */
async function openAdapter(url: string, afterClose = async () => {}): Promise<SqlDriverAdapter> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  // A database that is dropped may take an idle connection with it.
  pool.on('error', () => {});
  const query = pool.query.bind(pool) as (request: unknown) => Promise<pg.QueryArrayResult>;
  let charColumns: number[] = [];
  const readable = async (request: unknown) => {
    const result = await query(request);
    charColumns = [];
    for (const [i, field] of (result.fields ?? []).entries()) {
      if (field.dataTypeID !== CHAR_OID) continue;
      charColumns.push(i);
      field.dataTypeID = BPCHAR_OID;
    }
    return result;
  };
  Object.assign(pool, { query: readable });
  const adapter = await new PrismaPg(pool).connect();
  const queryRaw = adapter.queryRaw.bind(adapter);
  return Object.assign(adapter, {
    async queryRaw(request: Parameters<typeof queryRaw>[0]) {
      const result = await queryRaw(request);
      const columnTypes: ColumnType[] = [...result.columnTypes];
      for (const i of charColumns) columnTypes[i] = ColumnTypeEnum.Character;
      return { ...result, columnTypes };
    },
    // The adapter's own way splits at every semicolon, those within functions too.
    executeScript: async (script: string) => void (await query(script)),
    async dispose() {
      await pool.end();
      await afterClose();
    },
  });
}

async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** An empty database that goes when the engine is done with it. */
async function openShadow(url: string): Promise<SqlDriverAdapter> {
  const name = `shadow_${randomBytes(6).toString('hex')}`;
  await runSql(url, `CREATE DATABASE ${name} TEMPLATE template0`);
  const shadow = new URL(url);
  shadow.pathname = name;
  return openAdapter(shadow.href, () => runSql(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
}

/** Node's WebAssembly, whose types come with the DOM's only. */
const wasm = (globalThis as never as { WebAssembly: unknown }).WebAssembly as {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: Record<string, () => void> } }>;
};

/**
 * The engine's module, loaded once: a second instance would take the first one's place beneath it, and hang. It is made
 * for bundlers, which load the WebAssembly by an import that Node does not know.
 */
async function instantiateEngine() {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const binary = import.meta.resolve('@prisma/schema-engine-wasm').replace(/\.js$/, '_bg.wasm');
  const { instance } = await wasm.instantiate(await readFile(new URL(binary)), {
    './schema_engine_bg.js': bindings,
  });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start!();
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message() {} } });
  return bindings.SchemaEngine;
}

let loading: ReturnType<typeof instantiateEngine> | undefined;

async function readMigrations(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const migrationDirectories = await Promise.all(
    names.sort().map(async (path) => {
      const value = await readFile(join(folder, path, 'migration.sql'), 'utf8');
      return { path, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } } };
    }),
  );
  // The engine asks this file which database the migrations are for; ours are for no other.
  const lockfile = { path: 'migration_lock.toml', content: 'provider = "postgresql"' };
  return { baseDir: folder, lockfile, shadowDbInitScript: '', migrationDirectories };
}

/**
 * The SQL that leads from what the migrations make to what the schema declares; empty when they agree.
 * `url`: a Postgres server where databases may be made; nothing stays there.
 */
export async function diffMigrations(url: string, migrations: string, schemaPath: string): Promise<string> {
  const schema = { path: schemaPath, content: await readFile(schemaPath, 'utf8') };
  loading ??= instantiateEngine();
  const SchemaEngine = await loading;
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => openAdapter(url),
    connectToShadowDb: () => openShadow(url),
  });
  const engine = await SchemaEngine.new({ datamodels: [[schema.path, schema.content]] }, () => {}, factory);
  try {
    const { stdout } = await engine.diff({
      from: { tag: 'migrations', ...(await readMigrations(migrations)) },
      to: { tag: 'schemaDatamodel', files: [schema] },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    const sql = (stdout ?? '').trim();
    return sql === '-- This is an empty migration.' ? '' : sql;
  } finally {
    engine.free();
  }
}
