// A bundle with the real layout and random weights, small enough that a step takes a few milliseconds. It paints noise.

import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import type { Value } from '../../src/graph/types.js';
import { writeBundle } from '../../src/painter/bundle.js';
import { decodeLatent, encodeImage } from '../../src/train/models/autoencoder.js';
import { adaptBrain } from '../../src/train/models/brain.js';
import { predictNoise } from '../../src/train/models/unet.js';
import { createRng } from '../../src/train/rng.js';

export const TINY = { voxels: 40, imageSizePx: 32, side: 8, latentChannels: 3, condition: 16, label: '01' };

function network(name: string, output: string, build: (b: Builder) => Value): Uint8Array {
  const b = createBuilder(name);
  b.output(output, build(b));
  const graph = b.freeze();
  const rng = createRng(name.length);
  const weights = Object.fromEntries(
    graph.parameters.map(({ value, shape, init }) => {
      const count = shape.reduce((a, n) => a * n, 1);
      const draw = () => (init.kind === 'normal' ? 0.2 * rng.normal() : init.kind === 'ones' ? 1 : 0);
      return [value.name, Float32Array.from({ length: count }, draw)];
    }),
  );
  return encodeModel(graph, { weights });
}

/** Writes the bundle into a folder that does not exist yet. */
export async function writeTinyBundle(folder: string): Promise<void> {
  const { side, latentChannels, imageSizePx, voxels, condition } = TINY;
  const size = { width: 16, latentChannels, patch: 2 };
  const unet = { widths: [8, 8, 8] as const, embedding: 16, heads: 1, latentChannels };
  const models = {
    vae_encoder: network('vae_encoder', 'latent_parameters', (b) =>
      encodeImage(b, b.input('sample', 'float32', ['batch', 3, imageSizePx, imageSizePx]), size),
    ),
    vae_decoder: network('vae_decoder', 'sample', (b) =>
      decodeLatent(b, b.input('latent_sample', 'float32', ['batch', latentChannels, side, side]), size),
    ),
    brain_adapter: network('brain_adapter', 'brain_embeds', (b) =>
      adaptBrain(b, b.input('signal', 'float32', ['batch', voxels]), {
        hidden: 16,
        blocks: 1,
        outputs: condition,
      }),
    ),
    unet: network('unet', 'out_sample', (b) =>
      predictNoise(
        b,
        b.input('sample', 'float32', ['batch', 2 * latentChannels + 1, side, side]),
        b.input('timestep', 'float32', ['batch']),
        b.input('encoder_hidden_states', 'float32', ['batch', 1, condition]),
        unet,
      ),
    ),
  };
  await writeBundle(folder, {
    conventions: {
      formatVersion: 1,
      name: 'tiny',
      imageSizePx,
      vaeScaleFactor: imageSizePx / side,
      latentChannels,
      latentScalingFactor: 1,
      unetInputOrder: ['noise', 'image', 'mask'],
      unetMaskMeaning: 'keep',
      maskDownscale: 'any',
      maskedFill: 0,
      conditionSize: condition,
      unconditional: 'zeros',
      voxels,
      subject: { label: TINY.label, simulated: true },
      defaults: { steps: 4, guidanceScale: 2 },
      cropContext: 1.5,
    },
    scheduler: {
      _class_name: 'DDIMScheduler',
      num_train_timesteps: 1000,
      beta_start: 0.0001,
      beta_end: 0.02,
      beta_schedule: 'squaredcos_cap_v2',
      prediction_type: 'epsilon',
      timestep_spacing: 'leading',
      steps_offset: 0,
      set_alpha_to_one: true,
      skip_prk_steps: true,
    },
    components: Object.fromEntries(
      Object.entries(models).map(([name, model]) => [name, { model, config: {} }]),
    ),
  });
}
