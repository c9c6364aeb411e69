// Subjects, their fMRI sessions and trials.

import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import { canonicalLabel } from '../fmri/labels.js';
import { meanOfRows, zScoreSession } from '../fmri/normalise.js';
import { readBetaMatrix } from '../fmri/npy.js';
import { parseTrialTable } from '../fmri/trials.js';
import type { FmriSession, Subject } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { authorize } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { checkText, editRow, MAX_NOTES, wasDeleted } from './edits.js';
import { labelStimuli } from './stimulus-labels.js';
import { createUnlessTaken } from './unique.js';

/** Creates a subject, or returns the one that has this label already. */
export async function createSubject(
  { store, viewer }: Services,
  input: { label: string; simulated: boolean },
): Promise<Subject> {
  authorize(viewer, 'createSubject');
  const label = canonicalLabel(input.label, 'label');
  const where = { label };
  const before = await store.prisma.subject.findUnique({ where });
  if (before?.withdrawnAt)
    throw new AppError('CONFLICT', `subject ${label} was withdrawn; choose another label`, {
      field: 'label',
    });
  if (before?.deletedAt) throw wasDeleted('Subject', before.id, 'label');
  if (before) return before;
  return createUnlessTaken(
    'subject_label_key',
    () =>
      store.prisma.$transaction(async (tx) => {
        const after = await tx.subject.create({ data: { label, simulated: input.simulated } });
        await audit(tx, viewer, { action: 'createSubject', type: 'Subject', id: after.id, after });
        return after;
      }),
    () => store.prisma.subject.findUniqueOrThrow({ where }),
  );
}

export interface ImportSession {
  readonly subjectId: string;
  readonly label: string;
  readonly betas: Uint8Array;
  readonly trialTable: string;
}

/** The stored session of a label: undefined, or the same upload's. Throws AppError CONFLICT when it holds other data. */
async function findSession(
  { store }: Services,
  subjectId: string,
  label: string,
  uploadSha256: string,
): Promise<FmriSession | undefined> {
  const where = { subjectId_label: { subjectId, label } };
  const found = await store.prisma.fmriSession.findUnique({ where });
  if (found?.deletedAt) throw wasDeleted('FmriSession', found.id, 'label');
  if (!found || found.uploadSha256 === uploadSha256) return found ?? undefined;
  throw new AppError(
    'CONFLICT',
    `session ${label} of this subject exists with other data; choose another label`,
    { field: 'label' },
  );
}

/** Checks and stores a session whole: matrix, z-scores and trials. The same upload again returns the same row. */
export async function importSession(services: Services, input: ImportSession): Promise<FmriSession> {
  const { store, blobs, viewer } = services;
  authorize(viewer, 'importFmriSession');
  const label = canonicalLabel(input.label, 'label');
  const matrix = readBetaMatrix(input.betas, 'betas');
  const { rows, labels } = parseTrialTable(input.trialTable, matrix.trials, 'trials');
  const subject = await store.prisma.subject.findUnique({
    where: { id: input.subjectId, withdrawnAt: null, deletedAt: null },
  });
  if (!subject) throw new AppError('NOT_FOUND', 'no such subject', { field: 'subjectId' });
  const uploadSha256 = createHash('sha256').update(input.betas).update(input.trialTable).digest('hex');
  const before = await findSession(services, subject.id, label, uploadSha256);
  if (before) return before;
  const model = await store.prisma.model.findFirst({ where: { subjectLabel: subject.label } });
  if (model && model.voxels !== matrix.voxels) {
    throw new AppError(
      'BAD_INPUT',
      `the matrix has ${matrix.voxels} voxels; the model of this subject takes ${model.voxels}`,
      { field: 'betas' },
    );
  }
  const { data, constantVoxels } = zScoreSession(matrix.data, matrix.voxels);
  const betasSha256 = await blobs.put(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  const session = {
    subjectId: subject.id,
    label,
    voxels: matrix.voxels,
    constantVoxels,
    normalisation: 'z-score of each voxel over the trials of the session, ddof 1; constant voxels are 0',
    uploadSha256,
    betasSha256,
    trials: { create: rows.map((row, index) => ({ index, ...row })) },
  };
  return createUnlessTaken(
    'fmri_session_subject_id_label_key',
    () =>
      store.prisma.$transaction(async (tx) => {
        const labelled = await labelStimuli(tx, labels, 'trials');
        const created = await tx.fmriSession.create({ data: session });
        const newLabels = Object.fromEntries(labelled.map(({ stimulus, after }) => [stimulus, after]));
        await audit(tx, viewer, {
          action: 'importFmriSession',
          type: 'FmriSession',
          id: created.id,
          after: labelled.length === 0 ? created : { ...created, newLabels },
        });
        return created;
      }),
    async () => (await findSession(services, subject.id, label, uploadSha256))!,
  );
}

/** The mean z-scored signal over some trials: [voxels]. Holds the matrix of one session at a time. */
export async function meanSignal(
  { store, blobs }: Services,
  trialIds: readonly string[],
): Promise<Float32Array> {
  const trials = await store.prisma.trial.findMany({
    where: { id: { in: [...trialIds] } },
    include: { session: true },
    orderBy: { id: 'asc' },
  });
  const voxels = trials[0]!.session.voxels;
  const rowsOf = new Map<string, number[]>();
  for (const { session, index } of trials)
    rowsOf.set(session.betasSha256, [...(rowsOf.get(session.betasSha256) ?? []), index]);
  const mean = new Float32Array(voxels);
  for (const [sha256, rows] of rowsOf) {
    const matrix = new Float32Array(new Uint8Array(await blobs.get(sha256)).buffer);
    const part = meanOfRows(matrix, voxels, rows);
    for (let v = 0; v < voxels; v++) mean[v]! += part[v]! * (rows.length / trials.length);
  }
  return mean;
}

export interface UpdateSubject {
  readonly id: string;
  readonly expectedVersion: number;
  readonly label?: string | null | undefined;
  readonly notes?: string | null | undefined;
}

/** Models name their subject by its label: one that has models, or work that will make one, keeps its label. */
async function checkRelabel(tx: Transaction, subject: Subject, label: string): Promise<void> {
  const fail = (message: string) => {
    throw new AppError('CONFLICT', message, { field: 'label' });
  };
  const models = await tx.model.count({ where: { subjectLabel: subject.label } });
  if (models > 0) fail(`${models} models are of subject ${subject.label} by its label; it must keep that`);
  const unended = ['QUEUED', 'RUNNING', 'PAUSED', 'FAILED'] as const;
  const runs = await tx.trainingRun.count({ where: { subjectId: subject.id, state: { in: [...unended] } } });
  if (runs > 0) fail(`${runs} training runs of this subject have not ended; end them first`);
  const model = await tx.model.findFirst({ where: { subjectLabel: label } });
  const where = { subjectId: subject.id, NOT: { voxels: model?.voxels ?? 0 } };
  const other = model && (await tx.fmriSession.findFirst({ where }));
  if (other)
    fail(
      `session ${other.label} has ${other.voxels} voxels; the model of subject ${label} takes ${model.voxels}`,
    );
}

/** Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT: changed meanwhile, or a label that cannot change so. */
export function updateSubject(services: Services, input: UpdateSubject): Promise<Subject> {
  authorize(services.viewer, 'updateSubject');
  const label = input.label == null ? undefined : canonicalLabel(input.label, 'label');
  const notes = input.notes == null ? undefined : checkText(input.notes, 'notes', MAX_NOTES);
  const edit = { action: 'updateSubject', type: 'Subject', ...input } as const;
  return createUnlessTaken(
    'subject_label_key',
    () =>
      editRow(services, edit, async (tx, before) => {
        if (label !== undefined && label !== before.label) await checkRelabel(tx, before, label);
        return { ...(label === undefined ? {} : { label }), ...(notes === undefined ? {} : { notes }) };
      }),
    () => {
      throw new AppError('CONFLICT', `another subject has or had the label ${label}`, { field: 'label' });
    },
  );
}

/** Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT: changed meanwhile, or another session has the label. */
export function updateSession(services: Services, input: UpdateSubject): Promise<FmriSession> {
  authorize(services.viewer, 'updateFmriSession');
  const label = input.label == null ? undefined : canonicalLabel(input.label, 'label');
  const notes = input.notes == null ? undefined : checkText(input.notes, 'notes', MAX_NOTES);
  const edit = { action: 'updateFmriSession', type: 'FmriSession', ...input } as const;
  return createUnlessTaken(
    'fmri_session_subject_id_label_key',
    () =>
      editRow(services, edit, async () => ({
        ...(label === undefined ? {} : { label }),
        ...(notes === undefined ? {} : { notes }),
      })),
    () => {
      throw new AppError('CONFLICT', `this subject has or had another session ${label}`, { field: 'label' });
    },
  );
}
