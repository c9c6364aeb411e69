// The embedded default: a real PostgreSQL server from npm, in a data folder, started and stopped by us.
// It listens on a free loopback port only, with a random password; it dies with its parent and is found again if not.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';
import { isAlive, type Ownership, ownerOf, takeOwnership } from './folder-owner.js';
import {
  type Account,
  accountForServer,
  preparePrograms,
  reachable,
  rootsPlace,
} from './postgres-programs.js';

export interface Database {
  readonly url: string;
  /** Ends the server if this process started it; call it after everything else has let go of it. */
  stop(): Promise<void>;
  /** Settles with the reason when the server ends without stop(). */
  readonly lost: Promise<Error>;
}

const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;
/** Words of failures that pass: a port that was taken in between, a killed server's last children, a start after a crash. */
const PASSING = /could not bind|could not create any TCP|shared memory block|lock file/;

/** A port of the loopback interface that is free at this moment. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, host, done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** What postmaster.pid says: line 1 process id, line 4 port, line 8 status. */
function readPostmaster(cluster: string): { pid: number; port: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid < 2) return undefined;
    return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
  } catch {
    return undefined;
  }
}

/** Whether a process is a PostgreSQL server on this cluster, and not another one that got its id. */
function servesCluster(pid: number, cluster: string): boolean {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(cluster);
  } catch {
    return false;
  }
}

/** Fast shutdown; then the immediate one, from which the next start recovers. */
async function stopServer(bin: string, pid: number, cluster: string): Promise<void> {
  const signal = (name: 'SIGINT' | 'SIGQUIT' | 'SIGKILL', mode: string) => {
    if (process.platform === 'win32')
      spawnSync(join(bin, 'pg_ctl'), ['stop', '-W', '-D', cluster, '-m', mode]);
    else if (servesCluster(pid, cluster)) process.kill(pid, name);
  };
  const steps = [
    ['SIGINT', 'fast', STOP_WITHIN_MS],
    ['SIGQUIT', 'immediate', 5000],
    ['SIGKILL', 'immediate', 5000],
  ] as const;
  for (const [name, mode, withinMs] of steps) {
    if (!servesCluster(pid, cluster)) return;
    signal(name, mode);
    for (let waited = 0; waited < withinMs && servesCluster(pid, cluster); waited += 25) await sleep(25);
  }
}

/**
 * The folder that holds the cluster. Where root's folders are closed to the account that runs the server (/root is), the
 * cluster lives in root's place, and a note in the data folder names it (no note, no cluster: who deletes the data folder
 * starts afresh).
 */
function clusterHome(dataDir: string, account: Account | undefined): string {
  const wanted = resolve(dataDir, 'postgres');
  mkdirSync(wanted, { recursive: true });
  if (!account) return wanted;
  const note = join(wanted, 'moved-to');
  if (existsSync(note)) return readFileSync(note, 'utf8').trim();
  const folder = dirname(wanted);
  // Leave to pass through, not to look around; folders above are not ours to open.
  if (reachable(dirname(folder))) chmodSync(folder, statSync(folder).mode | 0o011);
  const home = reachable(folder) ? wanted : join(rootsPlace(), `cluster-${randomUUID()}`);
  mkdirSync(home, { recursive: true });
  chownSync(home, account.uid, account.gid);
  if (home !== wanted) writeFileSync(note, home);
  return home;
}

function takeFolder(dataDir: string, account: Account | undefined): { home: string; ownership: Ownership } {
  try {
    const home = clusterHome(dataDir, account);
    return { home, ownership: takeOwnership(join(home, 'owner')) };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw cause;
    const message = `the data folder ${resolve(dataDir)} cannot be written by this account; give it to this account, or set MINDPAINTER_DATA_DIR to another folder`;
    throw new AppError('UNAVAILABLE', message, { field: 'MINDPAINTER_DATA_DIR', cause });
  }
}

/** Root runs a cluster as the account that made it: an ordinary user's cluster stays that user's. */
function accountOf(cluster: string, usual: Account): Account {
  const made = statSync(cluster, { throwIfNoEntry: false });
  return made && made.uid !== 0 ? { uid: made.uid, gid: made.gid } : usual;
}

function initialise(bin: string, home: string, cluster: string, account: Account | undefined): void {
  const passwordFile = join(home, 'password');
  const fresh = `${cluster}.new`;
  rmSync(fresh, { recursive: true, force: true });
  writeFileSync(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
  if (account) chownSync(passwordFile, account.uid, account.gid);
  const args = ['-D', fresh, '-U', 'mindpainter', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const program = join(bin, 'initdb');
  const sync = process.platform === 'linux' ? ['--sync-method=syncfs'] : [];
  const result = spawnSync(program, [...args, ...sync, '-E', 'UTF8', '--locale=C'], {
    ...account,
    encoding: 'utf8',
    cwd: home,
  });
  if (result.status !== 0) {
    const said = (result.stderr || result.stdout || String(result.error)).trim();
    throw new AppError('UNAVAILABLE', `${basename(program)} failed: ${said.slice(-600)}`);
  }
  // The finished cluster appears under its name at once: a start that was cut off leaves nothing half-made.
  renameSync(fresh, cluster);
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  /** Settles when the process ends. */
  readonly ended: Promise<string>;
}

async function launch(bin: string, cluster: string, account: Account | undefined): Promise<Running> {
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // A queue's table that was analyzed while empty makes its queries slow until statistics catch up.
    autovacuum_naptime: '5s',
    max_connections: 100,
    shared_buffers: '128MB',
    log_min_messages: 'warning',
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const postgres = [join(bin, 'postgres'), '-D', cluster, ...flags];
  // Under Linux the kernel itself asks the server to shut down when this process is killed.
  const tied = process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0;
  const [program, ...args] = tied ? ['setpriv', '--pdeathsig', 'INT', ...postgres] : postgres;
  const child = spawn(program!, args, {
    ...account,
    cwd: cluster,
    // A process group of its own: Ctrl-C reaches us alone, and we stop it after our work is drained.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr!.on('data', (chunk) => {
    said = (said + chunk).slice(-2000);
  });
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(`${signal ?? `exit ${code}`}: ${said.trim()}`));
  });
  return { child, port, ended };
}

/** 'ready', or the reason why the server ended. */
async function untilReady({ child, ended }: Running, cluster: string): Promise<string> {
  let failure: string | undefined;
  void ended.then((reason) => {
    failure = reason;
  });
  for (let waited = 0; waited < START_WITHIN_MS; waited += 20) {
    await sleep(20);
    if (failure !== undefined) return failure;
    const postmaster = readPostmaster(cluster);
    if (postmaster?.ready && postmaster.pid === child.pid) return 'ready';
  }
  return `not ready within ${START_WITHIN_MS / 1000} s`;
}

function urlOf(home: string, port: number): string {
  const password = readFileSync(join(home, 'password'), 'utf8').trim();
  return `postgresql://mindpainter:${password}@127.0.0.1:${port}/postgres`;
}

/** The server that another process has running on this folder, or undefined. */
export function findRunningPostgres(dataDir: string): Database | undefined {
  const wanted = resolve(dataDir, 'postgres');
  const note = join(wanted, 'moved-to');
  const home = existsSync(note) ? readFileSync(note, 'utf8').trim() : wanted;
  const cluster = join(home, 'cluster');
  const owner = ownerOf(join(home, 'owner'));
  const server = readPostmaster(cluster);
  if (!owner || !server?.ready || !servesCluster(server.pid, cluster)) return undefined;
  let watch: NodeJS.Timeout | undefined;
  const lost = new Promise<Error>((done) => {
    watch = setInterval(() => {
      if (servesCluster(server.pid, cluster)) return;
      clearInterval(watch);
      done(new Error(`PostgreSQL ended with process ${owner}, which ran it`));
    }, 500).unref();
  });
  return { url: urlOf(home, server.port), lost, stop: async () => clearInterval(watch) };
}

/**
 * Starts the embedded server on a data folder (made if missing). Ends a server whose parent was killed; throws AppError
 * UNAVAILABLE while another live process uses the folder.
 */
export async function startEmbeddedPostgres(dataDir: string): Promise<Database> {
  const us = accountForServer();
  const { home, ownership } = takeFolder(dataDir, us);
  const cluster = join(home, 'cluster');
  try {
    const account = us && accountOf(cluster, us);
    const bin = await preparePrograms(account, home);
    if (!existsSync(join(cluster, 'PG_VERSION'))) initialise(bin, home, cluster, account);
    const orphan = readPostmaster(cluster);
    if (orphan && servesCluster(orphan.pid, cluster)) await stopServer(bin, orphan.pid, cluster);
    // Left by a killed server, and its id is another program's now: PostgreSQL would take that program for itself.
    else if (orphan && isAlive(orphan.pid)) rmSync(join(cluster, 'postmaster.pid'), { force: true });

    let running = await launch(bin, cluster, account);
    let state = await untilReady(running, cluster);
    for (let again = 0; state !== 'ready' && PASSING.test(state) && again < 20; again++) {
      await sleep(250);
      running = await launch(bin, cluster, account);
      state = await untilReady(running, cluster);
    }
    if (state !== 'ready') {
      running.child.kill('SIGINT');
      throw new AppError('UNAVAILABLE', `PostgreSQL did not start: ${state}`);
    }
    return handOver(running, bin, home, ownership.release);
  } catch (error) {
    ownership.release();
    throw error;
  }
}

function handOver(running: Running, bin: string, home: string, release: () => void): Database {
  const { child, port, ended } = running;
  const pid = child.pid!;
  // The server must not keep our process alive, and must not outlive it where the kernel does not see to that.
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  const onExit = () => child.kill('SIGINT');
  process.once('exit', onExit);
  let stopping = false;
  const lost = new Promise<Error>((done) => {
    void ended.then((reason) => {
      process.off('exit', onExit);
      if (!stopping) done(new Error(`PostgreSQL ended by itself (${reason})`));
    });
  });
  return {
    url: urlOf(home, port),
    lost,
    async stop() {
      stopping = true;
      await stopServer(bin, pid, join(home, 'cluster'));
      release();
    },
  };
}
