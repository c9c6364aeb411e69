// What runs on this machine, for tests that count what is left over. Linux is read directly: slim images have no `ps`.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const LINUX = process.platform === 'linux';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Command lines of all processes that hold some words; ended ones that wait to be collected have none. */
export function processesWith(words: string): string[] {
  const lines = LINUX
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
    : spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n');
  return lines.filter((line) => line.includes(words));
}

/** Whether a process runs; one that has ended and waits to be collected does not. */
export function isRunning(pid: number): boolean {
  if (LINUX) return /^\d+ \(.*\) [^ZX]/s.test(read(`/proc/${pid}/stat`));
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}
