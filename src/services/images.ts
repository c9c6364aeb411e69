// Source images and masks.

import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import type { Mask, SourceImage } from '../generated/prisma/client.js';
import { decodeRgb, encodePng, encodeThumbnail, inspectImage } from '../imaging/decode.js';
import { maskFromImage } from '../imaging/mask-image.js';
import { type MaskPreset, maskCoverage, presetMask } from '../imaging/mask-shapes.js';
import type { MaskImage } from '../imaging/types.js';
import type { Services } from './context.js';

/** Decodes, checks and stores a picture; the same file again returns the same row. */
export async function uploadImage({ store, blobs }: Services, bytes: Uint8Array): Promise<SourceImage> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const before = await store.prisma.sourceImage.findUnique({ where: { sha256 } });
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
  return store.prisma.sourceImage.upsert({ where: { sha256 }, create: data, update: {} });
}

async function requireImage({ store }: Services, id: string): Promise<SourceImage> {
  const image = await store.prisma.sourceImage.findUnique({ where: { id } });
  if (!image) throw new AppError('NOT_FOUND', 'no such image', { field: 'imageId' });
  return image;
}

async function storeMask({ store, blobs }: Services, image: SourceImage, mask: MaskImage): Promise<Mask> {
  const sha256 = await blobs.put(mask.data);
  const data = { imageId: image.id, sha256, coverage: maskCoverage(mask) };
  return store.prisma.mask.upsert({
    where: { imageId_sha256: { imageId: image.id, sha256 } },
    create: data,
    update: {},
  });
}

export async function createPresetMask(
  services: Services,
  imageId: string,
  preset: MaskPreset,
): Promise<Mask> {
  const image = await requireImage(services, imageId);
  return storeMask(services, image, presetMask(preset, image.width, image.height));
}

export async function uploadMask(services: Services, imageId: string, bytes: Uint8Array): Promise<Mask> {
  const image = await requireImage(services, imageId);
  return storeMask(services, image, maskFromImage(await decodeRgb(bytes, 'file'), image, 'file'));
}
