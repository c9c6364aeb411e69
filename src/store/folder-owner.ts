// One owner at a time for a folder: an owner file that names a live process, and is taken over when that process is gone.

import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { AppError } from '../errors.js';

export interface Ownership {
  release(): void;
}

/** Whether a process with this id exists, ours or another's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Names one life of a process: ids are used again, most likely right after a reboot or in a new container. */
function lifeOf(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${afterName.split(' ')[19]}`;
  } catch {
    return '';
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The process that owns by this file's text, if it still lives. */
function liveOwner(text: string): number | undefined {
  const [pid, life] = text.split('\n');
  const id = Number(pid);
  if (!Number.isInteger(id) || id < 1 || !isAlive(id)) return undefined;
  return life === lifeOf(id) ? id : undefined;
}

function inUse(owner: number): AppError {
  return new AppError(
    'UNAVAILABLE',
    `the data folder is in use by process ${owner}; stop it, or set MINDPAINTER_DATA_DIR to another folder`,
    { field: 'MINDPAINTER_DATA_DIR' },
  );
}

/** The live owner of a file, if any. */
export function ownerOf(path: string): number | undefined {
  const text = textOf(path);
  return text === undefined ? undefined : liveOwner(text);
}

/** Takes ownership by a file, or throws AppError UNAVAILABLE while another live process (or this one) has it. */
export function takeOwnership(path: string): Ownership {
  const suffix = randomBytes(6).toString('hex');
  const mine = `${process.pid}\n${lifeOf(process.pid)}\n${suffix}\n`;
  const draft = `${path}.${suffix}`;
  writeFileSync(draft, mine);
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        // A link appears with its text or not at all, and for one process only.
        linkSync(draft, path);
        return {
          release() {
            if (textOf(path) === mine) rmSync(path, { force: true });
          },
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const text = textOf(path);
      if (text === undefined) continue;
      const owner = liveOwner(text);
      if (owner !== undefined) throw inUse(owner);
      removeStale(path, `${draft}.stale`, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new AppError('UNAVAILABLE', `${path} could not be taken; start again`);
}

/** Moves a dead owner's file away; puts back what another process wrote in between. */
function removeStale(path: string, aside: string, expected: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if (textOf(aside) !== expected) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}
