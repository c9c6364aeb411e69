// Trained weights -> inference graphs with a free batch, as ONNX bytes. The names are those of the export contract.

import { type Builder, createBuilder } from '../graph/builder.js';
import { encodeModel, readWeights } from '../graph/onnx.js';
import type { Value } from '../graph/types.js';
import { type AutoencoderSize, decodeLatent, encodeImage } from './models/autoencoder.js';
import { adaptBrain, generatePseudoBrain, type ResidualMlpSize } from './models/brain.js';
import { embedImage, type ImageEncoderSize } from './models/image-encoder.js';
import { predictNoise, type UnetSize } from './models/unet.js';
import type { Weights } from './stage.js';

/** Builds a network on free-batch inputs; half precision on disk halves a bundle, the runtime computes in float32. */
export function exportNetwork(name: string, output: string, weights: Weights, build: (b: Builder) => Value) {
  const b = createBuilder(name);
  b.output(output, build(b));
  return encodeModel(b.freeze(), { weights, storage: 'float16' });
}

/** The weights of an exported network, to train on from them. */
export const networkWeights = (model: Uint8Array): Weights => readWeights(model);

const image = (b: Builder, name: string, side: number) => b.input(name, 'float32', ['batch', 3, side, side]);

export const imageEncoderNetwork = (weights: Weights, size: ImageEncoderSize & { imageSizePx: number }) =>
  exportNetwork('image_encoder', 'image_embeds', weights, (b) =>
    b.scope('encoder', () => embedImage(b, image(b, 'pixel_values', size.imageSizePx), size)),
  );

export const vaeEncoderNetwork = (weights: Weights, size: AutoencoderSize & { imageSizePx: number }) =>
  exportNetwork('vae_encoder', 'latent_parameters', weights, (b) =>
    b.scope('encoder', () => encodeImage(b, image(b, 'sample', size.imageSizePx), size)),
  );

export const vaeDecoderNetwork = (weights: Weights, size: AutoencoderSize & { latentSide: number }) =>
  exportNetwork('vae_decoder', 'sample', weights, (b) => {
    const { latentChannels, latentSide } = size;
    const latent = b.input('latent_sample', 'float32', ['batch', latentChannels, latentSide, latentSide]);
    return b.scope('decoder', () => decodeLatent(b, latent, size));
  });

export const pseudoBrainNetwork = (weights: Weights, size: ResidualMlpSize & { embeddingSize: number }) =>
  exportNetwork('pseudo_brain_generator', 'signal', weights, (b) =>
    generatePseudoBrain(b, b.input('image_embeds', 'float32', ['batch', size.embeddingSize]), size),
  );

export const brainAdapterNetwork = (weights: Weights, size: ResidualMlpSize & { voxels: number }) =>
  exportNetwork('brain_adapter', 'brain_embeds', weights, (b) =>
    adaptBrain(b, b.input('signal', 'float32', ['batch', size.voxels]), size),
  );

export const unetNetwork = (
  weights: Weights,
  size: UnetSize & { latentSide: number; conditionSize: number },
) =>
  exportNetwork('unet', 'out_sample', weights, (b) => {
    const { latentChannels, latentSide, conditionSize } = size;
    const shape = ['batch', 2 * latentChannels + 1, latentSide, latentSide] as const;
    const sample = b.input('sample', 'float32', shape);
    const timestep = b.input('timestep', 'float32', ['batch']);
    const condition = b.input('encoder_hidden_states', 'float32', ['batch', 1, conditionSize]);
    return predictNoise(b, sample, timestep, condition, size);
  });
