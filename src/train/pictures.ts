// Pictures of any size as networks take them: whole for the image encoder, cropped and masked for the diffusion.

import { resizeRgb } from '../imaging/decode.js';
import { type MaskMode, sampleTrainingMask } from '../imaging/mask-sampler.js';
import { maskBounds } from '../imaging/mask-shapes.js';
import { type ColourScale, scaleColours, writeRegion } from '../imaging/tensor.js';
import type { RgbImage } from '../imaging/types.js';
import type { Rng } from '../random.js';
import type { Session } from '../runtime/session.js';
import type { MaskedPicture } from './diffusion-pool.js';
import { mapRows } from './rows.js';

/** Z of whole pictures, as a stimulus is embedded: [pictures, embeddingSize]. They are asked for one by one, and let go. */
export async function embedPictures(
  encoder: Session,
  count: number,
  pictureOf: (index: number) => RgbImage | Promise<RgbImage>,
  colours?: ColourScale,
): Promise<Float32Array> {
  const side = Number(encoder.inputs[0]!.shape[2]);
  const pixels = new Float32Array(count * 3 * side * side);
  for (let i = 0; i < count; i++) {
    const image = await pictureOf(i);
    const box = { x0: 0, y0: 0, x1: image.width, y1: image.height };
    writeRegion(pixels, i * 3 * side * side, image, undefined, box, side);
  }
  scaleColours(pixels, side * side, colours);
  return mapRows(encoder, pixels, [3, side, side]);
}

/** Least share of the shorter side that a training crop has. */
const SMALLEST_CROP = 0.6;

/** A random square of the picture at `sizePx`. */
async function randomCrop(rng: Rng, image: RgbImage, sizePx: number): Promise<RgbImage> {
  const shorter = Math.min(image.width, image.height);
  const side = Math.max(1, Math.round(shorter * (SMALLEST_CROP + (1 - SMALLEST_CROP) * rng.uniform())));
  const [left, top] = [rng.int(image.width - side + 1), rng.int(image.height - side + 1)];
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const at = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(at, at + side * 3), y * side * 3);
  }
  return resizeRgb({ width: side, height: side, data }, sizePx, sizePx);
}

/** A random crop of a picture with a training mask whose box is at least a sixteenth of the side, and 2 pixels, wide. */
export async function maskedCrop(
  rng: Rng,
  picture: RgbImage,
  sizePx: number,
  probabilities: Readonly<Record<MaskMode, number>>,
): Promise<MaskedPicture> {
  const image = await randomCrop(rng, picture, sizePx);
  const least = Math.max(2, sizePx / 16);
  for (;;) {
    const { mask } = sampleTrainingMask(rng, { sizePx, probabilities });
    const box = maskBounds(mask);
    if (box && box.x1 - box.x0 >= least && box.y1 - box.y0 >= least) return { image, mask, box };
  }
}
