// Drawn pictures of photograph size (a meadow, a seaside, a room) with objects of the toy world standing in them:
// what the demo paints on when nobody names a photograph. Stimuli and training scenes are drawn by scene.ts.

import { AppError } from '../errors.js';
import type { RandomSource, RgbImage } from '../imaging/types.js';
import { drawRoom } from './indoors.js';
import { drawMeadow, drawSeaside } from './outdoors.js';
import { createCanvas, toRgbImage } from './raster.js';
import { finishAsPhotograph } from './scenery.js';

export const PLACES = ['meadow', 'seaside', 'room'] as const;
export type Place = (typeof PLACES)[number];

/** Where in each place an object can be painted whole, in fractions of the picture: the lawn, the sea, the framed picture. */
export const SPOTS = {
  meadow: { left: 0.44, top: 0.52, width: 0.21, height: 0.315 },
  seaside: { left: 0.54, top: 0.2, width: 0.27, height: 0.405 },
  room: { left: 0.622, top: 0.132, width: 0.156, height: 0.234 },
} as const satisfies Record<Place, object>;

const DRAWERS = { meadow: drawMeadow, seaside: drawSeaside, room: drawRoom } as const;

/**
 * Draws a picture of photograph size; the generator alone decides its content, and `place` may fix where it is.
 * Sides of 64 to 8192 px are taken, anything else is BAD_INPUT. Drawn, not photographed: say so where it is shown.
 */
export function drawPhotographSizeScene(
  rng: RandomSource,
  width = 768,
  height = 512,
  place?: Place,
): RgbImage {
  for (const [field, side] of Object.entries({ width, height })) {
    if (!Number.isInteger(side) || side < 64 || side > 8192) {
      throw new AppError('BAD_INPUT', `${field} is ${side}: give a whole number of pixels from 64 to 8192`, {
        field,
      });
    }
  }
  const chosen = place ?? PLACES[rng.int(PLACES.length)]!;
  const canvas = createCanvas(width, height);
  DRAWERS[chosen](canvas, rng);
  finishAsPhotograph(canvas, rng);
  return toRgbImage(canvas);
}

/**
 * Square parts of drawn places, `perPlace` of each of `places` pictures, as backgrounds to train on: from a fifth of the
 * picture's height to all of it, as the painter cuts around masks. They hold objects, some of them cut off.
 */
export function drawPlaceCrops(
  rng: RandomSource,
  places: number,
  perPlace: number,
  sizePx: number,
): RgbImage[] {
  const crops: RgbImage[] = [];
  for (let i = 0; i < places; i++) {
    const scene = drawPhotographSizeScene(rng);
    for (let k = 0; k < perPlace; k++) {
      const side = Math.round(scene.height * (0.2 + 0.8 * rng.uniform()));
      const left = rng.int(scene.width - side + 1);
      const top = rng.int(scene.height - side + 1);
      crops.push(shrink(scene, { left, top, side }, sizePx));
    }
  }
  return crops;
}

/** A square part of a picture at another size; each pixel is the mean of what it covers, at least one pixel. */
function shrink(
  image: RgbImage,
  { left, top, side }: { left: number; top: number; side: number },
  sizePx: number,
): RgbImage {
  const data = new Uint8Array(sizePx * sizePx * 3);
  const edge = (i: number) => Math.floor((i * side) / sizePx);
  for (let y = 0; y < sizePx; y++) {
    const [y0, y1] = [top + edge(y), top + Math.max(edge(y + 1), edge(y) + 1)];
    for (let x = 0; x < sizePx; x++) {
      const [x0, x1] = [left + edge(x), left + Math.max(edge(x + 1), edge(x) + 1)];
      const sum = [0, 0, 0];
      for (let v = y0; v < y1; v++)
        for (let u = x0; u < x1; u++)
          for (let k = 0; k < 3; k++) sum[k]! += image.data[(v * image.width + u) * 3 + k]!;
      const count = (y1 - y0) * (x1 - x0);
      for (let k = 0; k < 3; k++) data[(y * sizePx + x) * 3 + k] = Math.round(sum[k]! / count);
    }
  }
  return { width: sizePx, height: sizePx, data };
}
