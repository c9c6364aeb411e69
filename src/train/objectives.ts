// The objectives of MindPainter as graph functions: data inputs, forward pass and loss of each network.
// Where data come from, and in what order the networks are trained, is the caller's.

import type { Builder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import type { Value } from '../graph/types.js';
import { linear } from './layers.js';
import { crossEntropy, meanAbsoluteError, meanSquaredError, symmetricContrastive } from './losses.js';
import { type AutoencoderSize, decodeLatent, encodeImage } from './models/autoencoder.js';
import { adaptBrain, generatePseudoBrain, type ResidualMlpSize } from './models/brain.js';
import { embedImage, type ImageEncoderSize } from './models/image-encoder.js';
import { predictNoise, type UnetSize } from './models/unet.js';
import type { Objective } from './step-graph.js';

/**
 * Autoencoder: mean absolute error of pixels and of their gradients, plus kl times the Kullback-Leibler
 * divergence from the standard normal (Kingma and Welling 2014). Inputs image [batch, 3, s, s], noise as the latents.
 */
export function autoencoderObjective(
  b: Builder,
  size: AutoencoderSize & { batch: number; imageSizePx: number; kl: number },
): Objective {
  const { batch, imageSizePx, latentChannels } = size;
  const side = imageSizePx / (2 * size.patch);
  const image = b.input('image', 'float32', [batch, 3, imageSizePx, imageSizePx]);
  const noise = b.input('noise', 'float32', [batch, latentChannels, side, side]);
  const moments = b.scope('encoder', () => encodeImage(b, image, size));
  const [mean, logVariance] = op.split(b, moments, 1, [latentChannels, latentChannels]) as [Value, Value];
  const std = op.exp(b, op.mul(b, logVariance, 0.5));
  const latent = op.add(b, mean, op.mul(b, std, noise));
  const decoded = b.scope('decoder', () => decodeLatent(b, latent, size));
  const error = meanAbsoluteError(b, decoded, image);
  const slopes = [2, 3].map((axis) => {
    const difference = op.sub(b, decoded, image);
    const ahead = op.slice(b, difference, axis, 1, imageSizePx);
    return op.meanAll(b, op.abs(b, op.sub(b, ahead, op.slice(b, difference, axis, 0, imageSizePx - 1))));
  });
  const variance = op.exp(b, logVariance);
  const divergence = op.meanAll(
    b,
    op.sub(b, op.add(b, op.square(b, mean), variance), op.add(b, logVariance, 1)),
  );
  const sharp = op.add(b, slopes[0]!, slopes[1]!);
  const loss = op.add(b, op.add(b, error, sharp), op.mul(b, divergence, size.kl * 0.5));
  return { loss, metrics: { meanAbsoluteError: error, divergence } };
}

/**
 * Image encoder: cross-entropy of kind and of colour, read linearly from the embedding, plus the squared error
 * of place and size. Inputs image [batch, 3, s, s], kind [batch, kinds], colour [batch, colours], place [batch, 3],
 * present [batch, 1] (0 where no object is in view: only the kind then counts, as its last class).
 */
export function imageEncoderObjective(
  b: Builder,
  size: ImageEncoderSize & { batch: number; imageSizePx: number; kinds: number; colours: number },
): Objective {
  const { batch, imageSizePx, kinds, colours } = size;
  const image = b.input('image', 'float32', [batch, 3, imageSizePx, imageSizePx]);
  const kind = b.input('kind', 'float32', [batch, kinds]);
  const colour = b.input('colour', 'float32', [batch, colours]);
  const place = b.input('place', 'float32', [batch, 3]);
  const present = b.input('present', 'float32', [batch, 1]);
  const embedding = b.scope('encoder', () => embedImage(b, image, size));
  const kindLoss = crossEntropy(b, linear(b, 'kind_head', embedding, kinds), kind);
  const colourLoss = crossEntropy(
    b,
    linear(b, 'colour_head', embedding, colours),
    op.mul(b, colour, present),
  );
  const placeError = op.sub(b, linear(b, 'place_head', embedding, 3), place);
  const placeLoss = op.meanAll(b, op.square(b, op.mul(b, placeError, present)));
  const loss = op.add(b, op.add(b, kindLoss, op.mul(b, colourLoss, 0.5)), op.mul(b, placeLoss, 2));
  return { loss, metrics: { kindLoss, colourLoss, placeLoss } };
}

/** PBG: mean squared error of G(Z) against the voxels. Inputs embedding [batch, 1024], signal [batch, voxels]. */
export function pseudoBrainObjective(
  b: Builder,
  size: ResidualMlpSize & { batch: number; embeddingSize: number },
): Objective {
  const embedding = b.input('embedding', 'float32', [size.batch, size.embeddingSize]);
  const signal = b.input('signal', 'float32', [size.batch, size.outputs]);
  return { loss: meanSquaredError(b, generatePseudoBrain(b, embedding, size), signal) };
}

/** Which of the two losses of the brain adapter count; the paper's is both. */
export type AdapterSignals = 'real' | 'pseudo' | 'both';

/**
 * BA: L_contra = L_real + L_simul, each the symmetric contrastive loss with temperature tau between the embeddings Z
 * and the adapted real or pseudo signals. One adapter sees both kinds of signal as one batch of twice the size.
 * Inputs embedding [batch, outputs], and real or pseudo [batch, voxels] or both, as `signals` says. Where pseudo signals
 * are of other stimuli than the real ones (`otherPseudo`), these bring their own embeddings, pseudo_embedding.
 */
export function brainAdapterObjective(
  b: Builder,
  size: ResidualMlpSize & {
    batch: number;
    voxels: number;
    tau: number;
    signals?: AdapterSignals;
    otherPseudo?: boolean;
  },
): Objective {
  const { batch, voxels, outputs, tau, signals = 'both', otherPseudo = false } = size;
  const embedding = b.input('embedding', 'float32', [batch, outputs]);
  const names = signals === 'both' ? (['real', 'pseudo'] as const) : [signals];
  const inputs = names.map((name) => b.input(name, 'float32', [batch, voxels]));
  const adapted = adaptBrain(b, inputs.length === 1 ? inputs[0]! : op.concat(b, inputs, 0), size);
  const rows = inputs.length === 1 ? [adapted] : op.split(b, adapted, 0, [batch, batch]);
  const partners = names.map((name) =>
    name === 'pseudo' && otherPseudo ? b.input('pseudo_embedding', 'float32', [batch, outputs]) : embedding,
  );
  const losses = rows.map((row, i) => symmetricContrastive(b, partners[i]!, row, tau));
  if (losses.length === 1) return { loss: losses[0]! };
  const metrics = Object.fromEntries(names.map((name, i) => [`${name}Loss`, losses[i]!]));
  return { loss: losses.reduce((sum, loss) => op.add(b, sum, loss)), metrics };
}

/**
 * Diffusion: squared error of the UNet against `target` (noise or velocity, the caller's choice), each position
 * times its `weight` [batch, 1, y, x].
 */
export function diffusionObjective(
  b: Builder,
  size: UnetSize & { batch: number; latentSide: number; conditionSize: number },
): Objective {
  const { batch, latentSide, latentChannels } = size;
  const sample = b.input('sample', 'float32', [batch, 2 * latentChannels + 1, latentSide, latentSide]);
  const timestep = b.input('timestep', 'float32', [batch]);
  const condition = b.input('encoder_hidden_states', 'float32', [batch, 1, size.conditionSize]);
  const target = b.input('target', 'float32', [batch, latentChannels, latentSide, latentSide]);
  const weight = b.input('weight', 'float32', [batch, 1, latentSide, latentSide]);
  const error = op.square(b, op.sub(b, predictNoise(b, sample, timestep, condition, size), target));
  return { loss: op.meanAll(b, op.mul(b, error, weight)) };
}
