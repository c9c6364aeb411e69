// What a bundle's networks take and give, where exports follow different conventions: conditions and latents.

import { AppError } from '../errors.js';
import { maskBounds } from '../imaging/mask-shapes.js';
import { scaleColours, writeRegion } from '../imaging/tensor.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import { floats, type Session, type Tensor } from '../runtime/session.js';
import type { Bundle } from './bundle.js';
import type { Conventions } from './manifest.js';

/** Runs a network of one output. */
export async function runSingle(session: Session, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const result = await session.run(feeds);
  return result[session.outputs[0]!.name]!.data as Float32Array;
}

function unfit(component: string, given: number, wanted: string): AppError {
  const message = `${component} gives ${given} numbers where the manifest asks for ${wanted}`;
  return new AppError('CORRUPT', message, { field: 'bundle' });
}

/** The condition of the unconditional half of guidance: [conditionSize]. */
export function unconditionalOf(bundle: Bundle): Float32Array {
  return bundle.uncondVector ?? new Float32Array(bundle.conventions.conditionSize);
}

/** The embedding E that a signal gives, before any mapper; it lies near the embedding Z of what was seen. */
export function adaptSignal(brainAdapter: Session, signal: Float32Array): Promise<Float32Array> {
  return runSingle(brainAdapter, { [brainAdapter.inputs[0]!.name]: floats(signal, [1, signal.length]) });
}

/** The condition that an adapted signal gives, through the mapper where the bundle has one: [conditionSize]. */
export async function conditionOf(
  { bundle, mapper }: { bundle: Bundle; mapper: Session | undefined },
  adapted: Float32Array,
): Promise<Float32Array> {
  let vector = adapted;
  if (mapper) {
    // One token: some exports keep its axis, [batch, 1, size].
    const { name, shape } = mapper.inputs[0]!;
    const size = vector.length;
    vector = await runSingle(mapper, {
      [name]: floats(vector, shape.length === 3 ? [1, 1, size] : [1, size]),
    });
  }
  const { conditionSize } = bundle.conventions;
  if (vector.length !== conditionSize)
    throw unfit(mapper ? 'mapper' : 'brain_adapter', vector.length, `a conditionSize of ${conditionSize}`);
  return vector;
}

/** Z of a picture, or of its masked part alone (the square around the mask, the rest mid grey): [embedding]. */
export function embedRegion(
  { imageEncoderColours }: Pick<Conventions, 'imageEncoderColours'>,
  imageEncoder: Session,
  picture: RgbImage,
  mask?: MaskImage,
): Promise<Float32Array> {
  const { name, shape } = imageEncoder.inputs[0]!;
  const side = Number(shape[2]);
  const whole = { x0: 0, y0: 0, x1: picture.width, y1: picture.height };
  const pixels = new Float32Array(3 * side * side);
  writeRegion(pixels, 0, picture, mask, (mask && maskBounds(mask)) ?? whole, side);
  scaleColours(pixels, side * side, imageEncoderColours);
  return runSingle(imageEncoder, { [name]: floats(pixels, [1, 3, side, side]) });
}

/**
 * The VAE encoder's answer -> latents as the UNet sees them. A distribution ([mean | log variance], twice the channels;
 * optimum's `latent_parameters`) gives its mean, so that painting is repeatable; a sample (`latent_sample`) is taken as it is.
 */
export function toLatents(raw: Float32Array, conventions: Conventions): Float32Array {
  const { latentChannels, imageSizePx, vaeScaleFactor, latentScalingFactor, latentShift = 0 } = conventions;
  const count = latentChannels * (imageSizePx / vaeScaleFactor) ** 2;
  if (raw.length !== count && raw.length !== 2 * count)
    throw unfit('vae_encoder', raw.length, `${count} latents or twice as many`);
  return raw.slice(0, count).map((x) => (x - latentShift) * latentScalingFactor);
}

/** Latents as the UNet sees them -> what the VAE decoder takes. */
export function fromLatents(latents: Float32Array, conventions: Conventions): Float32Array {
  const { latentScalingFactor, latentShift = 0 } = conventions;
  return latents.map((x) => x / latentScalingFactor + latentShift);
}
