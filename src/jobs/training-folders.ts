// The folders of training runs: checkpoints while a run may go on from them, the bundle while its model may be used.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Services } from '../services/context.js';

export const workFolder = (dataDir: string, runId: string) => join(dataDir, 'training', runId);
export const bundleFolder = (dataDir: string, runId: string) => join(dataDir, 'models', runId);

const RUN = /^([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?:\.new)?$/;

/** Removes what these runs need no more. Runs that there are not keep what they have: it may be another database's. */
export async function removeLeftovers(
  { store }: Services,
  dataDir: string,
  runIds: readonly string[],
): Promise<void> {
  const runs = await store.prisma.trainingRun.findMany({
    where: { id: { in: [...runIds] } },
    select: { id: true, state: true, subject: { select: { withdrawnAt: true } } },
  });
  for (const { id, state, subject } of runs) {
    const remove = (folder: string) => rm(folder, { recursive: true, force: true });
    if (state === 'SUCCEEDED' || state === 'CANCELLED') await remove(workFolder(dataDir, id));
    // A failed run that is resumed writes its bundle anew; the model of a person who withdrew is used no more.
    const withdrawn = state === 'SUCCEEDED' && subject.withdrawnAt !== null;
    if (state === 'FAILED' || state === 'CANCELLED' || withdrawn) {
      await remove(bundleFolder(dataDir, id));
      await remove(`${bundleFolder(dataDir, id)}.new`);
    }
  }
}

/** The same for every run that has a folder. */
export async function sweepTrainingFolders(services: Services, dataDir: string): Promise<void> {
  const ids = new Set<string>();
  for (const parent of ['training', 'models']) {
    const names = await readdir(join(dataDir, parent)).catch((error) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names) {
      const id = RUN.exec(name)?.[1];
      if (id) ids.add(id);
    }
  }
  await removeLeftovers(services, dataDir, [...ids]);
}
