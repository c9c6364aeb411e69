// The pool of encoded training pictures that the diffusion stage draws from: latents, masks, the regions' embeddings.

import { type ColourScale, scaleColours, writePlanar, writeRegion } from '../imaging/tensor.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import type { Rng } from '../random.js';
import type { Session } from '../runtime/session.js';
import { mapRows } from './rows.js';

/** Sizes that latents and masks have; they come from the bundle, nothing is assumed. */
export interface LatentGeometry {
  readonly imageSizePx: number;
  /** Side that the image encoder takes. */
  readonly regionSizePx: number;
  readonly latentSide: number;
  readonly latentChannels: number;
  readonly embeddingSize: number;
}

/** A picture at network size, a training mask, and the mask's box. */
export interface MaskedPicture {
  readonly image: RgbImage;
  readonly mask: MaskImage;
  readonly box: { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number };
}

/** Encoded samples, row by row; latents are scaled to unit standard deviation. */
export interface DiffusionPool {
  readonly count: number;
  readonly geometry: LatentGeometry;
  /** [count, channels, side, side] */
  readonly latents: Float32Array;
  readonly maskedLatents: Float32Array;
  /** [count, side, side], 1 = keep. */
  readonly keep: Float32Array;
  /** Z(m.x_s) of each sample's masked region, [count, embeddingSize]. */
  readonly embeddings: Float32Array;
  /** 1 / standard deviation of the latents: the bundle's latentScalingFactor. */
  readonly scale: number;
}

/** The mask at the latents' resolution, 1 = keep: a cell is edited when any pixel of it is. */
export function latentKeepMask(mask: MaskImage, latentSide: number): Float32Array {
  const cell = mask.width / latentSide;
  const keep = new Float32Array(latentSide * latentSide).fill(1);
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      if (mask.data[y * mask.width + x] === 255)
        keep[Math.floor(y / cell) * latentSide + Math.floor(x / cell)] = 0;
    }
  }
  return keep;
}

/** The mean half of [mean | log variance] rows of a VAE encoder. */
function means(moments: Float32Array, size: number): Float32Array {
  const count = moments.length / (2 * size);
  const result = new Float32Array(count * size);
  for (let i = 0; i < count; i++) result.set(moments.subarray(i * 2 * size, i * 2 * size + size), i * size);
  return result;
}

function standardDeviation(values: Float32Array): number {
  let sum = 0;
  let squares = 0;
  for (const x of values) {
    sum += x;
    squares += x * x;
  }
  return Math.sqrt(squares / values.length - (sum / values.length) ** 2);
}

/**
 * Encodes `count` pictures that `sample` draws. With `scale` given (that of an existing bundle) latents are scaled
 * by it; otherwise to unit standard deviation.
 */
export async function buildPool(
  networks: { vaeEncoder: Session; imageEncoder: Session },
  geometry: LatentGeometry,
  count: number,
  sample: (rng: Rng) => MaskedPicture | Promise<MaskedPicture>,
  rng: Rng,
  options: {
    scale?: number;
    /** What the image encoder takes its colours by; absent: [-1, 1]. */
    colours?: ColourScale | undefined;
    onProgress?: (done: number) => void;
    abort?: AbortSignal;
  } = {},
): Promise<DiffusionPool> {
  const { imageSizePx: size, regionSizePx: region, latentSide, latentChannels, embeddingSize } = geometry;
  const cells = latentSide * latentSide;
  const latent = latentChannels * cells;
  const pool = {
    latents: new Float32Array(count * latent),
    maskedLatents: new Float32Array(count * latent),
    keep: new Float32Array(count * cells),
    embeddings: new Float32Array(count * embeddingSize),
  };
  const batch = 32;
  for (let start = 0; start < count; start += batch) {
    options.abort?.throwIfAborted();
    const n = Math.min(batch, count - start);
    const whole = new Float32Array(n * 3 * size * size);
    const masked = new Float32Array(n * 3 * size * size);
    const regions = new Float32Array(n * 3 * region * region);
    for (let i = 0; i < n; i++) {
      const { image, mask, box } = await sample(rng);
      writePlanar(whole, i * 3 * size * size, image);
      writePlanar(masked, i * 3 * size * size, image, mask);
      writeRegion(regions, i * 3 * region * region, image, mask, box, region);
      pool.keep.set(latentKeepMask(mask, latentSide), (start + i) * cells);
    }
    const encode = async (pixels: Float32Array) =>
      means(await mapRows(networks.vaeEncoder, pixels, [3, size, size], batch), latent);
    pool.latents.set(await encode(whole), start * latent);
    pool.maskedLatents.set(await encode(masked), start * latent);
    scaleColours(regions, region * region, options.colours);
    const embedded = await mapRows(networks.imageEncoder, regions, [3, region, region], batch);
    pool.embeddings.set(embedded, start * embeddingSize);
    options.onProgress?.(start + n);
    // run() blocks the event loop; let messages (pause, cancel) in.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const scale = options.scale ?? 1 / standardDeviation(pool.latents);
  for (const values of [pool.latents, pool.maskedLatents]) {
    for (let i = 0; i < values.length; i++) values[i] = values[i]! * scale;
  }
  return { count, geometry, ...pool, scale };
}
