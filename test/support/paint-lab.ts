// Rows of paint jobs for tests of the services: a subject with trials, a picture with a mask, and a model that nothing paints.

import { join } from 'node:path';
import { writeNpy } from '../../src/fmri/npy.js';
import { encodePng } from '../../src/imaging/decode.js';
import { describeBundle } from '../../src/main/platform.js';
import { SYSTEM } from '../../src/services/access.js';
import type { Services } from '../../src/services/context.js';
import { createPresetMask, uploadImage } from '../../src/services/images.js';
import { registerModel } from '../../src/services/models.js';
import type { PaintJobOrder } from '../../src/services/paint-job-orders.js';
import { createSubject, importSession } from '../../src/services/subjects.js';
import { openBlobs } from '../../src/store/blobs.js';
import { openStore } from '../../src/store/client.js';
import { TINY, writeTinyBundle } from './tiny-bundle.js';

export interface PaintParts {
  readonly order: PaintJobOrder;
  /** Of the same subject: stimuli a, b, a, b ... */
  readonly trialIds: readonly string[];
  readonly subjectId: string;
}

/** Opens the services of a database, with blobs in a folder. */
export function openTestServices(url: string, folder: string, connections = 8): Services {
  const [store, blobs] = [openStore(url, connections), openBlobs(folder)];
  return { store, blobs, secretKey: 'key of the tests', viewer: SYSTEM };
}

/** Writes the rows; `label` names the subject and makes the rest unique. */
export async function writePaintParts({ store }: Services, label = '01', trials = 4): Promise<PaintParts> {
  const { prisma } = store;
  const model = await prisma.model.create({
    data: {
      name: 'none',
      hash: `hash-${label}`,
      folder: 'none',
      subjectLabel: label,
      simulated: true,
      voxels: 4,
      imageSizePx: 32,
      defaultSteps: 10,
      defaultGuidanceScale: 2,
    },
  });
  const subject = await prisma.subject.create({
    data: {
      label,
      sessions: {
        create: {
          label: '01',
          voxels: 4,
          constantVoxels: 0,
          normalisation: 'none',
          uploadSha256: label,
          betasSha256: label,
          trials: {
            create: Array.from({ length: trials }, (_, index) => ({
              index,
              stimulus: 'ab'[index % 2]!,
              repetition: 1 + (index >> 1),
            })),
          },
        },
      },
    },
    include: { sessions: { include: { trials: { orderBy: { index: 'asc' } } } } },
  });
  const image = await prisma.sourceImage.create({
    data: {
      sha256: `image-${label}`,
      format: 'png',
      width: 8,
      height: 8,
      sizeBytes: 1,
      pngSha256: 'x',
      thumbnailSha256: 'x',
      masks: { create: { sha256: 'x', pngSha256: 'x', coverage: 0.5 } },
    },
    include: { masks: true },
  });
  const trialIds = subject.sessions[0]!.trials.map((trial) => trial.id);
  return {
    subjectId: subject.id,
    trialIds,
    order: {
      imageId: image.id,
      maskId: image.masks[0]!.id,
      modelId: model.id,
      trialIds: [trialIds[0]!],
      method: 'BRAIN',
      seed: 0,
      paintingCount: 1,
    },
  };
}

/** Stores what can really be painted: a tiny bundle in `folder`, a session, a picture and a mask. */
export async function storePaintParts(services: Services, folder: string): Promise<PaintJobOrder> {
  const bundle = join(folder, 'bundle');
  await writeTinyBundle(bundle);
  const model = await registerModel(services, await describeBundle(bundle));
  const subject = await createSubject(services, { label: TINY.label, simulated: true });
  const betas = Float32Array.from({ length: 3 * TINY.voxels }, (_, i) => Math.sin(i * i));
  const session = await importSession(services, {
    subjectId: subject.id,
    label: '01',
    betas: writeNpy(betas, [3, TINY.voxels]),
    trialTable: 'stimulus\na\nb\na\n',
  });
  const trial = await services.store.prisma.trial.findFirstOrThrow({ where: { sessionId: session.id } });
  const pixels = Uint8Array.from({ length: 40 * 32 * 3 }, (_, i) => (i * 37) % 255);
  const image = await uploadImage(services, await encodePng({ width: 40, height: 32, data: pixels }));
  const box = { left: 0.25, top: 0.25, width: 0.5, height: 0.5 };
  const mask = await createPresetMask(services, image.id, { shape: 'rectangle', ...box });
  return {
    imageId: image.id,
    maskId: mask.id,
    modelId: model.id,
    trialIds: [trial.id],
    method: 'BRAIN',
    seed: 0,
    paintingCount: 1,
  };
}
