// The pictures that a diffusion pool is drawn from: each is drawn many times, so it is kept, shrunk, while there is room.

import { decodeRgb, resizeRgb } from '../imaging/decode.js';
import type { RgbImage } from '../imaging/types.js';
import type { Blobs } from '../store/blobs.js';

/** Shrunk pictures that are kept. */
const KEPT_BYTES = 256e6;

/** The picture with a shorter side of at most `sidePx`. */
async function shrink(picture: RgbImage, sidePx: number): Promise<RgbImage> {
  const shorter = Math.min(picture.width, picture.height);
  if (shorter <= sidePx) return picture;
  const scaled = (length: number) => Math.round((length * sidePx) / shorter);
  return resizeRgb(picture, scaled(picture.width), scaled(picture.height));
}

/** Gives pictures by their hashes, none with a shorter side over `sidePx`; those used last are kept. */
export function openPoolPictures(
  blobs: Pick<Blobs, 'get'>,
  sidePx: number,
  keptBytes = KEPT_BYTES,
): (hash: string) => Promise<RgbImage> {
  const kept = new Map<string, RgbImage>();
  let bytes = 0;
  return async (hash) => {
    const known = kept.get(hash);
    const picture = known ?? (await shrink(await decodeRgb(await blobs.get(hash), 'stimuli'), sidePx));
    if (!known) bytes += picture.data.length;
    // The one used last stands last.
    kept.delete(hash);
    kept.set(hash, picture);
    for (const [oldest, { data }] of kept) {
      if (bytes <= keptBytes) break;
      kept.delete(oldest);
      bytes -= data.length;
    }
    return picture;
  };
}
