// The image encoder of the digits, trained without labels: from a masked digit it foretells the whole one (as a masked
// autoencoder, He et al. 2022), so that the embedding of a part is near the embedding of the whole.

import type { Builder } from '../../graph/builder.js';
import * as op from '../../graph/ops.js';
import { sampleTrainingMask } from '../../imaging/mask-sampler.js';
import { maskBounds } from '../../imaging/mask-shapes.js';
import { writePlanar, writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';
import { floats, type Session, type Tensor } from '../../runtime/session.js';
import type { MaskedPicture } from '../../train/diffusion-pool.js';
import { linear } from '../../train/layers.js';
import { meanSquaredError } from '../../train/losses.js';
import { embedImage } from '../../train/models/image-encoder.js';
import { mapRows } from '../../train/rows.js';
import type { Objective } from '../../train/step-graph.js';
import { jitter } from './dataset.js';
import { DIGITS, PLAN } from './settings.js';

const SIDE = DIGITS.imageSizePx;
const PIXELS = SIDE * SIDE;
/** A region stays at its place in the picture: early visual cortex knows places. */
const WHOLE = { x0: 0, y0: 0, x1: SIDE, y1: SIDE };

/** Box of the digit's strokes. */
function strokes(image: RgbImage) {
  const data = Uint8Array.from({ length: PIXELS }, (_, i) => (image.data[i * 3]! > 64 ? 255 : 0));
  return maskBounds({ width: SIDE, height: SIDE, data });
}

/** A digit of the pool, slightly moved, with a training mask; inpainting masks cover the digit. */
export function sampleMaskedDigit(rng: Rng, digits: readonly RgbImage[]): MaskedPicture {
  const image = jitter(rng, digits[rng.int(digits.length)]!, 1);
  const objectBox = strokes(image);
  const options = { sizePx: SIDE, fullShare: DIGITS.fullMaskShare, ...(objectBox ? { objectBox } : {}) };
  for (;;) {
    const { mask } = sampleTrainingMask(rng, options);
    if (maskBounds(mask)) return { image, mask, box: WHOLE };
  }
}

/**
 * Squared error of the whole digit, read linearly from the embedding, plus the squared mean of the batch's embeddings: what
 * all digits share says nothing about one, and would drown what cosines and the contrastive loss compare.
 */
export function maskedDigitObjective(b: Builder): Objective {
  const { batch } = PLAN.imageEncoder;
  const image = b.input('image', 'float32', [batch, 3, SIDE, SIDE]);
  const target = b.input('target', 'float32', [batch, PIXELS]);
  const embedding = b.scope('encoder', () => embedImage(b, image, DIGITS.imageEncoder));
  const told = linear(b, 'pixels', embedding, PIXELS, { bias: false });
  const error = meanSquaredError(b, told, target);
  const common = op.meanAll(b, op.square(b, op.reduceMean(b, embedding, [0])));
  return { loss: op.add(b, op.mul(b, error, 10), op.mul(b, common, 2)), metrics: { error, common } };
}

/** The mean digit, grey [pixels] in [-1, 1]. */
export function meanDigit(digits: readonly RgbImage[]): Float32Array {
  const mean = new Float32Array(PIXELS);
  for (const { data } of digits) {
    for (let i = 0; i < PIXELS; i++) mean[i]! += (data[i * 3]! / 127.5 - 1) / digits.length;
  }
  return mean;
}

/** Half the digits are seen whole, half through a training mask. */
export function maskedDigitBatch(
  rng: Rng,
  digits: readonly RgbImage[],
  mean: Float32Array,
): Record<string, Tensor> {
  const { batch } = PLAN.imageEncoder;
  const image = new Float32Array(batch * 3 * PIXELS);
  const target = new Float32Array(batch * PIXELS);
  for (let i = 0; i < batch; i++) {
    const sample = sampleMaskedDigit(rng, digits);
    const seen = rng.uniform() < 0.5 ? undefined : sample.mask;
    writeRegion(image, i * 3 * PIXELS, sample.image, seen, WHOLE, SIDE);
    for (let k = 0; k < PIXELS; k++)
      target[i * PIXELS + k] = sample.image.data[k * 3]! / 127.5 - 1 - mean[k]!;
  }
  return {
    image: floats(image, [batch, 3, SIDE, SIDE]),
    target: floats(target, [batch, PIXELS]),
  };
}

/** Pictures [batch, 3, s, s] for the autoencoder, a third of them with a grey hole, as the painter encodes them. */
export function digitAutoencoderBatch(rng: Rng, digits: readonly RgbImage[]): Record<string, Tensor> {
  const { batch } = PLAN.autoencoder;
  const { latentSide, autoencoder } = DIGITS;
  const data = new Float32Array(batch * 3 * PIXELS);
  for (let i = 0; i < batch; i++) {
    const { image, mask } = sampleMaskedDigit(rng, digits);
    writePlanar(data, i * 3 * PIXELS, image, rng.uniform() < 0.3 ? mask : undefined);
  }
  const shape = [batch, autoencoder.latentChannels, latentSide, latentSide];
  const noise = rng.fillNormal(new Float32Array(batch * autoencoder.latentChannels * latentSide ** 2));
  return { image: floats(data, [batch, 3, SIDE, SIDE]), noise: floats(noise, shape) };
}

/** Z of whole digits, [digits, embedding]. */
export function embedDigits(encoder: Session, digits: readonly RgbImage[]): Promise<Float32Array> {
  const pixels = new Float32Array(digits.length * 3 * PIXELS);
  digits.forEach((image, i) => {
    writePlanar(pixels, i * 3 * PIXELS, image);
  });
  return mapRows(encoder, pixels, [3, SIDE, SIDE]);
}
