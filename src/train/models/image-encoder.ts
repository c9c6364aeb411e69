// The image encoder: picture -> embedding Z. It stands where the paper has CLIP ViT-L/14 and has its width, 1024.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import { knownShape } from '../../graph/shapes.js';
import type { Value } from '../../graph/types.js';
import { conv, groupNorm, linear } from '../layers.js';

export interface ImageEncoderSize {
  /** Output channels of the stride-2 stages. */
  readonly widths: readonly number[];
  /** Channels kept at the last stage, so that positions stay known to the embedding. */
  readonly neck: number;
  readonly embeddingSize: number;
}

const GROUPS = 8;

/** image [batch, 3, y, x] in [-1, 1] -> embedding [batch, size], each row of mean 0 and variance 1. */
export function embedImage(b: Builder, image: Value, size: ImageEncoderSize): Value {
  let x = image;
  size.widths.forEach((width, i) => {
    x = conv(b, `stage${i}`, x, width, { stride: 2, kernel: i === 0 ? 5 : 3, gain: 1.4 });
    x = op.silu(b, groupNorm(b, `norm${i}`, x, GROUPS));
  });
  x = conv(b, 'mix', x, size.widths.at(-1)!, { gain: 1.4 });
  x = op.silu(b, groupNorm(b, 'norm_mix', x, GROUPS));
  x = conv(b, 'neck', x, size.neck, { kernel: 1 });
  const [channels, height, width] = knownShape(x.shape.slice(1), 'embedImage') as [number, number, number];
  const flat = op.reshape(b, x, [x.shape[0]!, channels * height * width]);
  return op.normaliseLast(b, linear(b, 'projection', flat, size.embeddingSize));
}
