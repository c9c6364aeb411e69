// The judge: says six or nine of a picture. It has its own digits, seed and network; nothing of the painter's goes in.

import { writePlanar } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';
import { floats, type Session, type Tensor } from '../../runtime/session.js';
import { type JudgeSize, judgePixels } from '../../train/judge.js';
import { jitter } from './dataset.js';
import { DIGITS, PLAN } from './settings.js';

const SIDE = DIGITS.imageSizePx;
const PIXELS = SIDE * SIDE;

/** What changes its sign when the picture is turned by half a turn, [pixels] in [-1, 1]. */
function oddPart({ data }: RgbImage): Float64Array {
  return Float64Array.from({ length: PIXELS }, (_, i) => (data[i * 3]! - data[(PIXELS - 1 - i) * 3]!) / 255);
}

const project = (x: Float64Array, axis: Float64Array) =>
  x.reduce((sum, value, i) => sum + value * axis[i]!, 0);

/**
 * Labels for digits that have none. A six turned by half a turn is a nine, so the two differ in the part of a picture that
 * the turn negates; its first principal axis (by power iteration, not centred) parts them. No label is used.
 */
export function turnAxis(digits: readonly RgbImage[], rng: Rng): Float64Array {
  const parts = digits.map(oddPart);
  let axis = Float64Array.from({ length: PIXELS }, () => rng.normal());
  for (let round = 0; round < 50; round++) {
    const next = new Float64Array(PIXELS);
    for (const part of parts) {
      const along = project(part, axis);
      for (let i = 0; i < PIXELS; i++) next[i]! += along * part[i]!;
    }
    const length = Math.hypot(...next);
    axis = next.map((value) => value / length);
  }
  return axis;
}

/** Where a picture lies along the axis. */
export const alongAxis = (image: RgbImage, axis: Float64Array) => project(oddPart(image), axis);

/** The axis pointed so that nines are positive: one bit, told by the labelled pictures. */
export function nameAxis(
  axis: Float64Array,
  images: readonly RgbImage[],
  labels: readonly number[],
): Float64Array {
  const agreement = images.reduce(
    (sum, image, i) => sum + Math.sign(alongAxis(image, axis)) * (labels[i] === 1 ? 1 : -1),
    0,
  );
  return agreement < 0 ? axis.map((value) => -value) : axis;
}

export const JUDGE: JudgeSize = { ...DIGITS.judge, sidePx: SIDE, classes: 2, head: 'digit' };

export interface LabelledDigit {
  readonly image: RgbImage;
  readonly label: number;
}

/** The digits with the axis' labels, without the twentieth that lies nearest to its middle. */
export function labelByAxis(digits: readonly RgbImage[], axis: Float64Array): LabelledDigit[] {
  const placed = digits
    .map((image) => ({ image, along: alongAxis(image, axis) }))
    .sort((a, b) => Math.abs(a.along) - Math.abs(b.along));
  return placed
    .slice(Math.ceil(placed.length / 20))
    .map(({ image, along }) => ({ image, label: along > 0 ? 1 : 0 }));
}

/** Digits moved by up to two pixels with a little noise, their labels one-hot. */
export function judgeBatch(rng: Rng, digits: readonly LabelledDigit[]): Record<string, Tensor> {
  const { batch } = PLAN.judge;
  const image = new Float32Array(batch * 3 * PIXELS);
  const digit = new Float32Array(batch * 2);
  for (let i = 0; i < batch; i++) {
    const chosen = digits[rng.int(digits.length)]!;
    writePlanar(image, i * 3 * PIXELS, jitter(rng, chosen.image, 2));
    digit[i * 2 + chosen.label] = 1;
  }
  const noise = 0.2 * rng.uniform();
  for (let k = 0; k < image.length; k++) image[k]! += noise * (rng.uniform() - 0.5);
  return { image: floats(image, [batch, 3, SIDE, SIDE]), digit: floats(digit, [batch, 2]) };
}

/** 0 for six, 1 for nine, a picture each. */
export async function judgeDigits(judge: Session, images: readonly RgbImage[]): Promise<number[]> {
  const pixels = new Float32Array(images.length * 3 * PIXELS);
  images.forEach((image, i) => {
    writePlanar(pixels, i * 3 * PIXELS, image);
  });
  return judgePixels(judge, pixels, JUDGE);
}
