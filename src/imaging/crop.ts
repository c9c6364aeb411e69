// The painter's geometry: a square crop around the mask goes to the network's size and comes back, and only
// masked pixels change. Memory and time follow the crop, not the picture.

import sharp from 'sharp';
import type { MaskRect } from './mask-shapes.js';
import type { MaskImage, RgbImage } from './types.js';

/** A square of the source in whole pixels; it may reach over the picture, where edges are then mirrored. */
export interface CropPlan {
  readonly left: number;
  readonly top: number;
  readonly side: number;
  /** Side that the network takes. */
  readonly sizePx: number;
}

/** The square around the mask's box with context (side = longer side of the box times `context`), moved inside where it fits. */
export function planCrop(
  image: { width: number; height: number },
  box: MaskRect,
  context: number,
  sizePx: number,
): CropPlan {
  const longer = Math.max(box.x1 - box.x0, box.y1 - box.y0);
  const shorter = Math.min(image.width, image.height);
  // Context is worth having only where there is picture: never larger than the picture unless the mask itself is.
  const side = Math.max(longer, Math.min(Math.ceil(longer * context), shorter), Math.min(sizePx, shorter));
  const place = (low: number, high: number, limit: number) => {
    const start = Math.round((low + high - side) / 2);
    return side <= limit ? Math.max(0, Math.min(limit - side, start)) : Math.round((limit - side) / 2);
  };
  return { left: place(box.x0, box.x1, image.width), top: place(box.y0, box.y1, image.height), side, sizePx };
}

/** Index mirrored into 0..size-1. */
function mirror(index: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const m = ((index % period) + period) % period;
  return m < size ? m : period - m;
}

/** The crop at its own resolution: side x side. */
function cutRgb(image: RgbImage, plan: CropPlan): RgbImage {
  const { left, top, side } = plan;
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const row = mirror(top + y, image.height) * image.width;
    for (let x = 0; x < side; x++) {
      const at = (row + mirror(left + x, image.width)) * 3;
      data.set(image.data.subarray(at, at + 3), (y * side + x) * 3);
    }
  }
  return { width: side, height: side, data };
}

/** The mask within the crop; beyond the picture it is mirrored, as the picture is. */
function cutMask(mask: MaskImage, plan: CropPlan): MaskImage {
  const { left, top, side } = plan;
  const data = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    const row = mirror(top + y, mask.height) * mask.width;
    for (let x = 0; x < side; x++) data[y * side + x] = mask.data[row + mirror(left + x, mask.width)]!;
  }
  return { width: side, height: side, data };
}

/** Square RGB pixels to another side. */
async function resample(data: Uint8Array, from: number, to: number): Promise<Uint8Array> {
  if (from === to) return data;
  const { data: out } = await sharp(data, { raw: { width: from, height: from, channels: 3 } })
    .resize({ width: to, height: to, fit: 'fill', kernel: to > from ? 'cubic' : 'lanczos3' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

/** Source and mask at the network's size. A small pixel is editable when any source pixel under it is. */
export async function extractCrop(
  image: RgbImage,
  mask: MaskImage,
  plan: CropPlan,
): Promise<{ image: RgbImage; mask: MaskImage }> {
  const { side, sizePx } = plan;
  const cut = cutRgb(image, plan);
  const cutOut = cutMask(mask, plan);
  const data = new Uint8Array(sizePx * sizePx);
  for (let y = 0; y < sizePx; y++) {
    const rows: [number, number] = [
      Math.floor((y * side) / sizePx),
      Math.max(Math.floor((y * side) / sizePx) + 1, Math.ceil(((y + 1) * side) / sizePx)),
    ];
    for (let x = 0; x < sizePx; x++) {
      const from = Math.floor((x * side) / sizePx);
      const to = Math.max(from + 1, Math.ceil(((x + 1) * side) / sizePx));
      for (let sy = rows[0]; sy < rows[1]; sy++) {
        if (cutOut.data.subarray(sy * side + from, sy * side + to).includes(255)) {
          data[y * sizePx + x] = 255;
          break;
        }
      }
    }
  }
  const small = await resample(cut.data, side, sizePx);
  return {
    image: { width: sizePx, height: sizePx, data: small },
    mask: { width: sizePx, height: sizePx, data },
  };
}

/** Distance of each editable pixel to the nearest kept one (chamfer 3-4, in pixels); 0 where kept. */
export function distanceInside(mask: MaskImage): Float32Array {
  const { width, height } = mask;
  const far = 3 * (width + height);
  const d = Float32Array.from(mask.data, (value) => (value === 255 ? far : 0));
  const relax = (i: number, j: number, cost: number) => {
    if (d[j]! + cost < d[i]!) d[i] = d[j]! + cost;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (x > 0) relax(i, i - 1, 3);
      if (y > 0) relax(i, i - width, 3);
      if (x > 0 && y > 0) relax(i, i - width - 1, 4);
      if (x < width - 1 && y > 0) relax(i, i - width + 1, 4);
    }
  }
  for (let y = height - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--) {
      const i = y * width + x;
      if (x < width - 1) relax(i, i + 1, 3);
      if (y < height - 1) relax(i, i + width, 3);
      if (x < width - 1 && y < height - 1) relax(i, i + width + 1, 4);
      if (x > 0 && y < height - 1) relax(i, i + width - 1, 4);
    }
  }
  return d.map((value) => value / 3);
}

/** Puts a painted crop back: y = m * painted + (1 - m) * source, feathered only inside the mask. */
export async function pasteBack(
  source: RgbImage,
  mask: MaskImage,
  painted: RgbImage,
  plan: CropPlan,
  featherPx: number,
): Promise<RgbImage> {
  const { left, top, side, sizePx } = plan;
  const large = await resample(painted.data, sizePx, side);
  // One pixel more on each side: where the mask fills the square, its edge is the square's edge.
  const around = { ...plan, left: left - 1, top: top - 1, side: side + 2 };
  const distance = distanceInside(cutMask(mask, around));
  const data = Uint8Array.from(source.data);
  for (let y = Math.max(0, -top); y < side && top + y < source.height; y++) {
    for (let x = Math.max(0, -left); x < side && left + x < source.width; x++) {
      const at = (top + y) * source.width + left + x;
      if (mask.data[at] !== 255) continue;
      const alpha =
        featherPx > 0 ? Math.min(1, distance[(y + 1) * around.side + x + 1]! / (featherPx + 1)) : 1;
      for (let k = 0; k < 3; k++) {
        const before = source.data[at * 3 + k]!;
        data[at * 3 + k] = Math.round(before + (large[(y * side + x) * 3 + k]! - before) * alpha);
      }
    }
  }
  return { width: source.width, height: source.height, data };
}

/** Pixels outside the mask that differ between two pictures of one size. */
export function countDifferentOutside(a: RgbImage, b: RgbImage, mask: MaskImage): number {
  let count = 0;
  for (let i = 0; i < mask.data.length; i++) {
    if (mask.data[i] === 255) continue;
    if (
      a.data[i * 3] !== b.data[i * 3] ||
      a.data[i * 3 + 1] !== b.data[i * 3 + 1] ||
      a.data[i * 3 + 2] !== b.data[i * 3 + 2]
    )
      count += 1;
  }
  return count;
}
