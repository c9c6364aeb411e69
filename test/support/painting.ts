// A painting whose pixels do not matter, for tests of what is done with paintings.

import { randomUUID } from 'node:crypto';
import type { Lab } from './lab.js';

/** Stores a painting with all that it hangs on, and returns its key. */
export async function addPainting({ services }: Lab): Promise<string> {
  const { prisma } = services.store;
  const sha256 = randomUUID();
  const image = await prisma.sourceImage.create({
    data: { sha256, format: 'png', width: 1, height: 1, sizeBytes: 1, pngSha256: '', thumbnailSha256: '' },
  });
  const mask = await prisma.mask.create({ data: { imageId: image.id, sha256, pngSha256: '', coverage: 1 } });
  const model = await prisma.model.create({
    data: {
      name: 'none',
      hash: sha256,
      folder: '/none',
      subjectLabel: '01',
      simulated: true,
      voxels: 1,
      imageSizePx: 1,
      defaultSteps: 1,
      defaultGuidanceScale: 1,
    },
  });
  const parts = { imageId: image.id, maskId: mask.id, modelId: model.id };
  const painting = await prisma.painting.create({
    data: {
      index: 0,
      pngSha256: '',
      thumbnailSha256: '',
      outsideMaskDifferentPixels: 0,
      job: { create: { ...parts, seed: 1n, steps: 1, guidanceScale: 1, paintingCount: 1 } },
    },
  });
  return painting.id;
}
