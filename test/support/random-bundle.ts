// A small but real bundle with seeded random weights: 32 x 32 pixels, factor 4, 4 latent channels, 24 voxels.
// It paints nothing sensible; it has the inputs, outputs and layout of a trained one.

import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import type { Value } from '../../src/graph/types.js';
import { type Bundle, loadBundle, writeBundle } from '../../src/painter/bundle.js';
import { schedulerSchema } from '../../src/painter/manifest.js';
import { createRng } from '../../src/train/rng.js';

export const TINY = { imageSizePx: 32, vaeScaleFactor: 4, latentChannels: 4, conditionSize: 16, voxels: 24 };

type Weigh = (name: string, shape: number[]) => Value;

function encode(name: string, seed: number, build: (b: Builder, weigh: Weigh) => void): Uint8Array {
  const b = createBuilder(name);
  build(b, (parameter, shape) => b.parameter(parameter, shape, { kind: 'normal', std: 1 }));
  const graph = b.freeze();
  const rng = createRng(seed);
  const weights = Object.fromEntries(
    graph.parameters.map(({ value, shape }) => {
      const size = shape.reduce((a, d) => a * d, 1);
      const fanIn = size / shape[0]!;
      return [value.name, Float32Array.from({ length: size }, () => rng.normal() / Math.sqrt(fanIn))];
    }),
  );
  return encodeModel(graph, { weights });
}

/** [mean | log variance], as the optimum export of an autoencoder answers. */
const vaeEncoder = () =>
  encode('vae_encoder', 1, (b, weigh) => {
    const x = b.input('sample', 'float32', ['batch', 3, 32, 32]);
    b.output('latent_parameters', op.conv2d(b, x, weigh('w', [8, 3, 4, 4]), undefined, { stride: 4 }));
  });

const vaeDecoder = () =>
  encode('vae_decoder', 2, (b, weigh) => {
    const x = b.input('latent_sample', 'float32', ['batch', 4, 8, 8]);
    const wide = op.conv2d(b, x, weigh('w', [48, 4, 1, 1]), undefined);
    b.output('sample', op.tanh(b, op.depthToSpace(b, wide, 4)));
  });

const unet = () =>
  encode('unet', 3, (b, weigh) => {
    const x = b.input('sample', 'float32', ['batch', 9, 8, 8]);
    const timestep = b.input('timestep', 'float32', ['batch']);
    const condition = b.input('encoder_hidden_states', 'float32', ['batch', 1, 16]);
    const level = op.mul(b, op.reshape(b, timestep, ['batch', 1]), 1e-3);
    const told = op.add(
      b,
      op.matmul(b, level, weigh('t', [1, 8])),
      op.matmul(b, op.reshape(b, condition, ['batch', 16]), weigh('c', [16, 8])),
    );
    const seen = op.conv2d(b, x, weigh('in', [8, 9, 3, 3]), undefined, { padding: 1 });
    const hidden = op.silu(b, op.add(b, seen, op.reshape(b, told, ['batch', 8, 1, 1])));
    b.output(
      'out_sample',
      op.tanh(b, op.conv2d(b, hidden, weigh('out', [4, 8, 3, 3]), undefined, { padding: 1 })),
    );
  });

const brainAdapter = () =>
  encode('brain_adapter', 4, (b, weigh) => {
    const signal = b.input('voxels', 'float32', ['batch', 24]);
    b.output('embedding', op.reshape(b, op.matmul(b, signal, weigh('w', [24, 16])), ['batch', 1, 16]));
  });

/** Writes the bundle to `folder` and loads it. */
export async function writeRandomBundle(
  folder: string,
  scheduler: 'DDIMScheduler' | 'PNDMScheduler' = 'DDIMScheduler',
): Promise<Bundle> {
  const part = (model: Uint8Array) => ({ model, config: {} });
  await writeBundle(folder, {
    conventions: {
      formatVersion: 1,
      name: 'tiny',
      ...TINY,
      latentScalingFactor: 0.5,
      unetInputOrder: ['noise', 'image', 'mask'],
      unetMaskMeaning: 'keep',
      maskDownscale: 'any',
      maskedFill: 0,
      unconditional: 'zeros',
      subject: { label: 'nobody', simulated: true },
      defaults: { steps: 4, guidanceScale: 2 },
      cropContext: 2,
    },
    scheduler: schedulerSchema.parse({
      _class_name: scheduler,
      num_train_timesteps: 1000,
      beta_schedule: 'linear',
    }),
    components: {
      unet: part(unet()),
      vae_encoder: part(vaeEncoder()),
      vae_decoder: part(vaeDecoder()),
      brain_adapter: part(brainAdapter()),
    },
  });
  return loadBundle(folder);
}

/** A picture with different bytes at every place. */
export function noisyPicture(width: number, height: number) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  return { width, height, data };
}

/** z-scored signal of the bundle's voxel count. */
export function tinySignal(seed = 7): Float32Array {
  const rng = createRng(seed);
  return Float32Array.from({ length: TINY.voxels }, () => rng.normal());
}
