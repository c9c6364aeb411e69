// Models: bundles that this server can paint with, registered from their folders.

import { resolve } from 'node:path';
import { AppError } from '../errors.js';
import type { Model } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import type { Services } from './context.js';

/** What registration needs to know of a verified bundle. */
export interface BundleFacts {
  readonly folder: string;
  readonly hash: string;
  readonly name: string;
  readonly voxels: number;
  readonly imageSizePx: number;
  readonly subject: { readonly label: string; readonly simulated: boolean };
  readonly defaults: { readonly steps: number; readonly guidanceScale: number };
  readonly training: TrainingBaseFacts;
}

/** What a bundle offers as the base of a training run. */
export interface TrainingBaseFacts {
  /** Names of its networks, such as image_encoder. */
  readonly components: readonly string[];
  readonly prediction: 'epsilon' | 'v_prediction';
  /** Why its UNet cannot be trained on; undefined where it can. */
  readonly unetFault: string | undefined;
  /** sha256 of every file. */
  readonly files: Readonly<Record<string, string>>;
}

/** Registers a bundle; a bundle of the same hash is one model, wherever its folder is now. */
export function registerModel({ store }: Services, facts: BundleFacts): Promise<Model> {
  return registerModelIn(store.prisma, facts);
}

/** The same within the caller's transaction. */
export async function registerModelIn(
  tx: Pick<Transaction, 'model'>,
  facts: Omit<BundleFacts, 'training'>,
): Promise<Model> {
  const data = {
    name: facts.name,
    folder: facts.folder,
    subjectLabel: facts.subject.label,
    simulated: facts.subject.simulated,
    voxels: facts.voxels,
    imageSizePx: facts.imageSizePx,
    defaultSteps: facts.defaults.steps,
    defaultGuidanceScale: facts.defaults.guidanceScale,
  };
  return tx.model.upsert({
    where: { hash: facts.hash },
    create: { hash: facts.hash, ...data },
    update: { folder: facts.folder },
  });
}

/** Registers a bundle by its folder, in any spelling of its path, which must be one of the server's. Throws AppError on field 'folder'. */
export async function registerModelFolder(
  services: Services,
  folder: string,
  allowed: readonly string[],
  describe: (folder: string) => Promise<BundleFacts>,
): Promise<Model> {
  const wanted = resolve(folder);
  if (!allowed.some((path) => resolve(path) === wanted)) {
    const message = `this server's model folders are: ${allowed.join(', ') || 'none'}`;
    throw new AppError('NOT_FOUND', message, { field: 'folder' });
  }
  return registerModel(services, await describe(wanted));
}
