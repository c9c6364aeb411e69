// A real disk that is soon full: a tmpfs, where this account may mount one.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mounts a disk of a size such as '64k' on a folder; false where that cannot be done. */
export function mountSmallDisk(folder: string, size: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]).status === 0;
}

export function unmount(folder: string): void {
  spawnSync('umount', [folder]);
}

/** Whether this account may mount. */
export const canMount =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  (() => {
    const probe = mkdtempSync(join(tmpdir(), 'mindpainter-mount-'));
    const ok = mountSmallDisk(probe, '64k');
    if (ok) unmount(probe);
    rmSync(probe, { recursive: true });
    return ok;
  })();
