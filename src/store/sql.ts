// Hand-written SQL, a statement a file in ./sql: what Prisma cannot say, or not in one statement.

import { readFileSync } from 'node:fs';

/** The text of src/store/sql/<name>.sql; read once, when the module that needs it loads. */
export function readSql(name: string): string {
  return readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}

/**
 * The same as a statement that each connection parses and plans once: for those that run often and have one best plan for all values.
 */
export const prepareSql = (name: string) => ({ name, text: readSql(name) });
