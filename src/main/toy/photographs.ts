// Photographs for backgrounds: every picture in the folders that the user names.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors.js';
import { decodeRgb, resizeRgb } from '../../imaging/decode.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';

async function listPictures(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'ENOTDIR'
          ? 'is not a folder'
          : `cannot be read (${code})`;
    throw new AppError('NOT_FOUND', `${folder} ${reason}; name a folder of photographs`, {
      field: 'photographs',
      cause,
    });
  });
  const pictures = entries.filter((name) => /\.(png|jpe?g|webp)$/i.test(name));
  if (pictures.length > 0) return pictures.map((name) => join(folder, name));
  const message = `${folder} holds no picture (PNG, JPEG or WebP); name a folder of photographs`;
  throw new AppError('NOT_FOUND', message, { field: 'photographs' });
}

/**
 * Reads up to `limit` pictures, chosen by the generator; larger ones are brought to at most 512 px a side.
 * Throws AppError NOT_FOUND that names a folder which is none or holds no picture.
 */
export async function readPhotographs(
  folders: readonly string[],
  limit: number,
  rng: Rng,
): Promise<RgbImage[]> {
  const paths: string[] = [];
  for (const folder of folders) paths.push(...(await listPictures(folder)));
  const images: RgbImage[] = [];
  for (const path of rng.shuffle(paths.sort()).slice(0, limit)) {
    const image = await decodeRgb(await readFile(path), path);
    const scale = 512 / Math.max(image.width, image.height);
    images.push(
      scale < 1
        ? await resizeRgb(image, Math.round(image.width * scale), Math.round(image.height * scale))
        : image,
    );
  }
  return images;
}
