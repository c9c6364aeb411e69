// Training runs as their owners see them: create, pause, resume, cancel, watch. What workers write is in training-attempts.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';
import { type Prisma, TrainingPart, type TrainingRun, TrainingRunState } from '../generated/prisma/client.js';
import { enqueue } from '../queue/queue.js';
import type { Transaction } from '../store/client.js';
import { authorize, reach } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { holdParts } from './deletions.js';
import type { BundleFacts } from './models.js';
import { type LinkedStimulus, requirePictures } from './stimuli.js';
import { fillSettings, type Given, type TrainingSettings } from './training-settings.js';

export interface CreateTrainingRun {
  readonly name?: string | null | undefined;
  readonly subjectId: string;
  readonly sessionIds?: readonly string[] | null | undefined;
  readonly baseModelId: string;
  readonly parts: readonly TrainingPart[];
  readonly heldOutStimuli?: readonly string[] | null | undefined;
  readonly heldOutFraction?: number | null | undefined;
  readonly useSourceImages: boolean;
  readonly settings?: Given<TrainingSettings> | null | undefined;
}

const DEFAULT_HELD_OUT = 0.1;
/** Two-way identification needs two, and so does a loss that tells stimuli apart. */
const FEWEST = 2;

function bad(field: string, message: string): never {
  throw new AppError('BAD_INPUT', message, { field });
}

function missing(field: string, what: string): never {
  throw new AppError('NOT_FOUND', `no such ${what}`, { field });
}

async function requireSessions(
  { store }: Services,
  subject: { id: string; label: string },
  ids: readonly string[] | null | undefined,
) {
  const sessions = await store.prisma.fmriSession.findMany({
    where: { subjectId: subject.id, deletedAt: null, ...(ids ? { id: { in: [...ids] } } : {}) },
    orderBy: { label: 'asc' },
  });
  if (ids && sessions.length !== new Set(ids).size)
    missing('sessionIds', `session of subject ${subject.label}`);
  if (sessions.length === 0) bad('sessionIds', `subject ${subject.label} has no session; import one first`);
  const voxels = sessions[0]!.voxels;
  if (sessions.some((session) => session.voxels !== voxels)) {
    const counts = sessions.map((session) => `${session.label}: ${session.voxels}`).join(', ');
    bad('sessionIds', `the sessions have different numbers of voxels (${counts}); choose those that agree`);
  }
  const flat = sessions.find((session) => session.constantVoxels === voxels);
  if (flat)
    bad('sessionIds', `no voxel of session ${flat.label} ever changes; there is nothing to learn from it`);
  return sessions;
}

/** Refuses a picture that is of one category by one of its names and of another by another. */
function checkLabels(stimuli: readonly LinkedStimulus[]): void {
  const first = new Map<string, LinkedStimulus>();
  for (const stimulus of stimuli) {
    if (stimulus.label === null) continue;
    const { name, label } = first.get(stimulus.imageId) ?? stimulus;
    first.set(stimulus.imageId, { ...stimulus, name, label });
    if (label !== stimulus.label) {
      const message = `${name} and ${stimulus.name} are one picture, labelled '${label}' and '${stimulus.label}'; change one with linkStimuli`;
      bad('sessionIds', message);
    }
  }
}

/** Splits by picture: two names of one picture never stand on both sides. */
function split(stimuli: readonly LinkedStimulus[], input: CreateTrainingRun, seed: number): Set<string> {
  const { heldOutStimuli, heldOutFraction } = input;
  const nameOf = new Map<string, string>();
  for (const { name, imageId } of stimuli) if (!nameOf.has(imageId)) nameOf.set(imageId, name);
  if (heldOutStimuli) {
    if (heldOutFraction != null) bad('heldOutFraction', 'give either heldOutStimuli or heldOutFraction');
    const imageOf = new Map(stimuli.map(({ name, imageId }) => [name, imageId]));
    const unknown = heldOutStimuli.filter((name) => !imageOf.has(name));
    if (unknown.length > 0)
      bad('heldOutStimuli', `no trial of these sessions shows ${unknown.slice(0, 5).join(', ')}`);
    const chosen = new Set(heldOutStimuli);
    const images = new Set(heldOutStimuli.map((name) => imageOf.get(name)!));
    const torn = stimuli.find(({ name, imageId }) => images.has(imageId) && !chosen.has(name));
    if (torn)
      bad('heldOutStimuli', `${torn.name} shows a picture that is held out under another name; name both`);
    return checkSplit(images, nameOf.size, 'heldOutStimuli');
  }
  const fraction = heldOutFraction ?? DEFAULT_HELD_OUT;
  if (!(fraction > 0 && fraction < 1))
    bad('heldOutFraction', `the held-out share must be over 0 and under 1, it is ${fraction}`);
  const rank = (name: string) => createHash('sha256').update(`${seed}:${name}`).digest('hex');
  const order = [...nameOf].map(([imageId, name]) => ({ imageId, rank: rank(name) }));
  order.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const count = Math.round(fraction * order.length);
  return checkSplit(
    new Set(order.slice(0, count).map(({ imageId }) => imageId)),
    nameOf.size,
    'heldOutFraction',
  );
}

function checkSplit(heldOut: Set<string>, all: number, field: string): Set<string> {
  if (heldOut.size < FEWEST || all - heldOut.size < FEWEST) {
    bad(
      field,
      `of ${all} stimuli ${heldOut.size} would be held out; at least ${FEWEST} are needed for measuring and ${FEWEST} for training`,
    );
  }
  return heldOut;
}

function checkBase(
  facts: BundleFacts,
  wanted: { parts: readonly TrainingPart[]; voxels: number; subjectLabel: string },
): void {
  const { components, unetFault } = facts.training;
  const unsupported = (field: string, message: string): never => {
    throw new AppError('UNSUPPORTED', message, { field });
  };
  if (!components.includes('image_encoder'))
    unsupported('baseModelId', `the model ${facts.name} has no image encoder; choose a base that has one`);
  if (wanted.parts.includes(TrainingPart.DIFFUSION)) {
    if (unetFault) unsupported('baseModelId', `the UNet of ${facts.name} cannot be trained on: ${unetFault}`);
  }
  for (const [part, component] of [
    [TrainingPart.PSEUDO_BRAIN_GENERATOR, 'pseudo_brain_generator'],
    [TrainingPart.BRAIN_ADAPTER, 'brain_adapter'],
  ] as const) {
    if (wanted.parts.includes(part)) continue;
    if (!components.includes(component))
      bad('parts', `the base has no ${component.replaceAll('_', ' ')} to keep; train it too`);
    if (facts.subject.label !== wanted.subjectLabel || facts.voxels !== wanted.voxels) {
      bad(
        'parts',
        `the ${component.replaceAll('_', ' ')} of the base is of subject ${facts.subject.label} with ${facts.voxels} voxels, the sessions of subject ${wanted.subjectLabel} with ${wanted.voxels}; train it too`,
      );
    }
  }
}

/** Checks a run whole and writes its rows and its queue entry in one transaction. Throws AppError naming the field. */
export async function createTrainingRun(
  services: Services,
  input: CreateTrainingRun,
  describeBundle: (folder: string) => Promise<BundleFacts>,
): Promise<TrainingRun> {
  authorize(services.viewer, 'createTrainingRun');
  const { prisma } = services.store;
  const subject = await prisma.subject.findUnique({
    where: { id: input.subjectId, withdrawnAt: null, deletedAt: null },
  });
  if (!subject) missing('subjectId', 'subject');
  const base = await prisma.model.findUnique({
    where: { id: input.baseModelId, withdrawnAt: null, deletedAt: null },
  });
  if (!base) missing('baseModelId', 'model');
  if (input.parts.length === 0) bad('parts', 'name at least one part to train');
  const name = input.name ?? `${base!.name}-sub-${subject!.label}`;
  if (!/^[\w][\w .-]{0,99}$/.test(name))
    bad('name', 'a name has 1 to 100 letters, digits, blanks, dots, dashes and underscores');
  const sessions = await requireSessions(services, subject!, input.sessionIds);
  const facts = await describeBundle(base!.folder).catch((cause) => {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError(cause.code, cause.message, { field: 'baseModelId', cause });
  });
  if (facts.hash !== base!.hash) {
    throw new AppError(
      'CONFLICT',
      'the files of this model have changed since it was registered; restart the server',
      {
        field: 'baseModelId',
      },
    );
  }
  checkBase(facts, { parts: input.parts, voxels: sessions[0]!.voxels, subjectLabel: subject!.label });
  const shown = await prisma.trial.groupBy({
    by: ['stimulus'],
    where: { sessionId: { in: sessions.map((session) => session.id) } },
  });
  const names = shown.map((row) => row.stimulus).sort();
  const linked = await requirePictures(services, names, 'sessionIds');
  const stimuli = linked.sort((a, b) => (a.name < b.name ? -1 : 1));
  checkLabels(stimuli);
  const heldOut = split(stimuli, input, Number(input.settings?.seed ?? 0));
  const images = new Set(stimuli.map((stimulus) => stimulus.imageId));
  const settings = fillSettings(input.settings, {
    trainingStimuli: images.size - heldOut.size,
    prediction: facts.training.prediction,
    voxels: sessions[0]!.voxels,
    embeddingSize: facts.training.embeddingSize,
    poolSampleBytes: facts.training.poolSampleBytes,
    quickPainter: !facts.training.unetFault,
  });
  return prisma.$transaction(
    async (tx) => {
      // A withdrawal waits for this, or this for it.
      const [kept] = await tx.$queryRaw<object[]>`
        SELECT id FROM subject WHERE id = ${subject!.id}::uuid AND withdrawn_at IS NULL FOR SHARE`;
      if (!kept) missing('subjectId', 'subject');
      // So does a deletion of what it reads.
      await holdParts(
        (sql, ids) => tx.$queryRawUnsafe(sql, ids),
        {
          Subject: [subject!.id],
          FmriSession: sessions.map((session) => session.id),
          Model: [base!.id],
          SourceImage: [...images],
        },
        'subjectId',
      );
      const run = await tx.trainingRun.create({
        data: {
          name,
          subjectId: subject!.id,
          baseModelId: base!.id,
          parts: [...new Set(input.parts)],
          settings: { ...settings },
          sessions: { create: sessions.map((session) => ({ sessionId: session.id })) },
        },
      });
      await tx.trainingRunStimulus.createMany({
        data: stimuli.map((stimulus) => ({
          runId: run.id,
          ...stimulus,
          heldOut: heldOut.has(stimulus.imageId),
        })),
      });
      if (input.useSourceImages) {
        // Of the same bytes there is one row, so an id names a picture.
        await tx.$executeRaw`
          INSERT INTO training_run_picture (run_id, image_id)
          SELECT ${run.id}::uuid, id FROM source_image
          WHERE deleted_at IS NULL AND id NOT IN (SELECT image_id FROM training_run_stimulus WHERE run_id = ${run.id}::uuid)`;
      }
      await wake(tx, run.id);
      const event = { action: 'createTrainingRun', type: 'TrainingRun', id: run.id };
      await audit(tx, services.viewer, { ...event, after: run });
      return run;
    },
    { timeout: 60_000 },
  );
}

/** Wakes a worker for a run: to train it, or to remove what an ended one left on disk. */
async function wake(tx: Transaction, trainingRunId: string): Promise<void> {
  await enqueue(tx, 'train', { trainingRunId }, `train:${trainingRunId}`);
}

async function requireRun({ store, viewer }: Services, id: string): Promise<TrainingRun> {
  if (reach(viewer, 'TrainingRun') === 'NONE') missing('id', 'training run');
  const where = { id, subject: { withdrawnAt: null } };
  return (await store.prisma.trainingRun.findUnique({ where })) ?? missing('id', 'training run');
}

type Steering = 'pauseTrainingRun' | 'resumeTrainingRun' | 'cancelTrainingRun';
type Told = Partial<Pick<TrainingRun, 'state' | 'pauseRequested' | 'cancelRequested'>>;

/** What an owner's word changes, as far as people need to know. */
const told = ({ state, pauseRequested, cancelRequested }: TrainingRun) => ({
  state,
  pauseRequested,
  cancelRequested,
});

/**
 * Changes a run as `change` says of its row, which is locked meanwhile: a worker's write comes before or after. Nothing
 * happens, and no event is written, where it changes nothing. A run that leaves the queue or enters it wakes a worker.
 */
async function steer(
  services: Services,
  action: Steering,
  id: string,
  change: (run: TrainingRun) => (Told & Prisma.TrainingRunUncheckedUpdateInput) | undefined,
  prepare: (tx: Transaction, run: TrainingRun) => Promise<void> = async () => {},
): Promise<TrainingRun> {
  return services.store.prisma.$transaction(async (tx) => {
    // The subject first, as a withdrawal locks them.
    await tx.$queryRaw`
      SELECT id FROM subject WHERE id = (SELECT subject_id FROM training_run WHERE id = ${id}::uuid) FOR SHARE`;
    await tx.$queryRaw`SELECT id FROM training_run WHERE id = ${id}::uuid FOR UPDATE`;
    const where = { id, subject: { withdrawnAt: null } };
    const before = (await tx.trainingRun.findUnique({ where })) ?? missing('id', 'training run');
    const data = change(before);
    if (!data) return before;
    await prepare(tx, before);
    const after = await tx.trainingRun.update({ where: { id }, data });
    if (after.state === 'QUEUED' || after.state === 'CANCELLED') await wake(tx, id);
    const event = { action, type: 'TrainingRun', id, before: told(before), after: told(after) };
    await audit(tx, services.viewer, event);
    return after;
  });
}

function refuseEnded(run: TrainingRun): never {
  throw new AppError('CONFLICT', `the run has ended: ${run.state.toLowerCase()}`, { field: 'id' });
}

/** Asks a run to pause. A queued one pauses at once, a running one between two steps. CONFLICT when it has ended. */
export async function pauseTrainingRun(services: Services, id: string): Promise<TrainingRun> {
  authorize(services.viewer, 'pauseTrainingRun');
  return steer(services, 'pauseTrainingRun', id, (run) => {
    if (run.finishedAt) refuseEnded(run);
    if (run.state === TrainingRunState.QUEUED)
      return { state: TrainingRunState.PAUSED, pauseRequested: true };
    return run.pauseRequested ? undefined : { pauseRequested: true };
  });
}

/** What a failed run learns from may have been deleted since; a run that goes on keeps it from that. */
async function holdData(tx: Transaction, { id, baseModelId, subjectId }: TrainingRun): Promise<void> {
  const where = { runId: id };
  const sessions = await tx.trainingRunSession.findMany({ where });
  const stimuli = await tx.trainingRunStimulus.findMany({ where });
  const pictures = await tx.trainingRunPicture.findMany({ where });
  const parts = {
    Subject: [subjectId],
    FmriSession: sessions.map(({ sessionId }) => sessionId),
    Model: [baseModelId],
    SourceImage: [...stimuli, ...pictures].map(({ imageId }) => imageId),
  };
  await holdParts((sql, ids) => tx.$queryRawUnsafe(sql, ids), parts, 'id');
}

/** Lets a paused or failed run go on from its checkpoint; takes back a pause that is still pending. */
export async function resumeTrainingRun(services: Services, id: string): Promise<TrainingRun> {
  authorize(services.viewer, 'resumeTrainingRun');
  const resume = (run: TrainingRun) => {
    const { PAUSED, FAILED } = TrainingRunState;
    if (run.state === PAUSED || run.state === FAILED)
      return {
        state: TrainingRunState.QUEUED,
        pauseRequested: false,
        finishedAt: null,
        errorCode: null,
        errorMessage: null,
        errorField: null,
        errorStage: null,
        errorStep: null,
      };
    if (run.finishedAt) refuseEnded(run);
    return run.pauseRequested ? { pauseRequested: false } : undefined;
  };
  return steer(services, 'resumeTrainingRun', id, resume, holdData);
}

/** Ends a run that has not succeeded: a running one between two steps, any other at once. Its checkpoints go. */
export async function cancelTrainingRun(services: Services, id: string): Promise<TrainingRun> {
  authorize(services.viewer, 'cancelTrainingRun');
  return steer(services, 'cancelTrainingRun', id, (run) => {
    const { QUEUED, PAUSED, FAILED, RUNNING, CANCELLED } = TrainingRunState;
    if (run.state === RUNNING) return run.cancelRequested ? undefined : { cancelRequested: true };
    const waits = [QUEUED, PAUSED, FAILED].some((state) => state === run.state);
    return waits ? { state: CANCELLED, cancelRequested: true, finishedAt: new Date() } : undefined;
  });
}

/** How often a watched row is read. */
const WATCH_MS = 300;

/** The run now, after each change, and at last in its final state, unless `gone` ends it. Throws AppError NOT_FOUND. */
export async function* watchTrainingRun(
  services: Services,
  id: string,
  gone?: AbortSignal,
): AsyncGenerator<TrainingRun> {
  let seen = '';
  while (!gone?.aborted) {
    const run = await requireRun(services, id);
    const { state, attempt, stage, step, steps, pauseRequested, cancelRequested, excludedVoxels } = run;
    const facts = [
      state,
      attempt,
      stage,
      step,
      steps,
      pauseRequested,
      cancelRequested,
      excludedVoxels,
    ].join();
    if (facts !== seen) yield run;
    seen = facts;
    if (run.finishedAt) return;
    await sleep(WATCH_MS);
  }
}
