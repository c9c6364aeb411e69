// The two-stage baseline of the paper's comparison: decode the brain to a picture, then paint by that picture as
// exemplar. Both stages use the bundle's own networks, so that only the route differs from painting by the signal.

import { AppError } from '../errors.js';
import { writeRegion } from '../imaging/tensor.js';
import type { RgbImage } from '../imaging/types.js';
import { floats, openSession, type SessionOptions } from '../runtime/session.js';
import type { Bundle } from './bundle.js';
import { type Painter, type Painting, type PaintRequest, paint } from './painter.js';

/** Picture -> the signal G(Z(picture)) that stands for it. */
export interface ExemplarEncoder {
  encode(picture: RgbImage): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens image encoder and pseudo brain generator of a bundle; UNSUPPORTED when it lacks either. */
export async function openExemplarEncoder(
  bundle: Bundle,
  options: SessionOptions = {},
): Promise<ExemplarEncoder> {
  const { image_encoder: encoderPath, pseudo_brain_generator: generatorPath } = bundle.components;
  if (!encoderPath || !generatorPath) {
    throw new AppError(
      'UNSUPPORTED',
      'the two-stage method needs a model with image encoder and pseudo brain generator',
      {
        field: 'method',
      },
    );
  }
  const encoder = await openSession(encoderPath, options);
  const generator = await openSession(generatorPath, options);
  const side = Number(encoder.inputs[0]!.shape[2]);
  return {
    async encode(picture) {
      const pixels = new Float32Array(3 * side * side);
      const box = { x0: 0, y0: 0, x1: picture.width, y1: picture.height };
      writeRegion(pixels, 0, picture, undefined, box, side);
      const embedded = await encoder.run({ [encoder.inputs[0]!.name]: floats(pixels, [1, 3, side, side]) });
      const embedding = embedded[encoder.outputs[0]!.name]!;
      const made = await generator.run({ [generator.inputs[0]!.name]: embedding });
      return made[generator.outputs[0]!.name]!.data as Float32Array;
    },
    async close() {
      await encoder.close();
      await generator.close();
    },
  };
}

/** A mid-grey square with everything to paint: what a reconstruction from the brain alone starts from. */
export function blankCanvas(sizePx: number): Pick<PaintRequest, 'source' | 'mask'> {
  return {
    source: { width: sizePx, height: sizePx, data: new Uint8Array(sizePx * sizePx * 3).fill(128) },
    mask: { width: sizePx, height: sizePx, data: new Uint8Array(sizePx * sizePx).fill(255) },
  };
}

/** Decodes the signal to one picture with a full mask, then paints the request by that picture. */
export async function* paintTwoStage(
  painter: Painter,
  exemplar: ExemplarEncoder,
  request: PaintRequest,
): AsyncGenerator<Painting> {
  const { steps, paintings, onStep } = request;
  let decodeSteps = 0;
  let decoded: RgbImage | undefined;
  const onDecodeStep = (done: number, total: number) => {
    decodeSteps = total;
    onStep?.(done, total * (1 + paintings));
  };
  const canvas = blankCanvas(painter.bundle.conventions.imageSizePx);
  for await (const { image } of paint(painter, {
    ...request,
    ...canvas,
    steps,
    paintings: 1,
    onStep: onDecodeStep,
  }))
    decoded = image;
  yield* paint(painter, {
    ...request,
    signal: await exemplar.encode(decoded!),
    onStep: (done, total) => onStep?.(decodeSteps + done, decodeSteps + total),
  });
}
