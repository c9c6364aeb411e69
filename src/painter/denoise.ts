// The denoising loop: noise to latents by a bundle's UNet and scheduler, with classifier-free guidance.

import { AppError } from '../errors.js';
import { floats, type Session, type Tensor } from '../runtime/session.js';
import type { Bundle } from './bundle.js';
import { runSingle, unconditionalOf } from './components.js';
import { createSampler } from './scheduler.js';

/** Latent pixels in one call of the UNet: eight rows of 64 x 64 keep a full-size model within some gigabytes. */
const PIXELS_A_CALL = 8 * 64 * 64;

interface DenoiseInputs {
  /** One a sample, [latentChannels, side, side] each; the samples differ in nothing else. */
  readonly noises: readonly Float32Array[];
  readonly maskedLatents: Float32Array;
  readonly mask: Float32Array;
  readonly condition: Float32Array;
  readonly steps: number;
  readonly guidanceScale: number;
  /** Is given the first sample after each call of the UNet. */
  readonly onStep: (sample: Float32Array) => Promise<void>;
  readonly abort: AbortSignal | undefined;
}

const rowsASample = (guidanceScale: number) => (guidanceScale > 1 ? 2 : 1);

/** Samples of latents `side` wide that one call of the UNet should take at most; at least 1. */
export const largestGroup = (side: number, guidanceScale: number): number =>
  Math.max(1, Math.floor(PIXELS_A_CALL / (side * side * rowsASample(guidanceScale))));

/** Calls of the UNet that a group of samples takes: with some schedulers more than steps. */
export const denoiserCalls = (scheduler: Bundle['scheduler'], steps: number): number =>
  createSampler(scheduler, steps).visits.length;

/** Timesteps as the model declares them: a scalar or one a row, float32 or int64. */
function timestepTensor(session: Session, timestep: number, batch: number): Tensor {
  const info = session.inputs.find((input) => input.name === 'timestep');
  const shape = info?.shape.length === 0 ? [] : [batch];
  const count = shape.length === 0 ? 1 : batch;
  return info?.dtype === 'int64'
    ? { dtype: 'int64', data: new BigInt64Array(count).fill(BigInt(timestep)), shape }
    : floats(new Float32Array(count).fill(timestep), shape);
}

/**
 * Noises -> latents by the bundle's scheduler, all samples in one call of the UNet a step, with classifier-free guidance
 * (Ho and Salimans 2022) above 1. Throws CANCELLED between two steps once `abort` says so.
 */
export async function denoise(
  { bundle, unet }: { readonly bundle: Bundle; readonly unet: Session },
  inputs: DenoiseInputs,
): Promise<Float32Array[]> {
  const { conventions, scheduler } = bundle;
  const { conditionSize, latentChannels, unetInputOrder } = conventions;
  const side = conventions.imageSizePx / conventions.vaeScaleFactor;
  const size = latentChannels * side * side;
  const count = inputs.noises.length;
  // As diffusers orders them: all rows without the condition, then all with it.
  const batch = count * rowsASample(inputs.guidanceScale);
  const width = 2 * size + side * side;
  const condition = new Float32Array(batch * conditionSize);
  for (let row = 0; row < batch; row++) {
    condition.set(row < batch - count ? unconditionalOf(bundle) : inputs.condition, row * conditionSize);
  }
  const input = new Float32Array(batch * width);
  const sampler = createSampler(scheduler, inputs.steps);
  let samples: Float32Array = new Float32Array(count * size);
  inputs.noises.forEach((noise, i) => {
    samples.set(noise, i * size);
  });
  const sampleOf = (i: number) => samples.subarray(i * size, (i + 1) * size);
  for (const [index, { timestep }] of sampler.visits.entries()) {
    if (inputs.abort?.aborted) throw new AppError('CANCELLED', 'the job was cancelled');
    for (let row = 0; row < batch; row++) {
      const parts = { noise: sampleOf(row % count), image: inputs.maskedLatents, mask: inputs.mask };
      let at = row * width;
      for (const part of unetInputOrder) {
        input.set(parts[part], at);
        at += parts[part].length;
      }
    }
    const out = await runSingle(unet, {
      sample: floats(input, [batch, width / (side * side), side, side]),
      timestep: timestepTensor(unet, timestep, batch),
      encoder_hidden_states: floats(condition, [batch, 1, conditionSize]),
    });
    const prediction = out.subarray(0, count * size);
    if (batch > count) {
      for (let i = 0; i < prediction.length; i++)
        prediction[i]! += inputs.guidanceScale * (out[prediction.length + i]! - out[i]!);
    }
    samples = sampler.advance(index, samples, prediction);
    await inputs.onStep(sampleOf(0));
    // run() blocks the event loop; between steps, let messages (cancel, ping) in.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return inputs.noises.map((_, i) => sampleOf(i));
}
