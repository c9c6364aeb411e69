// The folder of a training run belongs to one process at a time.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAppError } from '../errors.js';
import { type Ownership, takeOwnership } from '../store/folder-owner.js';

/** A child whose worker was killed ends after its step; until then the folder is its own. */
const WAIT_MS = 60_000;

/** Makes the folder and takes it, waiting for an owner that is about to end. */
export async function ownWorkFolder(folder: string): Promise<Ownership> {
  await mkdir(folder, { recursive: true });
  for (const end = Date.now() + WAIT_MS; ; await sleep(200)) {
    try {
      return takeOwnership(join(folder, 'owner'));
    } catch (error) {
      if (!isAppError(error)) throw error;
      // Not the caller's to mend: the queue tries again.
      if (Date.now() > end) throw new Error(`another process trains in ${folder}`, { cause: error });
    }
  }
}
