// Models: bundles that this server can paint with, registered from their folders.

import { resolve } from 'node:path';
import { AppError } from '../errors.js';
import type { Model } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { authorize, type Viewer } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { editRow, type Naming, namingOf, wasDeleted } from './edits.js';

/** What registration needs to know of a verified bundle. */
export interface BundleFacts {
  readonly folder: string;
  readonly hash: string;
  readonly name: string;
  readonly voxels: number;
  readonly imageSizePx: number;
  readonly subject: { readonly label: string; readonly simulated: boolean };
  readonly defaults: { readonly steps: number; readonly guidanceScale: number };
  /** Timesteps that the denoiser was trained on. */
  readonly maxSteps: number;
  /** Whether it has image encoder and pseudo brain generator. */
  readonly twoStage: boolean;
  readonly training: TrainingBaseFacts;
}

/** What a bundle offers as the base of a training run. */
export interface TrainingBaseFacts {
  /** Names of its networks, such as image_encoder. */
  readonly components: readonly string[];
  readonly prediction: 'epsilon' | 'v_prediction';
  /** Why its UNet cannot be trained on; undefined where it can. */
  readonly unetFault: string | undefined;
  /** Width of its image encoder's embeddings; 0 where a mapper hides it. */
  readonly embeddingSize: number;
  /** What a masked picture takes, encoded for the training of its UNet. */
  readonly poolSampleBytes: number;
  /** sha256 of every file that a painting depends on. */
  readonly files: Readonly<Record<string, string>>;
}

/** Registers a bundle; a bundle of the same hash is one model, wherever its folder is now. */
export async function registerModel(services: Services, facts: BundleFacts): Promise<Model> {
  authorize(services.viewer, 'registerModel');
  return services.store.prisma.$transaction((tx) => registerModelIn(tx, services.viewer, facts));
}

/** The same within the caller's transaction, for the platform itself. */
export async function registerModelIn(
  tx: Transaction,
  viewer: Viewer,
  facts: Omit<BundleFacts, 'training'>,
): Promise<Model> {
  const { hash, folder, name, subject, voxels, imageSizePx, defaults, maxSteps, twoStage } = facts;
  const event = { action: 'registerModel', type: 'Model' };
  const [created] = await tx.model.createManyAndReturn({
    data: [
      {
        hash,
        folder,
        name,
        subjectLabel: subject.label,
        simulated: subject.simulated,
        voxels,
        imageSizePx,
        defaultSteps: defaults.steps,
        defaultGuidanceScale: defaults.guidanceScale,
        maxSteps,
        twoStage,
      },
    ],
    skipDuplicates: true,
  });
  if (created) {
    await audit(tx, viewer, { ...event, id: created.id, after: created });
    return created;
  }
  const before = await tx.model.findUniqueOrThrow({ where: { hash } });
  // A model of an earlier version of this program lacks what is known of it by now.
  if (before.folder === folder && before.maxSteps === maxSteps && before.twoStage === twoStage) return before;
  const after = await tx.model.update({ where: { hash }, data: { folder, maxSteps, twoStage } });
  await audit(tx, viewer, { ...event, id: after.id, before, after });
  return after;
}

/** Registers a bundle by its folder, in any spelling of its path, which must be one of the server's. Throws AppError on field 'folder'. */
export async function registerModelFolder(
  services: Services,
  folder: string,
  allowed: readonly string[],
  describe: (folder: string) => Promise<BundleFacts>,
): Promise<Model> {
  authorize(services.viewer, 'registerModel');
  const wanted = resolve(folder);
  if (!allowed.some((path) => resolve(path) === wanted)) {
    const message = `this server's model folders are: ${allowed.join(', ') || 'none'}`;
    throw new AppError('NOT_FOUND', message, { field: 'folder' });
  }
  const model = await registerModel(services, await describe(wanted));
  // At the platform's start it stays deleted; a person who asks for it is told.
  if (model.deletedAt) throw wasDeleted('Model', model.id, 'folder');
  return model;
}

/** Names a model and writes notes about it. Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT when it was changed meanwhile. */
export function updateModel(services: Services, input: Naming): Promise<Model> {
  authorize(services.viewer, 'updateModel');
  const data = namingOf(input, 1);
  return editRow(services, { action: 'updateModel', type: 'Model', ...input }, async () => data);
}
