// A painting that was broken on purpose: coarse noise where the mask is.

import type { MaskImage, RandomSource, RgbImage } from './types.js';

const BLOCK_PX = 6;

/** The picture with blocks of random colours in the masked region; the rest stays. */
export function breakRegion(image: RgbImage, mask: MaskImage, random: RandomSource): RgbImage {
  const data = Uint8Array.from(image.data);
  const across = Math.ceil(image.width / BLOCK_PX);
  const down = Math.ceil(image.height / BLOCK_PX);
  const colours = Uint8Array.from({ length: across * down * 3 }, () => Math.floor(random.uniform() * 256));
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const at = y * image.width + x;
      if (mask.data[at] !== 255) continue;
      const block = Math.floor(y / BLOCK_PX) * across + Math.floor(x / BLOCK_PX);
      data.set(colours.subarray(block * 3, block * 3 + 3), at * 3);
    }
  }
  return { ...image, data };
}
