// Writes src/generated (Prisma client, resolver types, trusted documents, the pages as browsers get them) when its sources changed. Safe when several commands start at once.
// `--force` writes it anyway (npm run generate).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { documentFiles } from './own-documents.js';
import { pageFiles } from './page-files.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDER = join(ROOT, 'src/generated');
const STAMP = join(FOLDER, 'stamp');
const LOCK = join(ROOT, 'src/.generating');
const SOURCES = [
  'prisma/schema.prisma',
  'prisma.config.ts',
  'schema.graphql',
  'codegen.ts',
  'package-lock.json',
  'scripts/bundle-pages.ts',
  ...new Set([...documentFiles(), ...pageFiles()]),
];
/** Both tools end within seconds; a lock older than this was left by a run that was killed. */
const STALE_MS = 120_000;

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const source of SOURCES)
    hash
      .update(source)
      .update(readFileSync(join(ROOT, source)))
      .update('\0');
  return hash.digest('hex');
}

function upToDate(wanted: string): boolean {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted;
}

function tool(program: string, args: readonly string[]): void {
  const shell = process.platform === 'win32';
  const result = spawnSync(join(ROOT, 'node_modules/.bin', program), args, {
    cwd: ROOT,
    encoding: 'utf8',
    shell,
  });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  throw new Error(`${program} ${args.join(' ')} failed; mend what it names above, then run npm run generate`);
}

/** A folder is made by exactly one of several processes; the others wait until it is gone. */
function takeLock(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_MS) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

async function ensureGenerated(force: boolean): Promise<void> {
  if (!force && upToDate(fingerprint())) return;
  while (!takeLock()) {
    await sleep(100);
    if (!force && upToDate(fingerprint())) return;
  }
  try {
    const wanted = fingerprint();
    if (!force && upToDate(wanted)) return;
    rmSync(STAMP, { force: true });
    process.stderr.write('writing src/generated ...\n');
    tool('prisma', ['generate']);
    tool('graphql-codegen', ['--silent']);
    tool('tsx', ['scripts/trusted-documents.ts']);
    tool('tsx', ['scripts/bundle-pages.ts']);
    writeFileSync(STAMP, wanted);
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

await ensureGenerated(process.argv.includes('--force'));
