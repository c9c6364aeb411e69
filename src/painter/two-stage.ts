// The two-stage baseline of the paper's comparison: decode the brain to a picture, then paint by that picture as
// exemplar. Both stages use the bundle's own networks, so that only the route differs from painting by the signal.

import { AppError } from '../errors.js';
import type { RgbImage } from '../imaging/types.js';
import { floats, openSession, type SessionOptions } from '../runtime/session.js';
import { embedRegion, runSingle } from './components.js';
import { type Painter, type Painting, type PaintRequest, paint } from './painter.js';

/** Picture -> the signal G(Z(picture)) that stands for it, [voxels]. */
export interface ExemplarEncoder {
  encode(picture: RgbImage): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens the pseudo brain generator beside a painter; UNSUPPORTED when its bundle lacks it or the image encoder. */
export async function openExemplarEncoder(
  painter: Painter,
  options: SessionOptions = {},
): Promise<ExemplarEncoder> {
  const encoder = await painter.imageEncoder();
  const path = painter.bundle.components.pseudo_brain_generator;
  if (!path) {
    throw new AppError('UNSUPPORTED', 'the two-stage method needs a model with a pseudo brain generator', {
      field: 'method',
    });
  }
  const generator = await openSession(path, { ...options, seldom: true });
  return {
    async encode(picture) {
      const embedding = await embedRegion(painter.bundle.conventions, encoder, picture);
      return runSingle(generator, { [generator.inputs[0]!.name]: floats(embedding, [1, embedding.length]) });
    },
    close: () => generator.close(),
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
  const { paintings, onStep } = request;
  let decodeSteps = 0;
  let decoded: RgbImage | undefined;
  const decoding = {
    ...request,
    ...blankCanvas(painter.bundle.conventions.imageSizePx),
    paintings: 1,
    onStep: (done: number, total: number) => {
      decodeSteps = total;
      onStep?.(done, total * (1 + paintings));
    },
  };
  for await (const { image } of paint(painter, decoding)) decoded = image;
  const signal = await exemplar.encode(decoded!);
  request.onPhase?.();
  yield* paint(painter, {
    ...request,
    signal,
    onStep: (done, total) => onStep?.(decodeSteps + done, decodeSteps + total),
  });
}
