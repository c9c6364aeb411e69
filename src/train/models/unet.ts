// The inpainting UNet: noisy latents, masked-image latents and mask in; noise or velocity out.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import { known } from '../../graph/shapes.js';
import type { Value } from '../../graph/types.js';
import {
  conv,
  groupNorm,
  linear,
  residualConv,
  selfAttention,
  timestepEmbedding,
  tokenAttention,
} from '../layers.js';
import { placeFeatures } from './place.js';

export interface UnetSize {
  /** Channels of each level; the resolution halves between levels. */
  readonly widths: readonly [number, number, number];
  readonly embedding: number;
  readonly heads: number;
  readonly latentChannels: number;
  /** Tokens that the condition is split into, and their width; absent: the condition only scales and shifts. */
  readonly tokens?: { readonly count: number; readonly width: number };
}

const GROUPS = 8;

/**
 * sample [batch, 2 latent + 1, y, x], timestep [batch], condition [batch, 1, 1024] -> [batch, latent, y, x].
 * The condition is one token, for which cross-attention is a linear map that is added everywhere. Here it enters with the
 * timestep, scaling and shifting every block's second normalisation; and, with `tokens`, by attention from each position to
 * several tokens made of it, where a position knows its place within the hole: what was seen has parts with places.
 */
export function predictNoise(
  b: Builder,
  sample: Value,
  timestep: Value,
  condition: Value,
  size: UnetSize,
): Value {
  const { widths, heads, latentChannels } = size;
  const [outer, middle, inner] = widths;
  const n = sample.shape[0]!;
  const time = op.silu(b, linear(b, 'time_embedding', timestepEmbedding(b, timestep, outer), size.embedding));
  const token = op.reshape(b, condition, [n, known(condition.shape[2], 'condition')]);
  const joint = op.add(
    b,
    linear(b, 'time_projection', time, size.embedding),
    linear(b, 'condition_embedding', token, size.embedding),
  );
  const embedding = op.silu(b, linear(b, 'joint_embedding', op.silu(b, joint), size.embedding));
  const block = (name: string, x: Value, width: number) =>
    residualConv(b, name, x, width, { groups: GROUPS, embedding });

  const tokens = size.tokens && splitCondition(b, token, size.tokens);
  const side = known(sample.shape[2], 'sample');
  const places = new Map<number, Value>();
  const placeAt = (x: Value): Value => {
    const here = known(x.shape[2], 'place');
    const keep = () => op.slice(b, sample, 1, 2 * latentChannels, 2 * latentChannels + 1);
    if (!places.has(here)) places.set(here, placeFeatures(b, keep(), side, here));
    return places.get(here)!;
  };
  const attend = (name: string, x: Value) =>
    tokens ? tokenAttention(b, name, x, placeAt(x), tokens, heads, GROUPS) : x;

  let x = conv(b, 'conv_in', sample, outer);
  if (tokens) x = op.add(b, x, conv(b, 'place_in', placeAt(x), outer, { kernel: 1, gain: 0 }));
  x = block('down0.0', x, outer);
  const skip0 = block('down0.1', x, outer);
  x = conv(b, 'downsample0', skip0, middle, { stride: 2 });
  x = attend('down1.tokens', block('down1.0', x, middle));
  const skip1 = selfAttention(b, 'down1.attention', block('down1.1', x, middle), heads, GROUPS);
  x = conv(b, 'downsample1', skip1, inner, { stride: 2 });
  x = attend('middle.tokens', block('middle.0', x, inner));
  x = selfAttention(b, 'middle.attention', x, heads, GROUPS);
  x = block('middle.1', x, inner);
  x = op.depthToSpace(b, conv(b, 'upsample1', x, 4 * middle, { kernel: 1 }), 2);
  x = attend('up1.tokens', block('up1.0', op.concat(b, [x, skip1], 1), middle));
  x = selfAttention(b, 'up1.attention', x, heads, GROUPS);
  x = block('up1.1', x, middle);
  x = op.depthToSpace(b, conv(b, 'upsample0', x, 4 * outer, { kernel: 1 }), 2);
  x = block('up0.0', op.concat(b, [x, skip0], 1), outer);
  x = block('up0.1', x, outer);
  x = op.silu(b, groupNorm(b, 'norm_out', x, GROUPS));
  return conv(b, 'conv_out', x, latentChannels, { gain: 0.1 });
}

/** condition [batch, size] -> tokens [batch, width, count, 1], each with a learned part of its own. */
function splitCondition(
  b: Builder,
  condition: Value,
  { count, width }: { count: number; width: number },
): Value {
  const shape = [condition.shape[0]!, width, count, 1];
  const parts = op.reshape(b, linear(b, 'tokens', condition, width * count), shape);
  return op.add(b, parts, b.parameter('token_bias', [width, count, 1], { kind: 'normal', std: 1 }));
}
