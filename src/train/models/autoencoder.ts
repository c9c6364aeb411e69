// The variational autoencoder between pictures and latents. Graph functions only; its loss is in objectives.ts.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import type { Value } from '../../graph/types.js';
import { conv, groupNorm, residualConv } from '../layers.js';

export interface AutoencoderSize {
  /** Channels at the latents' resolution; half of it one level above. */
  readonly width: number;
  readonly latentChannels: number;
  /** Side of the patches that are folded into channels before the first convolution; the whole factor is twice it. */
  readonly patch: number;
}

const GROUPS = 8;

/** image [batch, 3, y, x] in [-1, 1] -> latent parameters [batch, 2 latent, y/f, x/f], mean then log variance. */
export function encodeImage(b: Builder, image: Value, size: AutoencoderSize): Value {
  const { width, latentChannels, patch } = size;
  let x = conv(b, 'conv_in', op.spaceToDepth(b, image, patch), width / 2);
  x = op.silu(b, groupNorm(b, 'norm_in', x, GROUPS));
  x = conv(b, 'down', x, width, { stride: 2 });
  x = residualConv(b, 'block', x, width, { groups: GROUPS });
  x = op.silu(b, groupNorm(b, 'norm_out', x, GROUPS));
  return conv(b, 'conv_out', x, 2 * latentChannels);
}

/** latent [batch, latent, y, x] -> image [batch, 3, y f, x f], nominally in [-1, 1] (not clamped). */
export function decodeLatent(b: Builder, latent: Value, size: AutoencoderSize): Value {
  const { width, patch } = size;
  let x = conv(b, 'conv_in', latent, width);
  x = residualConv(b, 'block1', x, width, { groups: GROUPS });
  x = residualConv(b, 'block2', x, width, { groups: GROUPS });
  x = op.depthToSpace(b, conv(b, 'up1', x, 2 * width), 2);
  x = residualConv(b, 'block3', x, width / 2, { groups: GROUPS });
  x = op.silu(b, groupNorm(b, 'norm_out', x, GROUPS));
  // Half the patch by one shuffle, a small convolution over its seams, then the other half.
  const fine = op.depthToSpace(b, conv(b, 'up2', x, width), 2);
  const rest = patch / 2;
  const pixels = conv(b, 'conv_out', op.silu(b, fine), 3 * rest * rest);
  return rest === 1 ? pixels : op.depthToSpace(b, pixels, rest);
}
