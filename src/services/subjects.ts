// Subjects, their fMRI sessions and trials.

import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import { canonicalLabel } from '../fmri/labels.js';
import { zScoreSession } from '../fmri/normalise.js';
import { readBetaMatrix } from '../fmri/npy.js';
import { parseTrialTable } from '../fmri/trials.js';
import type { FmriSession, Subject } from '../generated/prisma/client.js';
import type { Services } from './context.js';

/** Creates a subject, or returns the one that has this label already. */
export async function createSubject(
  { store }: Services,
  input: { label: string; simulated: boolean },
): Promise<Subject> {
  const label = canonicalLabel(input.label, 'label');
  return store.prisma.subject.upsert({
    where: { label },
    create: { label, simulated: input.simulated },
    update: {},
  });
}

export interface ImportSession {
  readonly subjectId: string;
  readonly label: string;
  readonly betas: Uint8Array;
  readonly trialTable: string;
}

/** Checks and stores a session whole: matrix, z-scores and trials. The same upload again returns the same row. */
export async function importSession({ store, blobs }: Services, input: ImportSession): Promise<FmriSession> {
  const label = canonicalLabel(input.label, 'label');
  const matrix = readBetaMatrix(input.betas, 'betas');
  const rows = parseTrialTable(input.trialTable, matrix.trials, 'trials');
  const subject = await store.prisma.subject.findUnique({ where: { id: input.subjectId } });
  if (!subject) throw new AppError('NOT_FOUND', 'no such subject', { field: 'subjectId' });
  const uploadSha256 = createHash('sha256').update(input.betas).update(input.trialTable).digest('hex');
  const before = await store.prisma.fmriSession.findUnique({
    where: { subjectId_label: { subjectId: subject.id, label } },
  });
  if (before?.uploadSha256 === uploadSha256) return before;
  if (before)
    throw new AppError(
      'CONFLICT',
      `session ${label} of this subject exists with other data; choose another label`,
      { field: 'label' },
    );
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
  return store.prisma.fmriSession.create({
    data: {
      subjectId: subject.id,
      label,
      voxels: matrix.voxels,
      constantVoxels,
      normalisation: 'z-score of each voxel over the trials of the session, ddof 1; constant voxels are 0',
      uploadSha256,
      betasSha256,
      trials: { create: rows.map((row, index) => ({ index, ...row })) },
    },
  });
}

/** The mean z-scored signal over some trials: [voxels]. */
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
  const mean = new Float32Array(voxels);
  const matrices = new Map<string, Float32Array>();
  for (const { session, index } of trials) {
    let matrix = matrices.get(session.id);
    if (!matrix) {
      const bytes = await blobs.get(session.betasSha256);
      matrix = new Float32Array(new Uint8Array(bytes).buffer);
      matrices.set(session.id, matrix);
    }
    for (let v = 0; v < voxels; v++) mean[v]! += matrix[index * voxels + v]! / trials.length;
  }
  return mean;
}
