// The task `train`: one attempt at one training run, from its rows to its model. The training itself is in train-bundle.ts.

import { AppError, isAppError } from '../errors.js';
import { InferenceFailedError, type InferenceProcess } from '../runtime/inference-process.js';
import type { Services } from '../services/context.js';
import type { BundleFacts } from '../services/models.js';
import {
  claimTrainingRun,
  failTrainingRun,
  type Point,
  reportTraining,
  stopTrainingRun,
  succeedTrainingRun,
  type TrainingReport,
  type TrainingRun,
} from '../services/training-attempts.js';
import type { TrainingSettings } from '../services/training-settings.js';
import { bundleFolder, removeLeftovers, workFolder } from './training-folders.js';
import type { TrainEvent, TrainMessage } from './training-messages.js';

export interface TrainingDeps {
  readonly dataDir: string;
  readonly blobFolder: string;
  readonly threads: number | undefined;
  /** Starts a child of its own for one attempt: what it held is free when it ends. */
  readonly openChild: () => InferenceProcess<TrainMessage, TrainEvent>;
  readonly describeBundle: (folder: string) => Promise<BundleFacts>;
  /** Version of the package, and the commit where one is known. */
  readonly codeVersion: () => Promise<Readonly<Record<string, string | null>>>;
}

/** Progress is written, and requests are looked for, so often. */
const REPORT_MS = 300;

/** Reads the rows of a run into the message for its child. */
async function gather(services: Services, deps: TrainingDeps, run: TrainingRun): Promise<TrainMessage> {
  const { prisma } = services.store;
  const { subject, baseModel, sessions, stimuli, pictures } = await prisma.trainingRun.findUniqueOrThrow({
    where: { id: run.id },
    include: {
      subject: true,
      baseModel: true,
      sessions: {
        include: { session: { include: { trials: { orderBy: { index: 'asc' } } } } },
        orderBy: { session: { label: 'asc' } },
      },
      stimuli: { include: { image: true } },
      pictures: { include: { image: true }, orderBy: { imageId: 'asc' } },
    },
  });
  stimuli.sort((a, b) => (a.name < b.name ? -1 : 1));
  // Names of one picture are one stimulus.
  const rowOfImage = new Map<string, number>();
  for (const { imageId } of stimuli) if (!rowOfImage.has(imageId)) rowOfImage.set(imageId, rowOfImage.size);
  const rowOfName = new Map(stimuli.map(({ name, imageId }) => [name, rowOfImage.get(imageId)!]));
  const first = new Map(stimuli.map((stimulus) => [stimulus.imageId, stimulus]));
  const labelOf = new Map(
    stimuli.flatMap(({ imageId, label }) => (label === null ? [] : [[imageId, label]])),
  );
  const facts = await deps.describeBundle(baseModel.folder);
  return {
    name: run.name,
    subject: { label: subject.label, simulated: subject.simulated },
    base: { folder: baseModel.folder, hash: baseModel.hash },
    parts: run.parts,
    settings: run.settings as TrainingSettings,
    voxels: sessions[0]!.session.voxels,
    sessions: sessions.map(({ session }) => ({
      label: session.label,
      betasSha256: session.betasSha256,
      stimulusOfTrial: Int32Array.from(session.trials, (trial) => rowOfName.get(trial.stimulus)!),
    })),
    stimuli: [...rowOfImage.keys()].map((imageId) => {
      const { image, heldOut } = first.get(imageId)!;
      const label = labelOf.get(imageId);
      return { pngSha256: image.pngSha256, heldOut, ...(label === undefined ? {} : { label }) };
    }),
    pictures: pictures.map(({ image }) => image.pngSha256),
    blobFolder: deps.blobFolder,
    workFolder: workFolder(deps.dataDir, run.id),
    bundleFolder: bundleFolder(deps.dataDir, run.id),
    threads: deps.threads,
    provenance: {
      trainingRun: run.id,
      code: await deps.codeVersion(),
      subject: subject.label,
      simulated: subject.simulated,
      baseModel: { name: baseModel.name, hash: baseModel.hash, files: facts.training.files },
      parts: run.parts,
      settings: run.settings,
      sessions: sessions.map(({ session }) => ({
        label: session.label,
        trials: session.trials.length,
        voxels: session.voxels,
        constantVoxels: session.constantVoxels,
        normalisation: session.normalisation,
        uploadSha256: session.uploadSha256,
        betasSha256: session.betasSha256,
      })),
      stimuli: stimuli.map(({ name, label, image, heldOut }) => ({
        name,
        label,
        uploadSha256: image.sha256,
        pngSha256: image.pngSha256,
        heldOut,
      })),
      pictures: pictures.map(({ image }) => ({ uploadSha256: image.sha256, pngSha256: image.pngSha256 })),
    },
  };
}

/** Collects what the child tells and writes it now and then, in order; a refused write stops the attempt. */
function startReports(services: Services, run: TrainingRun, stop: () => void) {
  let points: Point[] = [];
  let rest: Omit<TrainingReport, 'points'> = {};
  let writing: Promise<void> = Promise.resolve();
  const write = () => {
    writing = writing.then(async () => {
      const report = { ...rest, points };
      [points, rest] = [[], {}];
      if (!(await reportTraining(services, run, report))) stop();
    });
    writing.catch(stop);
  };
  const timer = setInterval(write, REPORT_MS);
  return {
    add(event: TrainEvent) {
      if (event.type === 'point') {
        const { stage, name, step, value } = event;
        points.push({ stage, name, step, value });
      }
      if (event.type === 'progress') {
        const { stage, step, steps } = event;
        rest = { ...rest, progress: { stage, step, steps } };
      }
      if (event.type === 'voxels') rest = { ...rest, excludedVoxels: event.excluded };
    },
    /** Writes what is left; rejects when a write has failed. */
    async end() {
      clearInterval(timer);
      write();
      await writing;
    },
  };
}

/**
 * Runs one attempt; `movedOn` hears of its checkpoints. Throws only for what is worth another attempt: a lost child, a lost
 * database, a fault of ours.
 */
export async function runTraining(
  services: Services,
  deps: TrainingDeps,
  runId: string,
  shutdown: AbortSignal,
  movedOn: () => Promise<void>,
): Promise<void> {
  const run = await claimTrainingRun(services, runId);
  if (!run) return removeLeftovers(services, deps.dataDir, [runId]);
  const abort = new AbortController();
  const stop = () => abort.abort();
  shutdown.addEventListener('abort', stop, { once: true });
  const child = deps.openChild();
  const reports = startReports(services, run, stop);
  const told: { fault?: TrainEvent & { type: 'fault' }; bundle?: TrainEvent & { type: 'bundle' } } = {};
  try {
    const message = await gather(services, deps, run);
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'fault') told.fault = event;
      else if (event.type === 'bundle') told.bundle = event;
      // Attempts are not counted anew when it cannot be written; the run itself goes on.
      else if (event.type === 'checkpoint') movedOn().catch(() => {});
      else reports.add(event);
    };
    await child.run(message, onEvent, abort.signal);
    await reports.end();
    const { metrics, provenance } = told.bundle!;
    const facts = await deps.describeBundle(message.bundleFolder);
    const stored = await succeedTrainingRun(services, run, {
      facts,
      metrics: metrics.map((metric) => ({ ...metric })),
      provenance: JSON.parse(JSON.stringify(provenance)),
    });
    if (!stored) await stopTrainingRun(services, run);
  } catch (error) {
    await reports.end();
    if (shutdown.aborted)
      throw new AppError('UNAVAILABLE', 'the worker is shutting down; the run goes on elsewhere');
    const known = isAppError(error) || (error instanceof InferenceFailedError && error.code !== undefined);
    if (!known) throw error;
    if (error.code === 'CANCELLED') await stopTrainingRun(services, run);
    else {
      const { stage, step } = told.fault ?? {};
      const fault = { code: error.code!, message: error.message, field: error.field, stage, step };
      await failTrainingRun(services, run, fault);
    }
  } finally {
    shutdown.removeEventListener('abort', stop);
    await child.close();
  }
  await removeLeftovers(services, deps.dataDir, [runId]);
}
