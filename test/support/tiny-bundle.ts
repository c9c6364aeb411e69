// Small but real bundles with seeded random weights: 32 x 32 pixels, latents of 8 x 8, a step takes milliseconds. They paint
// nothing sensible; they have the inputs, outputs and layout of trained ones.

import { type Builder, createBuilder } from '../../src/graph/builder.js';
import { encodeModel } from '../../src/graph/onnx.js';
import * as op from '../../src/graph/ops.js';
import type { DType, Value } from '../../src/graph/types.js';
import { type Bundle, loadBundle, writeBundle } from '../../src/painter/bundle.js';
import { type Conventions, schedulerSchema } from '../../src/painter/manifest.js';
import { createRng } from '../../src/random.js';
import { decodeLatent, encodeImage } from '../../src/train/models/autoencoder.js';
import { adaptBrain, generatePseudoBrain } from '../../src/train/models/brain.js';
import { embedImage } from '../../src/train/models/image-encoder.js';
import { predictNoise } from '../../src/train/models/unet.js';

export const TINY = { voxels: 40, imageSizePx: 32, side: 8, latentChannels: 4, condition: 16, label: '01' };

/** Width of the embedding before the mapper, where there is one. */
export const EMBEDDING = 24;

/** How a bundle's exports may differ. */
export interface TinyOptions {
  readonly scheduler?: Readonly<Record<string, unknown>>;
  /** The UNet's timestep: one a row (the default) or a scalar, float32 or int64. */
  readonly timestep?: { readonly dtype: DType; readonly rank: 0 | 1 };
  /** What the VAE encoder answers: mean and log variance (the default), or a sample. */
  readonly encoderOutput?: 'latent_parameters' | 'latent_sample';
  /** Embeddings of EMBEDDING numbers go through a mapper, which takes them with or without a token axis. */
  readonly mapper?: { readonly rank: 2 | 3 };
  readonly uncondVector?: Float32Array;
  /** False: no image encoder and no pseudo brain generator, so that nothing can be painted by an exemplar. */
  readonly exemplar?: boolean;
  /** True: embeddings as wide as conditions, and the UNet's size declared, so that a training run can start from it. */
  readonly trainable?: boolean;
  readonly conventions?: Partial<Conventions>;
}

/** The layout of a Paint by Example export, as the optimum and diffusers exporters write its parts. */
export const PAINT_BY_EXAMPLE: TinyOptions = {
  scheduler: {
    _class_name: 'PNDMScheduler',
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: 'scaled_linear',
    steps_offset: 1,
    set_alpha_to_one: false,
    clip_sample: false,
    trained_betas: null,
  },
  timestep: { dtype: 'int64', rank: 0 },
  encoderOutput: 'latent_sample',
  mapper: { rank: 3 },
  uncondVector: Float32Array.from({ length: TINY.condition }, (_, i) => Math.sin(i + 1)),
  conventions: { latentScalingFactor: 0.18215, maskDownscale: 'nearest' },
};

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

/** The UNet's timestep input in the asked form -> float32, one a row. */
function timestepInput(
  b: Builder,
  sample: Value,
  { dtype, rank }: NonNullable<TinyOptions['timestep']>,
): Value {
  const given = b.input('timestep', dtype, rank === 0 ? [] : ['batch']);
  const toFloat = { to: { int: 1 } };
  const number =
    dtype === 'float32'
      ? given
      : b.node('Cast', [given], toFloat, [{ dtype: 'float32', shape: given.shape }])[0]!;
  if (rank === 1) return number;
  // A scalar broadcasts over the batch: nought times one number of each row, plus the scalar.
  const row = op.reduceSum(b, op.mul(b, sample, 0), [1, 2, 3]);
  return op.add(b, row, number);
}

/** Writes the bundle into a folder, whose old content goes, and loads it. */
export async function writeTinyBundle(folder: string, options: TinyOptions = {}): Promise<Bundle> {
  const { side, latentChannels, imageSizePx, voxels, condition } = TINY;
  const { timestep = { dtype: 'float32', rank: 1 }, encoderOutput = 'latent_parameters', mapper } = options;
  const embedding = options.trainable ? condition : EMBEDDING;
  const size = { width: 16, latentChannels, patch: 2 };
  const unet = { widths: [8, 8, 8] as const, embedding: 16, heads: 1, latentChannels };
  const models = {
    vae_encoder: network('vae_encoder', encoderOutput, (b) => {
      const image = b.input('sample', 'float32', ['batch', 3, imageSizePx, imageSizePx]);
      const parameters = encodeImage(b, image, size);
      return encoderOutput === 'latent_parameters'
        ? parameters
        : op.slice(b, parameters, 1, 0, latentChannels);
    }),
    vae_decoder: network('vae_decoder', 'sample', (b) =>
      decodeLatent(b, b.input('latent_sample', 'float32', ['batch', latentChannels, side, side]), size),
    ),
    brain_adapter: network('brain_adapter', 'brain_embeds', (b) =>
      adaptBrain(b, b.input('signal', 'float32', ['batch', voxels]), {
        hidden: 16,
        blocks: 1,
        outputs: mapper ? EMBEDDING : condition,
      }),
    ),
    ...(options.exemplar === false
      ? {}
      : {
          image_encoder: network('image_encoder', 'image_embeds', (b) =>
            embedImage(b, b.input('pixel_values', 'float32', ['batch', 3, 16, 16]), {
              widths: [8, 8],
              neck: 8,
              embeddingSize: embedding,
            }),
          ),
          pseudo_brain_generator: network('pseudo_brain_generator', 'signal', (b) =>
            generatePseudoBrain(b, b.input('image_embeds', 'float32', ['batch', embedding]), {
              hidden: 16,
              blocks: 1,
              outputs: voxels,
            }),
          ),
        }),
    ...(mapper
      ? {
          mapper: network('mapper', 'image_embeds', (b) => {
            const shape = mapper.rank === 3 ? ['batch', 1, EMBEDDING] : ['batch', EMBEDDING];
            const pooled = op.reshape(b, b.input('pooled', 'float32', shape), ['batch', EMBEDDING]);
            const weight = b.parameter('weight', [EMBEDDING, condition], { kind: 'normal', std: 1 });
            return op.reshape(b, op.matmul(b, pooled, weight), ['batch', 1, condition]);
          }),
        }
      : {}),
    unet: network('unet', 'out_sample', (b) => {
      const sample = b.input('sample', 'float32', ['batch', 2 * latentChannels + 1, side, side]);
      const time = timestepInput(b, sample, timestep);
      return predictNoise(
        b,
        sample,
        time,
        b.input('encoder_hidden_states', 'float32', ['batch', 1, condition]),
        unet,
      );
    }),
  };
  await writeBundle(folder, {
    conventions: {
      formatVersion: 1,
      name: 'tiny',
      imageSizePx,
      vaeScaleFactor: imageSizePx / side,
      latentChannels,
      latentScalingFactor: 0.5,
      unetInputOrder: ['noise', 'image', 'mask'],
      unetMaskMeaning: 'keep',
      maskDownscale: 'any',
      maskedFill: 0,
      conditionSize: condition,
      unconditional: options.uncondVector ? 'learned' : 'zeros',
      voxels,
      subject: { label: TINY.label, simulated: true },
      defaults: { steps: 4, guidanceScale: 2 },
      cropContext: 2,
      ...options.conventions,
    },
    scheduler: schedulerSchema.parse({
      _class_name: 'DDIMScheduler',
      num_train_timesteps: 1000,
      beta_schedule: 'squaredcos_cap_v2',
      ...options.scheduler,
    }),
    components: Object.fromEntries(
      Object.entries(models).map(([name, model]) => [
        name,
        { model, config: options.trainable && name === 'unet' ? unet : {} },
      ]),
    ),
    ...(options.uncondVector ? { uncondVector: options.uncondVector } : {}),
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
