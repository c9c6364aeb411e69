// Layers: ops with parameters, named and laid out as PyTorch does (linear [out, in], conv [out, in, kh, kw]).

import type { Builder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import { known, knownShape } from '../graph/shapes.js';
import type { Value } from '../graph/types.js';

export interface LayerOptions {
  readonly bias?: boolean;
  /** Multiplies the initial weights' standard deviation 1/sqrt(fan in); 0 starts the layer as zero. */
  readonly gain?: number;
}

/** x [batch, in] -> [batch, size]. */
export function linear(b: Builder, name: string, x: Value, size: number, options: LayerOptions = {}): Value {
  const { bias = true, gain = 1 } = options;
  return b.scope(name, () => {
    const fanIn = known(x.shape.at(-1), name);
    const weight = b.parameter('weight', [size, fanIn], { kind: 'normal', std: gain / Math.sqrt(fanIn) });
    const shift = bias ? { bias: b.parameter('bias', [size], { kind: 'zeros' }) } : {};
    return op.gemm(b, x, weight, { transposeY: true, ...shift });
  });
}

export interface ConvOptions extends LayerOptions {
  readonly kernel?: number;
  readonly stride?: number;
}

/** x [batch, in, y, x] -> [batch, size, y/stride, x/stride]; padding keeps the size at stride 1. */
export function conv(b: Builder, name: string, x: Value, size: number, options: ConvOptions = {}): Value {
  const { kernel = 3, stride = 1, gain = 1 } = options;
  return b.scope(name, () => {
    const channels = known(x.shape[1], name);
    const std = gain / Math.sqrt(channels * kernel * kernel);
    const weight = b.parameter('weight', [size, channels, kernel, kernel], { kind: 'normal', std });
    const bias = b.parameter('bias', [size], { kind: 'zeros' });
    return op.conv2d(b, x, weight, bias, { stride, padding: (kernel - 1) >> 1 });
  });
}

/** Group normalisation (Wu and He 2018) of x [batch, channel, y, x], with an affine map a channel. */
export function groupNorm(b: Builder, name: string, x: Value, groups: number): Value {
  return b.scope(name, () => {
    const [channels, height, width] = knownShape(x.shape.slice(1), name) as [number, number, number];
    const grouped = op.reshape(b, x, [x.shape[0]!, groups, (channels / groups) * height * width]);
    const normal = op.reshape(b, op.normaliseLast(b, grouped), x.shape);
    const weight = b.parameter('weight', [channels], { kind: 'ones' });
    const bias = b.parameter('bias', [channels], { kind: 'zeros' });
    const perChannel = (value: Value) => op.reshape(b, value, [channels, 1, 1]);
    return op.add(b, op.mul(b, normal, perChannel(weight)), perChannel(bias));
  });
}

/** Layer normalisation (Ba et al. 2016) over the last axis. */
export function layerNorm(b: Builder, name: string, x: Value): Value {
  return b.scope(name, () => {
    const size = known(x.shape.at(-1), name);
    const weight = b.parameter('weight', [size], { kind: 'ones' });
    const bias = b.parameter('bias', [size], { kind: 'zeros' });
    return op.add(b, op.mul(b, op.normaliseLast(b, x), weight), bias);
  });
}

/** x + W2 silu(W1 LN(x)): the residual linear block of the brain networks. x [batch, size]. */
export function residualLinear(b: Builder, name: string, x: Value): Value {
  return b.scope(name, () => {
    const size = known(x.shape.at(-1), name);
    const hidden = op.silu(b, linear(b, 'fc1', layerNorm(b, 'norm', x), size));
    return op.add(b, x, linear(b, 'fc2', hidden, size, { gain: 0.2 }));
  });
}

/** Single-head or multi-head self-attention over the positions of x [batch, channel, y, x], residual. */
export function selfAttention(b: Builder, name: string, x: Value, heads: number, groups: number): Value {
  return b.scope(name, () => {
    const [channels, height, width] = knownShape(x.shape.slice(1), name) as [number, number, number];
    const n = x.shape[0]!;
    const positions = height * width;
    const size = channels / heads;
    const normal = groupNorm(b, 'norm', x, groups);
    const project = (part: string) =>
      op.reshape(b, conv(b, part, normal, channels, { kernel: 1 }), [n, heads, size, positions]);
    const q = op.transposeLast(b, project('to_q'));
    const scores = op.mul(b, op.matmul(b, q, project('to_k')), 1 / Math.sqrt(size));
    const mixed = op.matmul(b, op.softmax(b, scores), op.transposeLast(b, project('to_v')));
    const merged = op.reshape(b, op.transposeLast(b, mixed), [n, channels, height, width]);
    return op.add(b, x, conv(b, 'to_out', merged, channels, { kernel: 1, gain: 0.2 }));
  });
}

/**
 * Cross-attention, residual: each position of x [batch, channel, y, x], together with its features of `place` [batch, f, y, x],
 * asks the tokens [batch, width, token, 1]. Starts as the identity.
 */
export function tokenAttention(
  b: Builder,
  name: string,
  x: Value,
  place: Value,
  tokens: Value,
  heads: number,
  groups: number,
): Value {
  return b.scope(name, () => {
    const [channels, height, width] = knownShape(x.shape.slice(1), name) as [number, number, number];
    const count = known(tokens.shape[2], name);
    const n = x.shape[0]!;
    const size = channels / heads;
    const asking = op.concat(b, [groupNorm(b, 'norm', x, groups), place], 1);
    const q = conv(b, 'to_q', asking, channels, { kernel: 1 });
    const queries = op.transposeLast(b, op.reshape(b, q, [n, heads, size, height * width]));
    const project = (part: string) =>
      op.reshape(b, conv(b, part, tokens, channels, { kernel: 1 }), [n, heads, size, count]);
    const scores = op.mul(b, op.matmul(b, queries, project('to_k')), 1 / Math.sqrt(size));
    const mixed = op.matmul(b, op.softmax(b, scores), op.transposeLast(b, project('to_v')));
    const merged = op.reshape(b, op.transposeLast(b, mixed), [n, channels, height, width]);
    return op.add(b, x, conv(b, 'to_out', merged, channels, { kernel: 1, gain: 0 }));
  });
}

export interface ResidualOptions {
  readonly groups: number;
  /** Embedding [batch, size] that scales and shifts the second normalisation (Dhariwal and Nichol 2021). */
  readonly embedding?: Value;
}

/** Residual convolution block: norm, SiLU, conv, twice; x [batch, in, y, x] -> [batch, size, y, x]. */
export function residualConv(
  b: Builder,
  name: string,
  x: Value,
  size: number,
  options: ResidualOptions,
): Value {
  const { groups, embedding } = options;
  return b.scope(name, () => {
    const first = conv(b, 'conv1', op.silu(b, groupNorm(b, 'norm1', x, groups)), size);
    let second = groupNorm(b, 'norm2', first, groups);
    if (embedding) {
      const modulation = linear(b, 'emb', embedding, 2 * size);
      const wide = op.reshape(b, modulation, [x.shape[0]!, 2 * size, 1, 1]);
      const [scale, shift] = op.split(b, wide, 1, [size, size]) as [Value, Value];
      second = op.add(b, op.mul(b, second, op.add(b, scale, 1)), shift);
    }
    const out = conv(b, 'conv2', op.silu(b, second), size, { gain: 0.2 });
    const skip = x.shape[1] === size ? x : conv(b, 'shortcut', x, size, { kernel: 1 });
    return op.add(b, skip, out);
  });
}

/** Sinusoidal embedding of timesteps [batch] -> [batch, size] (Vaswani et al. 2017; cosines first, as diffusers). */
export function timestepEmbedding(b: Builder, timestep: Value, size: number): Value {
  const half = size / 2;
  const frequencies = Array.from({ length: half }, (_, i) => Math.exp((-Math.log(10000) * i) / half));
  const angles = op.mul(b, op.reshape(b, timestep, [timestep.shape[0]!, 1]), b.constant(frequencies));
  return op.concat(b, [op.cos(b, angles), op.sin(b, angles)], 1);
}
