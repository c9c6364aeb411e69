// A judge of pictures: a classifier trained apart from the painter, on its callers' data. It says what a view shows.

import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/types.js';
import type { MaskRect } from '../imaging/mask-shapes.js';
import { writeRegion } from '../imaging/tensor.js';
import type { RgbImage } from '../imaging/types.js';
import type { Session } from '../runtime/session.js';
import { linear } from './layers.js';
import { crossEntropy } from './losses.js';
import { embedImage, type ImageEncoderSize } from './models/image-encoder.js';
import { exportNetwork } from './networks.js';
import { mapRows } from './rows.js';
import type { Weights } from './stage.js';
import type { Objective } from './step-graph.js';

export interface JudgeSize extends ImageEncoderSize {
  /** Side of the square that it looks at. */
  readonly sidePx: number;
  readonly classes: number;
  /** Names its last layer and the targets of its training. */
  readonly head: string;
}

const classify = (b: Builder, image: Value, size: JudgeSize): Value =>
  linear(b, size.head, embedImage(b, image, size), size.classes);

/** Cross-entropy of `image` [batch, 3, side, side] in [-1, 1] against one-hot rows, named as the head. */
export function judgeObjective(b: Builder, size: JudgeSize, batch: number): Objective {
  const image = b.input('image', 'float32', [batch, 3, size.sidePx, size.sidePx]);
  const target = b.input(size.head, 'float32', [batch, size.classes]);
  return { loss: crossEntropy(b, classify(b, image, size), target) };
}

/** Pictures [batch, 3, side, side] -> logits [batch, classes]. */
export const judgeNetwork = (weights: Weights, size: JudgeSize): Uint8Array =>
  exportNetwork('judge', 'logits', weights, (b) =>
    classify(b, b.input('pixel_values', 'float32', ['batch', 3, size.sidePx, size.sidePx]), size),
  );

/** The likeliest class of each picture of [pictures, 3, side, side]. */
export async function judgePixels(judge: Session, pixels: Float32Array, size: JudgeSize): Promise<number[]> {
  const { classes, sidePx } = size;
  const logits = await mapRows(judge, pixels, [3, sidePx, sidePx]);
  return Array.from({ length: logits.length / classes }, (_, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

/** A picture, and the part of it that is looked at. */
export interface View {
  readonly image: RgbImage;
  readonly box: MaskRect;
}

/** The whole of a picture. */
export const wholeOf = (image: RgbImage): View => ({
  image,
  box: { x0: 0, y0: 0, x1: image.width, y1: image.height },
});

/** What the judge sees in each view: the likeliest class. */
export async function judgeViews(judge: Session, views: readonly View[], size: JudgeSize): Promise<number[]> {
  const length = 3 * size.sidePx * size.sidePx;
  const pixels = new Float32Array(views.length * length);
  views.forEach(({ image, box }, i) => {
    writeRegion(pixels, i * length, image, undefined, box, size.sidePx);
  });
  return judgePixels(judge, pixels, size);
}

/** Blurs [3, side, side] at an offset by a 3 x 3 mean, in place: the judge should not depend on crisp edges. */
export function soften(pixels: Float32Array, offset: number, sidePx: number): void {
  const plane = sidePx * sidePx;
  const before = pixels.slice(offset, offset + 3 * plane);
  for (let k = 0; k < 3; k++) {
    for (let y = 1; y < sidePx - 1; y++) {
      for (let x = 1; x < sidePx - 1; x++) {
        let sum = 0;
        for (let j = -1; j <= 1; j++)
          for (let i = -1; i <= 1; i++) sum += before[k * plane + (y + j) * sidePx + x + i]!;
        pixels[offset + k * plane + y * sidePx + x] = sum / 9;
      }
    }
  }
}
