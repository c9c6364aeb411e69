// Photographs for backgrounds: every picture in the folders that the user names.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRgb, resizeRgb } from '../../imaging/decode.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../train/rng.js';

/** Reads up to `limit` pictures, chosen by the generator; larger ones are brought to at most 512 px a side. */
export async function readPhotographs(
  folders: readonly string[],
  limit: number,
  rng: Rng,
): Promise<RgbImage[]> {
  const paths: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true });
    paths.push(
      ...entries.filter((name) => /\.(png|jpe?g|webp)$/i.test(name)).map((name) => join(folder, name)),
    );
  }
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
