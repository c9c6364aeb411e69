// Source images and masks.

import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import type { Mask, Prisma, SourceImage } from '../generated/prisma/client.js';
import { decodeRgb, encodePng, encodeThumbnail, inspectImage } from '../imaging/decode.js';
import { maskFromImage } from '../imaging/mask-image.js';
import { type MaskMode, sampleTrainingMask } from '../imaging/mask-sampler.js';
import { type MaskPreset, maskCoverage, presetMask } from '../imaging/mask-shapes.js';
import type { MaskImage } from '../imaging/types.js';
import { createRng } from '../random.js';
import { authorize } from './access.js';
import { audit } from './audit.js';
import type { SampledMasks } from './benchmark-orders.js';
import type { Services } from './context.js';
import { editRow, type Naming, namingOf, wasDeleted } from './edits.js';
import { createUnlessTaken } from './unique.js';

export type MaskPresetInput = MaskPreset;

/** Decodes, checks and stores a picture; the same file again returns the same row. */
export async function uploadImage(services: Services, bytes: Uint8Array): Promise<SourceImage> {
  const { store, blobs, viewer } = services;
  authorize(viewer, 'uploadSourceImage');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { sourceImage } = store.prisma;
  const where = { sha256 };
  const before = await sourceImage.findUnique({ where });
  if (before?.deletedAt) throw wasDeleted('SourceImage', before.id, 'file');
  if (before) return before;
  const { format } = await inspectImage(bytes, 'file');
  const image = await decodeRgb(bytes, 'file');
  const [pngSha256, thumbnailSha256] = [
    await blobs.put(await encodePng(image)),
    await blobs.put(await encodeThumbnail(image)),
  ];
  const data = {
    sha256,
    format,
    width: image.width,
    height: image.height,
    sizeBytes: bytes.length,
    pngSha256,
    thumbnailSha256,
  };
  return createUnlessTaken(
    'source_image_sha256_key',
    () =>
      store.prisma.$transaction(async (tx) => {
        const after = await tx.sourceImage.create({ data });
        await audit(tx, viewer, { action: 'uploadSourceImage', type: 'SourceImage', id: after.id, after });
        return after;
      }),
    () => sourceImage.findUniqueOrThrow({ where }),
  );
}

async function requireImage({ store }: Services, id: string): Promise<SourceImage> {
  const image = await store.prisma.sourceImage.findUnique({ where: { id, deletedAt: null } });
  if (!image) throw new AppError('NOT_FOUND', 'no such image', { field: 'imageId' });
  return image;
}

/** Black and white PNG of a mask, for the eye. */
function encodeMask({ width, height, data }: MaskImage): Promise<Buffer> {
  const wide = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) if (data[i]) wide.fill(255, i * 3, i * 3 + 3);
  return encodePng({ width, height, data: wide });
}

async function storeMask(
  { store, blobs, viewer }: Services,
  action: 'createMask' | 'uploadMask',
  image: SourceImage,
  mask: MaskImage,
  preset?: MaskPreset,
): Promise<Mask> {
  const sha256 = createHash('sha256').update(mask.data).digest('hex');
  const where = { imageId_sha256: { imageId: image.id, sha256 } };
  const before = await store.prisma.mask.findUnique({ where });
  if (before?.deletedAt) throw wasDeleted('Mask', before.id, 'imageId');
  if (before) return before;
  await blobs.put(mask.data);
  const data = {
    imageId: image.id,
    sha256,
    pngSha256: await blobs.put(await encodeMask(mask)),
    coverage: maskCoverage(mask),
    ...(preset ? { preset: { ...preset } as Prisma.InputJsonObject } : {}),
  };
  return createUnlessTaken(
    'mask_image_id_sha256_key',
    () =>
      store.prisma.$transaction(async (tx) => {
        const after = await tx.mask.create({ data });
        await audit(tx, viewer, { action, type: 'Mask', id: after.id, after });
        return after;
      }),
    () => store.prisma.mask.findUniqueOrThrow({ where }),
  );
}

/** Makes a mask from a shape; the same pixels again return the same row. */
export async function createPresetMask(
  services: Services,
  imageId: string,
  preset: MaskPreset,
): Promise<Mask> {
  authorize(services.viewer, 'createMask');
  const image = await requireImage(services, imageId);
  return storeMask(services, 'createMask', image, presetMask(preset, image.width, image.height), preset);
}

/** The square that masks are drawn on before they are stretched over a picture. */
const SAMPLED_ON_PX = 1000;

/** Draws a mask by chance for a picture: seed and place decide, whatever the other pictures are. */
export async function createSampledMask(
  services: Services,
  imageId: string,
  { probabilities, fullShare, seed }: SampledMasks,
  place: number,
): Promise<{ readonly mask: Mask; readonly mode: MaskMode }> {
  authorize(services.viewer, 'createMask');
  const image = await requireImage(services, imageId);
  const rng = createRng((seed + place) % 2 ** 32);
  const options = { sizePx: SAMPLED_ON_PX, probabilities, fullShare, stretchTo: image };
  const { mask, mode } = sampleTrainingMask(rng, options);
  return { mask: await storeMask(services, 'createMask', image, mask), mode };
}

/** Checks and stores a drawn mask, transparent pixels kept as black ones are; the same pixels again return the same row. */
export async function uploadMask(services: Services, imageId: string, bytes: Uint8Array): Promise<Mask> {
  authorize(services.viewer, 'uploadMask');
  const image = await requireImage(services, imageId);
  // Editors save strokes on a transparent canvas: what is not drawn is kept.
  const picture = await decodeRgb(bytes, 'file', '#000000');
  return storeMask(services, 'uploadMask', image, maskFromImage(picture, image, 'file'));
}

/** Names a picture and writes notes about it. Throws AppError NOT_FOUND, BAD_INPUT, or CONFLICT when it was changed meanwhile. */
export function updateImage(services: Services, input: Naming): Promise<SourceImage> {
  authorize(services.viewer, 'updateSourceImage');
  const data = namingOf(input, 0);
  return editRow(services, { action: 'updateSourceImage', type: 'SourceImage', ...input }, async () => data);
}
