// Puts the parts together: database, store, API and worker. Started in this order, stopped in the other.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLoopback } from '../api/identity.js';
import { createMetricsServer } from '../api/metrics.js';
import { createApiServer } from '../api/server.js';
import type { Manifest } from '../api/trusted-documents.js';
import { type Config, loadConfig } from '../config.js';
import { AppError, isAppError } from '../errors.js';
import { startHousekeeping } from '../jobs/housekeeping.js';
import { type MeasuringDeps, runMeasurement } from '../jobs/measure.js';
import type { MeasureEvent, MeasureRequest } from '../jobs/measuring-messages.js';
import { startPaintDevice } from '../jobs/paint-device.js';
import { sendWebhooks } from '../jobs/send-webhooks.js';
import { runTraining, type TrainingDeps } from '../jobs/train.js';
import { describeTrainingBase } from '../jobs/training-base.js';
import type { TrainEvent, TrainMessage } from '../jobs/training-messages.js';
import { createLog, type Log } from '../log.js';
import { loadBundle } from '../painter/bundle.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { prepareQueue } from '../queue/queue.js';
import type { Handlers } from '../queue/tasks.js';
import { runWorker } from '../queue/worker.js';
import { createInferenceProcess } from '../runtime/inference-process.js';
import { SYSTEM, type Viewer } from '../services/access.js';
import type { Services } from '../services/context.js';
import { abandonMeasurement } from '../services/measurement-attempts.js';
import { type BundleFacts, registerModel } from '../services/models.js';
import { abortOverduePaintJobs } from '../services/paint-job-attempts.js';
import { localViewer } from '../services/sign-in.js';
import { abandonTrainingRun } from '../services/training-attempts.js';
import { hasRemoteAdmin } from '../services/users.js';
import { planNext } from '../services/webhook-deliveries.js';
import { openBlobs } from '../store/blobs.js';
import { openStore } from '../store/client.js';
import { openDatabase } from '../store/database.js';
import { migrate } from '../store/migrate.js';
import { startTracing } from '../telemetry/tracing.js';
import { codeVersion } from './code-version.js';

/** Written with the rest of src/generated, from the documents of pages, guides and clients. */
const readManifest = (): Manifest =>
  JSON.parse(readFileSync(new URL('../generated/trusted-documents.json', import.meta.url), 'utf8'));

export interface Running {
  stop(): Promise<void>;
  /** Settles when what it runs on is gone for good. */
  readonly lost?: Promise<Error>;
}

export interface Platform extends Running {
  readonly url: string;
}

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));
const CHILD = fileURLToPath(new URL('./inference-child.ts', import.meta.url));
const TRAINING_CHILD = fileURLToPath(new URL('./training-child.ts', import.meta.url));
const MEASURING_CHILD = fileURLToPath(new URL('./measuring-child.ts', import.meta.url));
/** A step of training, or a call of a full-size network, may be long; a child that is silent for longer hangs. */
const SILENCE_MS = 600_000;
const DEFAULT_PORT = 4000;
const SWEEP_MS = 1000;

/** The facts of a verified bundle that registration stores. */
export async function describeBundle(folder: string): Promise<BundleFacts> {
  const bundle = await loadBundle(resolve(folder));
  const { name, voxels, imageSizePx, subject, defaults } = bundle.conventions;
  const training = await describeTrainingBase(bundle);
  return {
    folder: resolve(folder),
    hash: bundle.hash,
    name,
    voxels,
    imageSizePx,
    subject,
    defaults,
    maxSteps: bundle.scheduler.num_train_timesteps,
    twoStage: Boolean(bundle.components.image_encoder && bundle.components.pseudo_brain_generator),
    training,
  };
}

const blobFolder = (config: Config) => join(config.dataDir, 'blobs');

/** Opens the database, brought up to date, and the blobs. `join`: share the embedded server of another program. */
export async function openServices(
  config: Config,
  log: Log,
  options: { join?: boolean } = {},
): Promise<{ services: Services } & Running> {
  const database = await openDatabase(config, options);
  try {
    const applied = await migrate(database.url, MIGRATIONS);
    if (applied.length > 0) log.info({ applied }, 'the database was brought up to date');
    const store = openStore(database.url);
    await prepareQueue(store);
    const services: Services = {
      store,
      blobs: openBlobs(blobFolder(config)),
      maxUnfinishedJobs: config.maxUnfinishedJobs,
      privateWebhooks: config.privateWebhooks,
      secretKey: config.secret ?? '',
      viewer: SYSTEM,
    };
    return {
      services,
      lost: database.lost,
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

/** Runs paint jobs in an inference child, and training runs in children of their own, until stopped. */
export async function startWorker(config: Config, services: Services, log: Log): Promise<Running> {
  const training: TrainingDeps = {
    dataDir: resolve(config.dataDir),
    blobFolder: resolve(blobFolder(config)),
    threads: config.trainingThreads,
    openChild: () =>
      createInferenceProcess<TrainMessage, TrainEvent>(TRAINING_CHILD, { silenceMs: SILENCE_MS }),
    describeBundle,
    codeVersion,
  };
  const measuring: MeasuringDeps = {
    blobFolder: training.blobFolder,
    networks: config.metricNetworks.map((folder) => resolve(folder)),
    openChild: () =>
      createInferenceProcess<MeasureRequest, MeasureEvent>(MEASURING_CHILD, { silenceMs: SILENCE_MS }),
    codeVersion,
  };
  const inference = createInferenceProcess<PaintMessage, PaintEvent>(CHILD, { silenceMs: SILENCE_MS });
  const onError = (error: unknown) => log.error({ err: error }, 'a task failed');
  const handlers: Handlers = {
    train: {
      run: ({ trainingRunId }, abort, movedOn) =>
        runTraining(services, training, trainingRunId, abort, movedOn),
      giveUp: ({ trainingRunId }) => abandonTrainingRun(services, trainingRunId),
    },
    measure: {
      run: ({ measurementId }, abort, movedOn) =>
        runMeasurement(services, measuring, measurementId, abort, movedOn),
      giveUp: ({ measurementId }) => abandonMeasurement(services, measurementId),
    },
    webhooks: {
      run: ({ endpointId }, abort) => sendWebhooks(services, log, endpointId, abort),
      giveUp: ({ endpointId }) => planNext(services, endpointId),
    },
  };
  const worker = await runWorker(services.store, handlers, {
    concurrency: { train: 1, measure: 1, webhooks: 4 },
    onError,
  });
  const device = await startPaintDevice(services, inference, onError);
  const housekeeping = startHousekeeping(services, training.dataDir, onError);
  return {
    async stop() {
      await Promise.all([worker.stop(), device.stop(), housekeeping.stop()]);
      await inference.close();
    },
  };
}

/** The port to serve on: the user's, or 4000, or a free one (0) where that one is taken. */
async function choosePort(config: Config, log: Log): Promise<number> {
  const port = config.port ?? DEFAULT_PORT;
  const probe = createServer();
  try {
    probe.listen(port, config.host);
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
    return port;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (code === 'EADDRINUSE' && config.port === undefined) {
      log.warn(`port ${port} is taken; a free one is used (set PORT to choose one)`);
      return 0;
    }
    const where = `${config.host}, port ${port}`;
    const faults: Record<string, readonly [string, string]> = {
      EADDRINUSE: [`cannot serve on ${where}: the port is taken; set PORT to another`, 'PORT'],
      EACCES: [`cannot serve on ${where}: this account may not open the port; set PORT to another`, 'PORT'],
      EADDRNOTAVAIL: [`cannot serve on ${where}: no such address here; set HOST to another`, 'HOST'],
      ENOTFOUND: [`cannot serve on ${where}: no such host; set HOST to another`, 'HOST'],
    };
    const fault = faults[code];
    if (!fault) throw cause;
    throw new AppError('UNAVAILABLE', fault[0], { field: fault[1], cause });
  }
}

/**
 * The user that requests without a token are from: whoever sits at this machine, when nobody else can reach the server and no
 * secret is set; else nobody. Throws AppError where others could reach a server that nobody could sign in to, or everybody.
 */
async function decideLocalViewer(config: Config, services: Services): Promise<Viewer | undefined> {
  if (isLoopback(config.host)) return config.secret ? undefined : localViewer(services);
  const where = `HOST=${config.host} can be reached from other machines`;
  if (!config.secret) {
    const message = `${where}: set MINDPAINTER_SECRET to at least 32 random characters, such as openssl rand -hex 32 prints`;
    throw new AppError('BAD_INPUT', message, { field: 'MINDPAINTER_SECRET' });
  }
  if (!(await hasRemoteAdmin(services))) {
    const message = `${where}, and no admin has a token; make one with: npm run admin -- --name YOURS`;
    throw new AppError('BAD_INPUT', message, { field: 'HOST' });
  }
  return undefined;
}

/** Serves a worker's /metrics where the configuration says so. */
export async function startMetrics(config: Config, services: Services): Promise<Running & { url?: string }> {
  if (config.metricsPort === undefined) return { async stop() {} };
  const server = createMetricsServer({ services, localViewer: await decideLocalViewer(config, services) });
  return { url: await server.listen(config.metricsPort, config.host), stop: () => server.close() };
}

/** Serves the API, with every model of the configured folders registered. */
export async function startApi(config: Config, services: Services, log: Log): Promise<Platform> {
  const port = await choosePort(config, log);
  const viewer = await decideLocalViewer(config, services);
  for (const folder of config.modelFolders) {
    try {
      await registerModel(services, await describeBundle(folder));
    } catch (error) {
      if (!isAppError(error)) throw error;
      log.warn({ folder, reason: error.message }, 'a model could not be registered');
    }
  }
  const api = await createApiServer({
    services,
    log,
    modelFolders: config.modelFolders.map((folder) => resolve(folder)),
    describeBundle,
    maxUploadBytes: config.maxUploadBytes,
    localViewer: viewer,
    requestsPerMinute: config.requestsPerMinute,
    introspection: config.introspection,
    trustedDocuments:
      config.trustedDocuments === 'off'
        ? undefined
        : { manifest: readManifest(), only: config.trustedDocuments === 'only' },
  });
  // Deadlines pass with or without a worker.
  const sweep = setInterval(() => {
    abortOverduePaintJobs(services).catch((error) =>
      log.error({ err: error }, 'deadlines were not looked at'),
    );
  }, SWEEP_MS);
  return {
    url: await api.listen(port, config.host),
    async stop() {
      clearInterval(sweep);
      await api.close();
    },
  };
}

/** API and worker in one process tree. */
export async function startPlatform(config: Config, log: Log): Promise<Platform> {
  const started: Running[] = [];
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  try {
    const base = await openServices(config, log);
    started.push(base);
    started.push(await startWorker(config, base.services, log));
    const api = await startApi(config, base.services, log);
    started.push(api);
    return { url: api.url, lost: base.lost!, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs a program until Ctrl-C or SIGTERM; a second signal does not wait. What the user can mend is said without a stack. */
export async function runUntilSignal(start: (config: Config, log: Log) => Promise<Running>): Promise<void> {
  let log = createLog('info');
  let stopTracing = async () => {};
  const running = await (async () => {
    const config = loadConfig();
    log = createLog(config.logLevel);
    stopTracing = config.tracesEndpoint
      ? await startTracing(config.tracesEndpoint, 'mindpainter')
      : stopTracing;
    return start(config, log);
  })().catch((error) => {
    log.fatal(isAppError(error) ? {} : { err: error }, `could not start: ${(error as Error).message}`);
    process.exit(1);
  });
  let stopping = false;
  const stop = (exitCode: number) => {
    if (stopping) process.exit(1);
    stopping = true;
    running
      .stop()
      .then(stopTracing)
      .then(
        () => process.exit(exitCode),
        (error) => {
          log.error({ err: error }, 'could not stop cleanly');
          process.exit(1);
        },
      );
  };
  process.on('SIGINT', () => stop(0));
  process.on('SIGTERM', () => stop(0));
  void running.lost?.then((error) => {
    if (stopping) return;
    log.fatal(`the database is gone: ${error.message}`);
    setTimeout(() => process.exit(1), 5000).unref();
    stop(1);
  });
}
