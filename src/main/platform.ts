// Puts the parts together: database, store, API and worker. Started in this order, stopped in the other.

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiServer } from '../api/server.js';
import type { Config } from '../config.js';
import { isAppError } from '../errors.js';
import { runPaintJob } from '../jobs/paint.js';
import type { Log } from '../log.js';
import { loadBundle } from '../painter/bundle.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { prepareQueue } from '../queue/queue.js';
import type { Handlers } from '../queue/tasks.js';
import { runWorker } from '../queue/worker.js';
import { createInferenceProcess } from '../runtime/inference-process.js';
import type { Services } from '../services/context.js';
import { type BundleFacts, registerModel } from '../services/models.js';
import { abandonPaintJob } from '../services/paint-jobs.js';
import { openBlobs } from '../store/blobs.js';
import { openStore } from '../store/client.js';
import { startEmbeddedPostgres } from '../store/embedded-postgres.js';
import { migrate } from '../store/migrate.js';

export interface Running {
  stop(): Promise<void>;
}

export interface Platform extends Running {
  readonly url: string;
}

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));
const CHILD = fileURLToPath(new URL('./inference-child.ts', import.meta.url));
const DEFAULT_PORT = 4000;

/** The facts of a verified bundle that registration stores. */
export async function describeBundle(folder: string): Promise<BundleFacts> {
  const { conventions, hash } = await loadBundle(resolve(folder));
  const { name, voxels, imageSizePx, subject, defaults } = conventions;
  return { folder: resolve(folder), hash, name, voxels, imageSizePx, subject, defaults };
}

/** Opens the user's database or the embedded one, brought up to date. */
export async function openServices(config: Config, log: Log): Promise<{ services: Services } & Running> {
  const database = config.databaseUrl
    ? { url: config.databaseUrl, stop: async () => {} }
    : await startEmbeddedPostgres(config.dataDir);
  try {
    const applied = await migrate(database.url, MIGRATIONS);
    if (applied.length > 0) log.info({ applied }, 'the database was brought up to date');
    const store = openStore(database.url);
    await prepareQueue(store);
    const services: Services = { store, blobs: openBlobs(join(config.dataDir, 'blobs')) };
    return {
      services,
      async stop() {
        await store.close();
        await database.stop();
      },
    };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Runs paint jobs in an inference child of its own until stopped. */
export async function startWorker(services: Services, log: Log): Promise<Running> {
  const inference = createInferenceProcess<PaintMessage, PaintEvent>(CHILD);
  const handlers: Handlers = {
    paint: {
      run: ({ paintJobId }, abort) => runPaintJob(services, inference, paintJobId, abort),
      giveUp: ({ paintJobId }) => abandonPaintJob(services, paintJobId),
    },
  };
  const worker = await runWorker(services.store, handlers, {
    concurrency: 1,
    onError: (error) => log.error({ err: error }, 'a task failed'),
  });
  return {
    async stop() {
      await worker.stop();
      await inference.close();
    },
  };
}

/** Serves the API. Without a port of the user's: 4000, or a free one where that is taken. */
export async function startApi(config: Config, services: Services, log: Log): Promise<Platform> {
  for (const folder of config.modelFolders) {
    try {
      await registerModel(services, await describeBundle(folder));
    } catch (error) {
      if (!isAppError(error)) throw error;
      log.warn({ folder, reason: error.message }, 'a model could not be registered');
    }
  }
  const make = () =>
    createApiServer({
      services,
      log,
      modelFolders: config.modelFolders.map((folder) => resolve(folder)),
      describeBundle,
      maxUploadBytes: config.maxUploadBytes,
    });
  let api = await make();
  try {
    return { url: await api.listen(config.port ?? DEFAULT_PORT, config.host), stop: () => api.close() };
  } catch (error) {
    await api.close();
    if (config.port !== undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    log.warn(`port ${DEFAULT_PORT} is taken; a free one is used`);
    api = await make();
    return { url: await api.listen(0, config.host), stop: () => api.close() };
  }
}

/** API and worker in one process tree. */
export async function startPlatform(config: Config, log: Log): Promise<Platform> {
  const base = await openServices(config, log);
  try {
    const api = await startApi(config, base.services, log);
    const worker = await startWorker(base.services, log);
    return {
      url: api.url,
      async stop() {
        await api.stop();
        await worker.stop();
        await base.stop();
      },
    };
  } catch (error) {
    await base.stop();
    throw error;
  }
}

/** Runs a program until Ctrl-C or SIGTERM; a second signal does not wait. */
export async function runUntilSignal(log: Log, start: () => Promise<Running>): Promise<void> {
  const running = await start().catch((error) => {
    log.error(isAppError(error) ? error.message : { err: error }, 'could not start');
    process.exit(1);
  });
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    running.stop().then(
      () => process.exit(0),
      (error) => {
        log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
