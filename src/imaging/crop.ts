// The painter's geometry: a square crop around the mask goes to the network's size and comes back, and only
// masked pixels change. Memory and time follow the crop, not the picture.

import sharp, { type Region } from 'sharp';
import { resizeRgb } from './decode.js';
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

/** Pixels of a crop that are worth no thought. */
const SMALL_CROP = 32e6;

/** A crop that reaches far over a narrow picture is cut from a smaller copy: in full it would take its longer side squared. */
async function reduceNarrow(image: RgbImage, plan: CropPlan): Promise<{ image: RgbImage; plan: CropPlan }> {
  const { left, top, side, sizePx } = plan;
  const reduced = 4 * sizePx;
  if (side ** 2 <= Math.max(SMALL_CROP, 4 * image.width * image.height) || side <= reduced)
    return { image, plan };
  const scaled = (length: number) => Math.round((length * reduced) / side);
  return {
    image: await resizeRgb(image, Math.max(1, scaled(image.width)), Math.max(1, scaled(image.height))),
    plan: { left: scaled(left), top: scaled(top), side: reduced, sizePx },
  };
}

/** The crop at its own resolution: side x side. */
function cutRgb(image: RgbImage, plan: CropPlan): RgbImage {
  const { left, top, side } = plan;
  const [from, to] = [Math.max(0, left), Math.min(image.width, left + side)];
  const beyond = Array.from({ length: side }, (_, x) => x).filter((x) => left + x < from || left + x >= to);
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const row = mirror(top + y, image.height) * image.width;
    data.set(image.data.subarray((row + from) * 3, (row + to) * 3), (y * side + from - left) * 3);
    for (const x of beyond) {
      const at = (row + mirror(left + x, image.width)) * 3;
      data.set(image.data.subarray(at, at + 3), (y * side + x) * 3);
    }
  }
  return { width: side, height: side, data };
}

/** The mask's crop at the network's size; mirrored beyond the picture. A small pixel is editable when any source pixel under it is. */
function shrinkMask(mask: MaskImage, plan: CropPlan): MaskImage {
  const { left, top, side, sizePx } = plan;
  const columns = Int32Array.from({ length: side }, (_, x) => mirror(left + x, mask.width));
  /** First and last source pixel (exclusive) under a small one. */
  const under = (i: number): [number, number] => {
    const from = Math.floor((i * side) / sizePx);
    return [from, Math.max(from + 1, Math.ceil(((i + 1) * side) / sizePx))];
  };
  /** Source rows at the network's width: mirrored, a narrow picture's are asked for again and again. */
  const shrunk = new Map<number, Uint8Array>();
  const shrinkRow = (y: number): Uint8Array => {
    const row = new Uint8Array(sizePx);
    for (let x = 0; x < sizePx; x++) {
      const [x0, x1] = under(x);
      for (let sx = x0; sx < x1; sx++) row[x]! |= mask.data[y * mask.width + columns[sx]!]!;
    }
    shrunk.set(y, row);
    return row;
  };
  const data = new Uint8Array(sizePx * sizePx);
  for (let y = 0; y < sizePx; y++) {
    const [y0, y1] = under(y);
    for (let sy = y0; sy < y1; sy++) {
      const sourceY = mirror(top + sy, mask.height);
      const row = shrunk.get(sourceY) ?? shrinkRow(sourceY);
      for (let x = 0; x < sizePx; x++) data[y * sizePx + x]! |= row[x]!;
    }
  }
  return { width: sizePx, height: sizePx, data };
}

/** Square RGB pixels to another side, or a part of the result: what lies beside it is not computed. */
async function resample(data: Uint8Array, from: number, to: number, part?: Region): Promise<Uint8Array> {
  if (from === to && !part) return data;
  const whole = sharp(data, { raw: { width: from, height: from, channels: 3 } }).resize({
    width: to,
    height: to,
    fit: 'fill',
    kernel: to > from ? 'cubic' : 'lanczos3',
  });
  const { data: out } = await (part ? whole.extract(part) : whole)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

/** Source and mask at the network's size. */
export async function extractCrop(
  image: RgbImage,
  mask: MaskImage,
  plan: CropPlan,
): Promise<{ image: RgbImage; mask: MaskImage }> {
  const { sizePx } = plan;
  const reduced = await reduceNarrow(image, plan);
  const data = await resample(cutRgb(reduced.image, reduced.plan).data, reduced.plan.side, sizePx);
  return { image: { width: sizePx, height: sizePx, data }, mask: shrinkMask(mask, plan) };
}

/** Distance of each editable pixel to the nearest kept one (chamfer 3-4), in thirds of a pixel and never over `limit`; 0 where kept. */
export function distanceInside(mask: MaskImage, limit = 0xffff): Uint16Array {
  const { width, height } = mask;
  const d = new Uint16Array(width * height);
  for (let i = 0; i < d.length; i++) if (mask.data[i] === 255) d[i] = limit;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      let least = d[i]!;
      if (least === 0) continue;
      if (x > 0) least = Math.min(least, d[i - 1]! + 3);
      if (y > 0) {
        least = Math.min(least, d[i - width]! + 3);
        if (x > 0) least = Math.min(least, d[i - width - 1]! + 4);
        if (x < width - 1) least = Math.min(least, d[i - width + 1]! + 4);
      }
      d[i] = least;
    }
  }
  for (let y = height - 1, i = d.length - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--, i--) {
      let least = d[i]!;
      if (least === 0) continue;
      if (x < width - 1) least = Math.min(least, d[i + 1]! + 3);
      if (y < height - 1) {
        least = Math.min(least, d[i + width]! + 3);
        if (x < width - 1) least = Math.min(least, d[i + width + 1]! + 4);
        if (x > 0) least = Math.min(least, d[i + width - 1]! + 4);
      }
      d[i] = least;
    }
  }
  return d;
}

/** How much of the painting each pixel of a rectangle takes: 0 where kept, `full` beyond the feather. */
export interface BlendWeights {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly full: number;
  readonly data: Uint16Array;
}

/** The weights of a mask, feathered over `featherPx` pixels inside it (0: not). They serve every painting of a job. */
export function planBlend(mask: MaskImage, box: MaskRect, featherPx: number): BlendWeights {
  // One pixel more on each side, where the picture has one: the box's edge may be the mask's.
  const [left, top] = [Math.max(0, box.x0 - 1), Math.max(0, box.y0 - 1)];
  const width = Math.min(mask.width, box.x1 + 1) - left;
  const height = Math.min(mask.height, box.y1 + 1) - top;
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const at = (top + y) * mask.width + left;
    data.set(mask.data.subarray(at, at + width), y * width);
  }
  const full = featherPx > 0 ? Math.round(3 * (featherPx + 1)) : 1;
  return { left, top, width, height, full, data: distanceInside({ width, height, data }, full) };
}

/** Puts a painted crop back: y = w * painted + (1 - w) * source. */
export async function pasteBack(
  source: RgbImage,
  painted: RgbImage,
  plan: CropPlan,
  weights: BlendWeights,
): Promise<RgbImage> {
  const { left, top, width, height, full } = weights;
  // The crop's part under the weights, which may reach a pixel over it, where nothing is painted.
  const [x0, y0] = [Math.max(left, plan.left), Math.max(top, plan.top)];
  const x1 = Math.min(left + width, plan.left + plan.side);
  const y1 = Math.min(top + height, plan.top + plan.side);
  const part = { left: x0 - plan.left, top: y0 - plan.top, width: x1 - x0, height: y1 - y0 };
  const large = await resample(painted.data, plan.sizePx, plan.side, part);
  const data = new Uint8Array(source.data);
  for (let y = y0, from = 0; y < y1; y++) {
    let at = (y * source.width + x0) * 3;
    for (let x = x0; x < x1; x++, at += 3, from += 3) {
      const weight = weights.data[(y - top) * width + x - left]!;
      if (weight === 0) continue;
      if (weight === full) {
        for (let k = 0; k < 3; k++) data[at + k] = large[from + k]!;
        continue;
      }
      const alpha = weight / full;
      for (let k = 0; k < 3; k++) {
        const before = data[at + k]!;
        data[at + k] = Math.round(before + (large[from + k]! - before) * alpha);
      }
    }
  }
  return { width: source.width, height: source.height, data };
}

/** Pixels outside the mask that differ between two pictures of one size. */
export function countDifferentOutside(a: RgbImage, b: RgbImage, mask: MaskImage): number {
  const { width, height } = mask;
  let count = 0;
  for (let y = 0; y < height; y++) {
    const rowA = a.data.subarray(y * width * 3, (y + 1) * width * 3);
    const rowB = b.data.subarray(y * width * 3, (y + 1) * width * 3);
    // Most rows are equal, and comparing them whole is far faster than pixel by pixel.
    if (Buffer.compare(rowA, rowB) === 0) continue;
    for (let x = 0; x < width; x++) {
      if (mask.data[y * width + x] === 255) continue;
      const i = x * 3;
      if (rowA[i] !== rowB[i] || rowA[i + 1] !== rowB[i + 1] || rowA[i + 2] !== rowB[i + 2]) count += 1;
    }
  }
  return count;
}
