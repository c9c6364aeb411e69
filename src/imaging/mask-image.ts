// An uploaded picture as a mask: white is edited, black is kept, nothing in between.

import { AppError } from '../errors.js';
import type { MaskImage, RgbImage } from './types.js';

/** How far from 0 or 255 a value may lie: lossy encoders move them a little. */
const TOLERANCE = 32;

/** Reads a mask for a picture of a size. Throws AppError for another size, grey values, or no white pixel. */
export function maskFromImage(
  picture: RgbImage,
  size: { width: number; height: number },
  field: string,
): MaskImage {
  const fail = (message: string): never => {
    throw new AppError('BAD_INPUT', message, { field });
  };
  const { width, height } = picture;
  if (width !== size.width || height !== size.height) {
    fail(`the mask is ${width} x ${height}, the picture ${size.width} x ${size.height}; they must agree`);
  }
  const data = new Uint8Array(width * height);
  const pixels = picture.data;
  let white = 0;
  for (let i = 0; i < data.length; i++) {
    const [red, green, blue] = [pixels[i * 3]!, pixels[i * 3 + 1]!, pixels[i * 3 + 2]!];
    const low = Math.min(red, green, blue);
    const high = Math.max(red, green, blue);
    if (low >= 255 - TOLERANCE) {
      data[i] = 255;
      white += 1;
    } else if (high > TOLERANCE) {
      fail(
        `pixel (${i % width}, ${Math.floor(i / width)}) is grey; a mask is white where the picture may be painted and black elsewhere`,
      );
    }
  }
  if (white === 0) fail('the mask has no white pixel; paint white what may be edited');
  return { width, height, data };
}
