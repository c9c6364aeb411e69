// What no row names is removed from the disk, now and then: paintings of lost attempts, blobs of refused imports, torn writes,
// folders of training runs that ended without a model.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Services } from '../services/context.js';
import { readSql } from '../store/sql.js';
import { sweepTrainingFolders } from './training-folders.js';

/** Not at once: a start has better things to do. */
const FIRST_MS = 10 * 60_000;
const EVERY_MS = 3_600_000;
/** Blobs are written before the rows that name them: the first painting of a long job hours before. */
const OLDER_THAN_MS = 24 * 3_600_000;

const REFERENCED = readSql('referenced-blobs');

/** Removes once what is left over; blobs only when older than `olderThanMs`. */
export async function sweepLeftovers(
  services: Services,
  dataDir: string,
  olderThanMs = OLDER_THAN_MS,
): Promise<void> {
  const { blobs, store } = services;
  await blobs.sweep(async (hashes) => {
    const { rows } = await store.pool.query<{ hash: string }>(REFERENCED, [hashes]);
    return rows.map((row) => row.hash);
  }, olderThanMs);
  await sweepTrainingFolders(services, dataDir);
}

/** Sweeps every hour until stopped; `onError` hears of a sweep that failed, and the next one comes all the same. */
export function startHousekeeping(
  services: Services,
  dataDir: string,
  onError: (error: unknown) => void,
  { firstMs = FIRST_MS, everyMs = EVERY_MS } = {},
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const keeping = (async () => {
    for (let wait = firstMs; ; wait = everyMs) {
      const due = await sleep(wait, true, { signal: stopping.signal, ref: false }).catch(() => false);
      if (!due) return;
      await sweepLeftovers(services, dataDir).catch(onError);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await keeping;
    },
  };
}
