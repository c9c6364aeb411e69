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
