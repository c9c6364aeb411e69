// What a judge of labelled pictures learns from: views of them as paintings are seen, whole and in part, in other light.

import { writeRegion } from '../imaging/tensor.js';
import type { RgbImage } from '../imaging/types.js';
import type { Rng } from '../random.js';
import { floats, type Tensor } from '../runtime/session.js';
import { type JudgeSize, soften, type View, wholeOf } from './judge.js';

/** Share of views that are whole pictures; the others are squares as a mask's box cuts them out. */
const WHOLE_SHARE = 0.4;
/** Least share of the shorter side that such a square has. */
const SMALLEST_VIEW = 0.6;
/** Paintings come out of a decoder: their edges are softer. */
const SOFTENED_SHARE = 0.5;

function drawView(rng: Rng, image: RgbImage): View {
  if (rng.uniform() < WHOLE_SHARE) return wholeOf(image);
  const shorter = Math.min(image.width, image.height);
  const side = Math.max(1, Math.round(shorter * (SMALLEST_VIEW + (1 - SMALLEST_VIEW) * rng.uniform())));
  const [x0, y0] = [rng.int(image.width - side + 1), rng.int(image.height - side + 1)];
  return { image, box: { x0, y0, x1: x0 + side, y1: y0 + side } };
}

/** Another contrast, brightness and tint, and a little noise, in place: [3, plane]. */
function relight(rng: Rng, pixels: Float32Array): void {
  const plane = pixels.length / 3;
  const contrast = 0.7 + 0.6 * rng.uniform();
  const noise = 0.1 * rng.uniform();
  for (let k = 0; k < 3; k++) {
    const shift = 0.3 * (rng.uniform() - 0.5);
    for (let i = k * plane; i < (k + 1) * plane; i++)
      pixels[i] = contrast * pixels[i]! + shift + noise * (rng.uniform() - 0.5);
  }
}

/**
 * A batch of views, each label as likely as any other however many pictures it has. `picturesOf` lists the pictures of each
 * label, by what `pictureOf` takes.
 */
export async function judgeBatch<Key>(
  rng: Rng,
  batch: number,
  size: JudgeSize,
  picturesOf: readonly (readonly Key[])[],
  pictureOf: (key: Key) => Promise<RgbImage>,
): Promise<Record<string, Tensor>> {
  const { sidePx, classes, head } = size;
  const length = 3 * sidePx * sidePx;
  const image = new Float32Array(batch * length);
  const target = new Float32Array(batch * classes);
  for (let i = 0; i < batch; i++) {
    const label = rng.int(classes);
    const pictures = picturesOf[label]!;
    const { image: picture, box } = drawView(rng, await pictureOf(pictures[rng.int(pictures.length)]!));
    writeRegion(image, i * length, picture, undefined, box, sidePx);
    if (rng.uniform() < SOFTENED_SHARE) soften(image, i * length, sidePx);
    relight(rng, image.subarray(i * length, (i + 1) * length));
    target[i * classes + label] = 1;
  }
  return { image: floats(image, [batch, 3, sidePx, sidePx]), [head]: floats(target, [batch, classes]) };
}
