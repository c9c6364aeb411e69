// Starts one embedded PostgreSQL for all database tests, with a migrated database that each test file copies.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { prepareQueue } from '../../src/queue/queue.js';
import { openStore } from '../../src/store/client.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { migrate } from '../../src/store/migrate.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the server's own database. */
    postgresUrl: string;
  }
}

/** The database that tests copy; nobody connects to it, else it could not be copied. */
export const TEMPLATE = 'template_for_tests';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'mindpainter-tests-'));
  const database = await startEmbeddedPostgres(folder);
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await admin.end();
  const url = new URL(database.url);
  url.pathname = TEMPLATE;
  await migrate(url.href, 'prisma/migrations');
  const store = openStore(url.href);
  await prepareQueue(store);
  await store.close();
  project.provide('postgresUrl', database.url);
  return async () => {
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
