// A lab for clients: server and worker as programs of their own, on a fixed port, that can be killed and started again; a
// folder with the files that a lab has; and the command line as a user runs it.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNpy } from '../../src/fmri/npy.js';
import { encodePng } from '../../src/imaging/decode.js';
import type { MindPainterError } from '../../src/sdk/client.js';
import { createTestDatabase } from './database.js';
import { TINY, writeTinyBundle } from './tiny-bundle.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly child: ChildProcess;
  /** Waits for words on either output; fails when the program ends without them. */
  says(words: RegExp): Promise<string>;
  readonly ended: Promise<Ended>;
}

export interface ClientLab {
  readonly url: string;
  readonly databaseUrl: string;
  /** Holds photo.png (90 x 70), other.png, mask.png, betas.npy and trials.csv (stimuli a, b, a). */
  readonly folder: string;
  startServer(): Promise<void>;
  /** Ends the server without a word (SIGKILL). */
  killServer(): Promise<void>;
  startWorker(): Promise<void>;
  stopWorker(): Promise<void>;
  /** The client as a package, built for this lab. */
  readonly client: string;
  /** Makes an admin and returns a token of theirs. */
  makeAdmin(name: string): Promise<string>;
  /** Starts `mindpainter` in the lab's folder. */
  start(args: readonly string[], options?: { input?: string; env?: Record<string, string> }): Command;
  /** Runs it to its end. */
  cli(args: readonly string[], options?: { input?: string; env?: Record<string, string> }): Promise<Ended>;
  close(): Promise<void>;
}

/** Follows what a program says. */
export function follow(child: ChildProcess): Command {
  const texts = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk) => {
      texts[name] += chunk;
      for (const look of waiting) look();
    });
  }
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...texts }));
  return {
    child,
    ended,
    says: (words) =>
      new Promise((done, fail) => {
        const look = () => {
          const found = words.exec(texts.stdout) ?? words.exec(texts.stderr);
          if (found) done(found[1] ?? found[0]);
        };
        waiting.add(look);
        look();
        void ended.then(() => fail(new Error(`it ended without ${words}: ${texts.stdout}${texts.stderr}`)));
      }),
  };
}

/** Builds the client into a folder of the repository, where it finds its dependencies. */
async function buildClient(): Promise<string> {
  const folder = join(ROOT, 'dist', `test-${randomBytes(6).toString('hex')}`);
  const args = ['--import', 'tsx', 'scripts/build-client.ts', folder];
  const { code, stdout, stderr } = await follow(spawn(process.execPath, args, { cwd: ROOT })).ended;
  if (code !== 0) throw new Error(`the client was not built: ${stdout}${stderr}`);
  return folder;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function writeFiles(folder: string): Promise<void> {
  const picture = (width: number, height: number, factor: number) =>
    encodePng({
      width,
      height,
      data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * factor) % 255),
    });
  const mask = new Uint8Array(90 * 70 * 3);
  for (let y = 20; y < 50; y++) mask.fill(255, (y * 90 + 20) * 3, (y * 90 + 60) * 3);
  const betas = Float32Array.from({ length: 3 * TINY.voxels }, (_, i) => Math.sin(i * i));
  await writeFile(join(folder, 'photo.png'), await picture(90, 70, 37));
  await writeFile(join(folder, 'other.png'), await picture(64, 48, 41));
  await writeFile(join(folder, 'mask.png'), await encodePng({ width: 90, height: 70, data: mask }));
  await writeFile(join(folder, 'betas.npy'), writeNpy(betas, [3, TINY.voxels]));
  await writeFile(join(folder, 'trials.csv'), 'stimulus\na\nb\na\n');
}

/**
 * Starts a lab whose server has the tiny bundle as its model; no worker runs until `startWorker`. Requests are the local
 * admin's, unless a `secret` is given: then nobody's without a token.
 */
export async function startClientLab({ secret = '' } = {}): Promise<ClientLab> {
  const folder = await mkdtemp(join(tmpdir(), 'mindpainter-client-'));
  await mkdir(join(folder, 'config'));
  await writeTinyBundle(join(folder, 'bundle'));
  await writeFiles(folder);
  const [client, database] = await Promise.all([buildClient(), createTestDatabase()]);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const programs = new Map<string, Command>();
  const { MINDPAINTER_TOKEN: _, MINDPAINTER_URL: __, ...inherited } = process.env;

  const run = (name: string, ...args: string[]) =>
    follow(
      spawn(process.execPath, ['--import', 'tsx', `src/main/${name}.ts`, ...args], {
        cwd: ROOT,
        env: {
          ...inherited,
          DATABASE_URL: database.url,
          MINDPAINTER_DATA_DIR: join(folder, 'data'),
          MINDPAINTER_MODELS: join(folder, 'bundle'),
          MINDPAINTER_SECRET: secret,
          PORT: String(port),
          LOG_LEVEL: 'error',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  async function startProgram(name: 'server' | 'worker', ready: RegExp) {
    const program = run(name);
    programs.set(name, program);
    await program.says(ready);
  }
  async function stopProgram(name: string, signal: NodeJS.Signals) {
    const program = programs.get(name);
    programs.delete(name);
    program?.child.kill(signal);
    await program?.ended;
  }
  const start: ClientLab['start'] = (args, { input, env = {} } = {}) => {
    const child = spawn(process.execPath, [join(client, 'bin/mindpainter.js'), ...args], {
      cwd: folder,
      env: { ...inherited, MINDPAINTER_URL: url, XDG_CONFIG_HOME: join(folder, 'config'), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(input ?? '');
    return follow(child);
  };
  const lab: ClientLab = {
    url,
    databaseUrl: database.url,
    folder,
    startServer: () => startProgram('server', /serves at/),
    killServer: () => stopProgram('server', 'SIGKILL'),
    startWorker: () => startProgram('worker', /waits for paint jobs/),
    stopWorker: () => stopProgram('worker', 'SIGTERM'),
    client,
    async makeAdmin(name) {
      const { code, stdout, stderr } = await run('admin', '--name', name).ended;
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    },
    start,
    cli: (args, options) => start(args, options).ended,
    async close() {
      await stopProgram('worker', 'SIGTERM');
      await stopProgram('server', 'SIGTERM');
      await database.drop();
      await rm(folder, { recursive: true, force: true });
      await rm(client, { recursive: true, force: true });
    },
  };
  await lab.startServer();
  return lab;
}

/** The error of a call that has to fail. */
export const failureOf = (promise: Promise<unknown>): Promise<MindPainterError> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: MindPainterError) => error,
  );

/** All that an iteration gives. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
