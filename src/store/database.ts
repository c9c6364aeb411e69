// Which database a program uses: the user's server, the embedded one of another program on the same data folder, or its own.

import { setTimeout as sleep } from 'node:timers/promises';
import { isAppError } from '../errors.js';
import { type Database, findRunningPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

const JOIN_WITHIN_MS = 30_000;

/**
 * Opens the database of a program. With `join`, a program on a data folder that another one uses shares that one's embedded
 * server and ends with it; without, it is refused with AppError UNAVAILABLE.
 */
export async function openDatabase(
  config: { readonly databaseUrl: string | undefined; readonly dataDir: string },
  options: { join?: boolean } = {},
): Promise<Database> {
  if (config.databaseUrl) {
    return { url: config.databaseUrl, stop: async () => {}, lost: new Promise(() => {}) };
  }
  for (let waited = 0; ; waited += 250) {
    const running = options.join ? findRunningPostgres(config.dataDir) : undefined;
    if (running) return running;
    try {
      return await startEmbeddedPostgres(config.dataDir);
    } catch (error) {
      // The other program may be starting its server at this moment.
      const taken =
        isAppError(error) && error.code === 'UNAVAILABLE' && error.field === 'MINDPAINTER_DATA_DIR';
      if (!options.join || !taken || waited >= JOIN_WITHIN_MS) throw error;
      await sleep(250);
    }
  }
}
