// The programs as a user runs them: start, stop, kill, two at once, ports and settings that do not fit.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { processesWith } from '../support/processes.js';

const children: ChildProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  for (const folder of folders.splice(0)) {
    await expect.poll(() => processesWith(folder), { timeout: 20_000 }).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  }
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindpainter-programs-'));
  folders.push(folder);
  return folder;
}

interface Program {
  readonly child: ChildProcess;
  /** Waits for words on either output; fails when the program ends without them. */
  says(words: RegExp): Promise<string>;
  ended(): Promise<{ code: number | null; output: string }>;
}

function run(
  name: string,
  dataDir: string,
  environment: Record<string, string> = {},
  args: readonly string[] = [],
): Program {
  const { DATABASE_URL: _, PORT: __, MINDPAINTER_SECRET: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', `src/main/${name}.ts`, ...args], {
    env: { ...inherited, MINDPAINTER_DATA_DIR: dataDir, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
      for (const look of waiting) look();
    });
  }
  const closed = once(child, 'close');
  return {
    child,
    says: (words) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = words.exec(output);
          if (found) resolve(found[1] ?? found[0]);
        };
        waiting.add(look);
        look();
        void closed.then(() => reject(new Error(`it ended without ${words}: ${output}`)));
      }),
    async ended() {
      const [code] = await closed;
      return { code, output };
    },
  };
}

const ADDRESS = /serves at (http:\S+\/graphql)/;

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ subjects(first: 1) { nodes { id } } }' }),
  });
  const { data } = (await response.json()) as { data?: unknown };
  return data !== undefined;
}

describe('the programs', { timeout: 90_000 }, () => {
  test('npm start serves, ends on SIGTERM with 0, and leaves no process', async () => {
    const folder = newFolder();
    const program = run('start', folder);
    expect(await answers(await program.says(ADDRESS))).toBe(true);
    expect(processesWith(folder)).not.toEqual([]);
    program.child.kill('SIGTERM');
    expect(await program.ended()).toMatchObject({ code: 0 });
    expect(processesWith(folder)).toEqual([]);
  });

  test('a second start on the same folder is refused; after a kill the next start serves', async () => {
    const folder = newFolder();
    const first = run('start', folder);
    await first.says(ADDRESS);
    const second = await run('start', folder).ended();
    expect(second.code).toBe(1);
    expect(second.output).toContain(`in use by process ${first.child.pid}`);
    expect(second.output).not.toMatch(/\bat .*\.ts:\d/);
    first.child.kill('SIGKILL');
    const third = run('start', folder);
    expect(await answers(await third.says(ADDRESS))).toBe(true);
  });

  test('server and worker share one embedded database; who has joined ends when its owner does', async () => {
    const folder = newFolder();
    const server = run('server', folder);
    expect(await answers(await server.says(ADDRESS))).toBe(true);
    const worker = run('worker', folder);
    await worker.says(/waits for paint jobs/);
    expect(processesWith(folder).filter((line) => /bin\/postgres -D/.test(line))).toHaveLength(1);
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
    const { code, output } = await worker.ended();
    expect(code).toBe(1);
    expect(output).toContain('the database is gone');
    expect(processesWith(folder)).toEqual([]);
  });

  test('server and worker that start at once on a new folder agree on one database', async () => {
    const folder = newFolder();
    const programs = [run('worker', folder), run('server', folder)];
    await Promise.all([programs[0]!.says(/waits for paint jobs/), programs[1]!.says(ADDRESS)]);
    expect(processesWith(folder).filter((line) => /bin\/postgres -D/.test(line))).toHaveLength(1);
    for (const { child } of programs) child.kill('SIGTERM');
    for (const program of programs) await program.ended();
    expect(processesWith(folder)).toEqual([]);
  });

  test('a program that loses its database says so and ends', async () => {
    const folder = newFolder();
    const program = run('start', folder);
    await program.says(ADDRESS);
    const postmaster = readFileSync(join(folder, 'postgres/cluster/postmaster.pid'), 'utf8');
    process.kill(Number(postmaster.split('\n')[0]), 'SIGKILL');
    const { code, output } = await program.ended();
    expect(code).toBe(1);
    expect(output).toContain('the database is gone');
  });

  test('a taken port: another one is used and said, unless the user chose it', async () => {
    const folder = newFolder();
    const taken = await take(4000);
    const program = run('start', folder, { PORT: '' });
    const url = await program.says(ADDRESS);
    expect(new URL(url).port).not.toBe('4000');
    await program.says(/port 4000 is taken/);
    program.child.kill('SIGTERM');
    await program.ended();
    const refused = await run('start', folder, { PORT: '4000' }).ended();
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('port 4000: the port is taken; set PORT to another');
    taken.close();
    const nowhere = await run('start', folder, { HOST: '192.0.2.1' }).ended();
    expect(nowhere.code).toBe(1);
    expect(nowhere.output).toContain('set HOST to another');
  });

  test('a start that others can reach needs a secret and an admin; then only tokens open it', async () => {
    const folder = newFolder();
    const open = { HOST: '0.0.0.0', MINDPAINTER_SECRET: 's'.repeat(32) };
    const bare = await run('server', folder, { HOST: '0.0.0.0' }).ended();
    expect([bare.code, bare.output]).toEqual([1, expect.stringContaining('set MINDPAINTER_SECRET')]);
    const empty = await run('server', folder, open).ended();
    expect([empty.code, empty.output]).toEqual([1, expect.stringContaining('npm run admin -- --name')]);
    const made = await run('admin', folder, open, ['--name', 'ada']).ended();
    expect(made.code).toBe(0);
    const token = /^mpt_\w+_[\w-]{43}$/m.exec(made.output)![0];
    const server = run('server', folder, open);
    const { port } = new URL(await server.says(ADDRESS));
    const roleOf = async (headers: Record<string, string>) => {
      const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"query":"{ viewer { role user { name } } }"}',
      });
      return ((await response.json()) as { data?: { viewer: unknown } }).data?.viewer;
    };
    expect(await roleOf({})).toBeNull();
    expect(await roleOf({ authorization: `Bearer ${token}` })).toEqual({
      role: 'ADMIN',
      user: { name: 'ada' },
    });
    // From beside the running server, on its database.
    const refused = await run('admin', folder, open, ['--name', 'local']).ended();
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('choose another name')]);
    expect(refused.output).not.toMatch(/\bat .*\.ts:\d/);
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  }, 240_000);

  test('wrong settings are all named on the way out; a database that is not there, too', async () => {
    const folder = newFolder();
    const wrong = await run('start', folder, { PORT: 'x', LOG_LEVEL: 'loud' }).ended();
    expect(wrong.code).toBe(1);
    expect(wrong.output).toMatch(/PORT: give.*LOG_LEVEL: give/s);
    const away = await run('server', folder, {
      DATABASE_URL: 'postgresql://a:hunter2@127.0.0.1:1/x',
    }).ended();
    expect(away.code).toBe(1);
    expect(away.output).toContain('cannot open the database x at 127.0.0.1:1');
    expect(away.output).not.toContain('hunter2');
  });
});

/** Takes a port; where another program keeps it, it is taken all the same. */
async function take(port: number): Promise<Server> {
  const server = createServer();
  for (let attempt = 0; attempt < 10 && !server.listening; attempt++) {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening').catch(() => sleep(200));
  }
  return server;
}
