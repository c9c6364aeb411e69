// The painter: source, mask and brain signal in, paintings out. Sessions are opened once and used for many jobs.

import { AppError } from '../errors.js';
import { countDifferentOutside, extractCrop, pasteBack, planBlend, planCrop } from '../imaging/crop.js';
import { maskBounds } from '../imaging/mask-shapes.js';
import { readPlanar, writePlanar } from '../imaging/tensor.js';
import { matchTones } from '../imaging/tone.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import { onDemand, openAll } from '../runtime/opening.js';
import { floats, openSession, type Provider, type Session } from '../runtime/session.js';
import type { Bundle } from './bundle.js';
import {
  adaptSignal,
  conditionOf,
  embedRegion,
  fromLatents,
  runSingle,
  toLatents,
  unconditionalOf,
} from './components.js';
import { denoise, denoiserCalls, largestGroup } from './denoise.js';
import { gaussianNoise } from './noise.js';

export interface Painter {
  readonly bundle: Bundle;
  readonly unet: Session;
  readonly vaeEncoder: Session;
  readonly vaeDecoder: Session;
  readonly brainAdapter: Session;
  /** From the adapter's embedding to the UNet's condition; absent: they are the same. */
  readonly mapper: Session | undefined;
  /** Opened when first asked for: only choosing among candidates and the two-stage baseline need it. UNSUPPORTED without one. */
  imageEncoder(): Promise<Session>;
  close(): Promise<void>;
}

export interface PaintRequest {
  readonly source: RgbImage;
  /** Same size as the source; 255 = edit. */
  readonly mask: MaskImage;
  /** z-scored signal, [voxels]; absent: painted without a condition, and guidance has no part in it. */
  readonly signal: Float32Array | undefined;
  readonly seed: number;
  /** Paintings differ by their index, from 0. */
  readonly paintings: number;
  readonly steps: number;
  readonly guidanceScale: number;
  /**
   * Paintings made for each one that is kept: the one whose embedding lies nearest (cosine) to the signal's, as brain
   * decoders choose among samples. Absent: the bundle's default. The noise of candidate c of painting i is number
   * i * candidates + c.
   */
  readonly candidates?: number;
  /** Called after every call of the denoiser, which takes as many candidates of a painting as fit; counted over the job. */
  readonly onStep?: (done: number, total: number) => void;
  /** Called after each network beside the denoiser, and whatever else may take long: a sign of life. */
  readonly onPhase?: () => void;
  /** Looks at what becomes of the crop: asked after a step, and given the picture decoded if it says that one is due. */
  readonly preview?: { due(): boolean; show(crop: RgbImage): void };
  readonly abort?: AbortSignal;
}

export interface Painting {
  readonly index: number;
  readonly image: RgbImage;
  readonly outsideMaskDifferentPixels: number;
}

/** Opens the sessions of a bundle on one device. */
export async function openPainter(
  bundle: Bundle,
  options: { provider?: Provider; threads?: number } = {},
): Promise<Painter> {
  const {
    unet,
    vae_encoder: encoder,
    vae_decoder: decoder,
    brain_adapter: adapter,
    mapper,
  } = bundle.components;
  const sessions = await openAll(
    [unet!, encoder!, decoder!, adapter!, ...(mapper ? [mapper] : [])].map(
      (path) => () => openSession(path, { ...options, seldom: path !== unet }),
    ),
  );
  const imageEncoder = onDemand(async () => {
    const path = bundle.components.image_encoder;
    if (path) return openSession(path, { ...options, seldom: true });
    throw new AppError('UNSUPPORTED', 'this model has no image encoder, which this method needs', {
      field: 'method',
    });
  });
  return {
    bundle,
    unet: sessions[0]!,
    vaeEncoder: sessions[1]!,
    vaeDecoder: sessions[2]!,
    brainAdapter: sessions[3]!,
    mapper: sessions[4],
    imageEncoder: imageEncoder.get,
    async close() {
      for (const session of sessions) await session.close();
      await imageEncoder.close();
    },
  };
}

/** Throws an AppError that names the field unless the request can be painted by this bundle. */
export function checkRequest(
  bundle: Bundle,
  request: Omit<PaintRequest, 'onStep' | 'onPhase' | 'preview' | 'abort'>,
): void {
  const fail = (field: string, message: string): never => {
    throw new AppError('BAD_INPUT', message, { field });
  };
  const { voxels } = bundle.conventions;
  const { source, mask, signal, seed, paintings, steps, guidanceScale, candidates = 1 } = request;
  if (mask.width !== source.width || mask.height !== source.height) {
    fail(
      'mask',
      `the mask is ${mask.width} x ${mask.height}, the picture ${source.width} x ${source.height}; they must agree`,
    );
  }
  if (signal && signal.length !== voxels)
    fail('trials', `the signal has ${signal.length} voxels; the model takes ${voxels}`);
  if (signal && !signal.every(Number.isFinite))
    fail('trials', 'the signal holds values that are no finite numbers');
  if (!Number.isInteger(steps) || steps < 1 || steps > bundle.scheduler.num_train_timesteps) {
    fail(
      'steps',
      `steps must be a whole number from 1 to ${bundle.scheduler.num_train_timesteps}, it is ${steps}`,
    );
  }
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    fail('seed', `seed must be a whole number from 0 to 4294967295, it is ${seed}`);
  if (!(guidanceScale >= 0 && guidanceScale <= 30))
    fail('guidanceScale', `guidance must be from 0 to 30, it is ${guidanceScale}`);
  if (!Number.isInteger(paintings) || paintings < 1 || paintings > 16)
    fail('paintings', `paintings must be from 1 to 16, it is ${paintings}`);
  if (!Number.isInteger(candidates) || candidates < 1 || candidates > 16)
    fail('candidates', `candidates must be from 1 to 16, it is ${candidates}`);
}

/** Picture -> latents as the UNet sees them. */
async function encodeLatents(painter: Painter, image: RgbImage, hidden: MaskImage): Promise<Float32Array> {
  const { imageSizePx: size, maskedFill } = painter.bundle.conventions;
  const pixels = new Float32Array(3 * size * size);
  writePlanar(pixels, 0, image, hidden, maskedFill);
  const raw = await runSingle(painter.vaeEncoder, {
    [painter.vaeEncoder.inputs[0]!.name]: floats(pixels, [1, 3, size, size]),
  });
  return toLatents(raw, painter.bundle.conventions);
}

/** Latents as the UNet sees them -> picture of the crop. */
async function decodeLatents(painter: Painter, latents: Float32Array): Promise<RgbImage> {
  const { conventions } = painter.bundle;
  const { imageSizePx, latentChannels, vaeScaleFactor } = conventions;
  const side = imageSizePx / vaeScaleFactor;
  const decoded = await runSingle(painter.vaeDecoder, {
    [painter.vaeDecoder.inputs[0]!.name]: floats(fromLatents(latents, conventions), [
      1,
      latentChannels,
      side,
      side,
    ]),
  });
  return readPlanar(decoded, 0, imageSizePx, imageSizePx);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}

/** The mask at latent resolution, in the sense that the bundle declares. */
export function latentMask(
  mask: MaskImage,
  cell: number,
  rule: 'nearest' | 'any',
  meaning: 'keep' | 'edit',
): Float32Array {
  const side = mask.width / cell;
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [cy, cx] = [Math.floor(i / side) * cell, (i % side) * cell];
    let edit = mask.data[cy * mask.width + cx] === 255;
    for (let y = cy; rule === 'any' && !edit && y < cy + cell; y++) {
      edit = mask.data.subarray(y * mask.width + cx, y * mask.width + cx + cell).includes(255);
    }
    return edit === (meaning === 'edit') ? 1 : 0;
  });
}

/** Paints a job's pictures one by one. On the CPU the same request gives the same bytes. */
export async function* paint(painter: Painter, request: PaintRequest): AsyncGenerator<Painting> {
  checkRequest(painter.bundle, request);
  const { conventions } = painter.bundle;
  const { source, mask, onPhase = () => {} } = request;
  const box = maskBounds(mask);
  if (!box)
    throw new AppError('BAD_INPUT', 'the mask covers no pixel; mark what may be painted', { field: 'mask' });
  const plan = planCrop(source, box, conventions.cropContext, conventions.imageSizePx);
  const crop = await extractCrop(source, mask, plan);
  // A feather of about two network pixels hides the edge; it never reaches outside the mask.
  const weights = planBlend(mask, box, Math.max(1, (2 * plan.side) / plan.sizePx));
  onPhase();
  const maskedLatents = await encodeLatents(painter, crop.image, crop.mask);
  onPhase();
  const cells = latentMask(
    crop.mask,
    conventions.vaeScaleFactor,
    conventions.maskDownscale,
    conventions.unetMaskMeaning,
  );
  const { signal, paintings, seed } = request;
  const adapted = signal && (await adaptSignal(painter.brainAdapter, signal));
  const condition = adapted ? await conditionOf(painter, adapted) : unconditionalOf(painter.bundle);
  onPhase();
  // Without a signal there is nothing to choose by.
  const candidates = adapted ? (request.candidates ?? conventions.defaults.candidates ?? 1) : 1;
  const guidanceScale = signal ? request.guidanceScale : 1;
  const side = conventions.imageSizePx / conventions.vaeScaleFactor;
  const group = Math.min(candidates, largestGroup(side, guidanceScale));
  const visits = denoiserCalls(painter.bundle.scheduler, request.steps);
  const total = visits * paintings * Math.ceil(candidates / group);
  let done = 0;
  const onStep = async (sample: Float32Array) => {
    done += 1;
    request.onStep?.(done, total);
    if (done % visits !== 0 && request.preview?.due())
      request.preview.show(await decodeLatents(painter, sample));
  };
  for (let index = 0; index < paintings; index++) {
    let best: { painted: RgbImage; nearness: number } | undefined;
    for (let first = 0; first < candidates; first += group) {
      const noises = Array.from({ length: Math.min(group, candidates - first) }, (_, i) =>
        gaussianNoise(seed, index * candidates + first + i, conventions.latentChannels * side * side),
      );
      const inputs = { noises, maskedLatents, mask: cells, condition, guidanceScale, onStep };
      for (const latents of await denoise(painter, {
        ...inputs,
        steps: request.steps,
        abort: request.abort,
      })) {
        const painted = await decodeLatents(painter, latents);
        onPhase();
        const nearness =
          candidates > 1
            ? cosine(
                await embedRegion(conventions, await painter.imageEncoder(), painted, crop.mask),
                adapted!,
              )
            : 0;
        onPhase();
        if (!best || nearness > best.nearness) best = { painted, nearness };
      }
    }
    const matched = matchTones(best!.painted, crop.image, crop.mask);
    const image = await pasteBack(source, matched, plan, weights);
    yield { index, image, outsideMaskDifferentPixels: countDifferentOutside(source, image, mask) };
  }
}
