// Trained weights -> inference graphs with a free batch, as ONNX bytes. The names are those of the export contract.

import { type Builder, createBuilder } from '../../graph/builder.js';
import { encodeModel } from '../../graph/onnx.js';
import type { Value } from '../../graph/types.js';
import { decodeLatent, encodeImage } from '../../train/models/autoencoder.js';
import { adaptBrain, generatePseudoBrain } from '../../train/models/brain.js';
import { embedImage } from '../../train/models/image-encoder.js';
import { predictNoise } from '../../train/models/unet.js';
import { TOY } from './settings.js';

export type Weights = Readonly<Record<string, Float32Array>>;

const SIDE = TOY.latentSide;
const CHANNELS = TOY.autoencoder.latentChannels;

function network(name: string, output: string, weights: Weights, build: (b: Builder) => Value): Uint8Array {
  const b = createBuilder(name);
  b.output(output, build(b));
  const graph = b.freeze();
  // Half precision on disk halves the bundle; the runtime computes in float32.
  return encodeModel(graph, { weights, storage: 'float16' });
}

const image = (b: Builder, name: string, side: number) => b.input(name, 'float32', ['batch', 3, side, side]);

export const imageEncoderNetwork = (weights: Weights) =>
  network('image_encoder', 'image_embeds', weights, (b) =>
    b.scope('encoder', () => embedImage(b, image(b, 'pixel_values', TOY.regionSizePx), TOY.imageEncoder)),
  );

export const vaeEncoderNetwork = (weights: Weights) =>
  network('vae_encoder', 'latent_parameters', weights, (b) =>
    b.scope('encoder', () => encodeImage(b, image(b, 'sample', TOY.imageSizePx), TOY.autoencoder)),
  );

export const vaeDecoderNetwork = (weights: Weights) =>
  network('vae_decoder', 'sample', weights, (b) => {
    const latent = b.input('latent_sample', 'float32', ['batch', CHANNELS, SIDE, SIDE]);
    return b.scope('decoder', () => decodeLatent(b, latent, TOY.autoencoder));
  });

export const pseudoBrainNetwork = (weights: Weights) =>
  network('pseudo_brain_generator', 'signal', weights, (b) =>
    generatePseudoBrain(
      b,
      b.input('image_embeds', 'float32', ['batch', TOY.imageEncoder.embeddingSize]),
      TOY.pseudoBrainGenerator,
    ),
  );

export const brainAdapterNetwork = (weights: Weights) =>
  network('brain_adapter', 'brain_embeds', weights, (b) =>
    adaptBrain(b, b.input('signal', 'float32', ['batch', TOY.voxels]), TOY.brainAdapter),
  );

export const unetNetwork = (weights: Weights) =>
  network('unet', 'out_sample', weights, (b) => {
    const sample = b.input('sample', 'float32', ['batch', 2 * CHANNELS + 1, SIDE, SIDE]);
    const timestep = b.input('timestep', 'float32', ['batch']);
    const condition = b.input('encoder_hidden_states', 'float32', ['batch', 1, TOY.brainAdapter.outputs]);
    return predictNoise(b, sample, timestep, condition, TOY.unet);
  });
