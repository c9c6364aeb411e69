// `npm run db:diff`: the SQL that a new migration needs to hold, from prisma/migrations to prisma/schema.prisma. Works offline,
// on an embedded Postgres of its own. Ends with 2 when there is a difference.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.js';
import { diffMigrations } from './schema-engine.js';

const folder = mkdtempSync(join(tmpdir(), 'mindpainter-diff-'));
const database = await startEmbeddedPostgres(folder);
try {
  const sql = await diffMigrations(database.url, 'prisma/migrations', 'prisma/schema.prisma');
  if (sql) {
    process.stdout.write(`${sql}\n`);
    process.exitCode = 2;
  } else process.stderr.write('the migrations and prisma/schema.prisma agree\n');
} finally {
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
}
