// The embedded server under real kills, by real processes: nothing committed is lost, no server is left over.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { takeOwnership } from '../../src/store/folder-owner.js';
import { isRunning } from '../support/processes.js';

const LINUX = process.platform === 'linux';
const ROOT = process.getuid?.() === 0;
const children: ChildProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) {
    const server = serverPid(folder);
    if (server) process.kill(server, 'SIGKILL');
    await expect.poll(() => serverPid(folder)).toBeUndefined();
    rmSync(folder, { recursive: true, force: true });
  }
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindpainter-faults-'));
  folders.push(folder);
  return folder;
}

interface Said {
  readonly url?: string;
  readonly code?: string;
  readonly message?: string;
}

async function runOwner(folder: string, account?: { uid: number; gid: number }) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/run-postgres.ts', folder], {
    ...account,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, said: JSON.parse(line) as Said };
}

/** The server on a folder while it lives. */
function serverPid(folder: string): number | undefined {
  const path = join(folder, 'postgres/cluster/postmaster.pid');
  if (!existsSync(path)) return undefined;
  const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
  return isRunning(pid) ? pid : undefined;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the embedded PostgreSQL', { timeout: 60_000 }, () => {
  test('shuts down when its parent is killed, and keeps what was committed', async () => {
    const folder = newFolder();
    const first = await runOwner(folder);
    await query(first.said.url!, 'CREATE TABLE kept AS SELECT 7 AS n');
    expect(serverPid(folder)).toBeDefined();
    await kill(first.child);
    if (LINUX) await expect.poll(() => serverPid(folder)).toBeUndefined();

    const database = await startEmbeddedPostgres(folder);
    expect(await query(database.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await database.stop();
    expect(serverPid(folder)).toBeUndefined();
  });

  test('recovers when parent and server are killed at once', async () => {
    const folder = newFolder();
    const first = await runOwner(folder);
    await query(first.said.url!, 'CREATE TABLE kept AS SELECT 8 AS n');
    process.kill(serverPid(folder)!, 'SIGKILL');
    await kill(first.child);

    const database = await startEmbeddedPostgres(folder);
    expect(await query(database.url, 'SELECT n FROM kept')).toEqual([{ n: 8 }]);
    await database.stop();
  });

  test('stops a server that outlived its parent', async () => {
    const folder = newFolder();
    const first = await runOwner(folder);
    const orphan = serverPid(folder)!;
    // A server that is stopped cannot obey the kernel's request yet; it wakes as an orphan.
    process.kill(orphan, 'SIGSTOP');
    await kill(first.child);
    expect(serverPid(folder)).toBe(orphan);
    const starting = startEmbeddedPostgres(folder);
    await sleep(200);
    process.kill(orphan, 'SIGCONT');
    const database = await starting;
    expect(serverPid(folder)).not.toBe(orphan);
    expect(await query(database.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
    await database.stop();
    expect(serverPid(folder)).toBeUndefined();
  });

  test('ends with its parent on request, and the folder is free again', async () => {
    const folder = newFolder();
    const first = await runOwner(folder);
    const refused = await startEmbeddedPostgres(folder).catch((error) => error);
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', field: 'MINDPAINTER_DATA_DIR' });
    expect(refused.message).toContain(String(first.child.pid));
    first.child.kill('SIGTERM');
    expect(await once(first.child, 'exit')).toEqual([0, null]);
    expect(serverPid(folder)).toBeUndefined();
    await (await startEmbeddedPostgres(folder)).stop();
  });

  test('is started once when three processes start on a new folder at the same time', async () => {
    const folder = newFolder();
    const said = (await Promise.all([1, 2, 3].map(() => runOwner(folder)))).map((owner) => owner.said);
    expect(said.filter((s) => s.url)).toHaveLength(1);
    expect(said.filter((s) => s.code === 'UNAVAILABLE')).toHaveLength(2);
    expect(await query(said.find((s) => s.url)!.url!, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  test('says so when the server ends by itself', async () => {
    const folder = newFolder();
    const database = await startEmbeddedPostgres(folder);
    process.kill(serverPid(folder)!, 'SIGKILL');
    expect((await database.lost).message).toContain('SIGKILL');
    await database.stop();
  });

  test.skipIf(!ROOT)(
    'runs as an ordinary account when root starts it, and for an ordinary user',
    async () => {
      const rootsFolder = newFolder();
      const database = await startEmbeddedPostgres(rootsFolder);
      expect(statSync(join(rootsFolder, 'postgres/cluster')).uid).not.toBe(0);
      await database.stop();

      const folder = newFolder();
      chownSync(folder, 65534, 65534);
      chmodSync(folder, 0o700);
      const ordinary = await runOwner(folder, { uid: 65534, gid: 65534 });
      expect(ordinary.said.message).toBeUndefined();
      expect(await query(ordinary.said.url!, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
      expect(statSync(join(folder, 'postgres/cluster')).uid).toBe(65534);
      await kill(ordinary.child);
      await expect.poll(() => serverPid(folder)).toBeUndefined();
      // Root takes the same folder later: the cluster stays its maker's.
      const later = await startEmbeddedPostgres(folder);
      expect(await query(later.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
      await later.stop();
      expect(statSync(join(folder, 'postgres/cluster')).uid).toBe(65534);
    },
  );

  test.skipIf(!ROOT)('serves root from a folder that no other account can reach', async () => {
    const closed = newFolder();
    chmodSync(closed, 0o700);
    const folder = join(closed, 'inner');
    const database = await startEmbeddedPostgres(folder);
    await query(database.url, 'CREATE TABLE kept AS SELECT 9 AS n');
    await database.stop();
    const moved = readFileSync(join(folder, 'postgres/moved-to'), 'utf8');
    const again = await startEmbeddedPostgres(folder);
    expect(await query(again.url, 'SELECT n FROM kept')).toEqual([{ n: 9 }]);
    await again.stop();
    expect(statSync(closed).mode & 0o777).toBe(0o700);
    rmSync(moved, { recursive: true });
  });
});

describe('the owner file', () => {
  test('of a dead process, of another life of the same id and a damaged one are taken over; a live one is not', () => {
    const path = join(newFolder(), 'owner');
    const own = takeOwnership(path);
    expect(() => takeOwnership(path)).toThrow(`process ${process.pid}`);
    own.release();
    expect(existsSync(path)).toBe(false);
    const dead = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).stdout;
    for (const text of [
      `${dead.trim()}\n\nx\n`,
      'nonsense',
      '',
      ...(LINUX ? [`${process.pid}\nearlier/1\nx\n`] : []),
    ]) {
      spawnSync('sh', ['-c', `printf '%s' "$1" > "$2"`, 'sh', text, path]);
      takeOwnership(path).release();
    }
    own.release();
    expect(existsSync(path)).toBe(false);
  });
});

test('a port that is taken is never chosen', async () => {
  const { freePort } = await import('../../src/store/embedded-postgres.js');
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = await freePort();
  expect(port).toBeGreaterThan(1023);
  expect(port).not.toBe((taken.address() as { port: number }).port);
  taken.close();
});
