// How one object of the toy world stands in a large picture: by its foot, with a shadow.

import type { RandomSource } from '../imaging/types.js';
import type { Kind } from './kinds.js';
import type { Canvas } from './raster.js';
import { type Colour, drawObject, sampleObject } from './scene.js';
import { drawShadow } from './scenery.js';

/** One object that stands somewhere in a large picture. */
export interface Standing {
  readonly kind: Kind;
  readonly colours: readonly Colour[];
  /** Fractions of the picture's width and height: the middle of its foot. */
  readonly x: number;
  readonly footY: number;
  /** Fraction of the picture's shorter side. */
  readonly size: number;
  /** Where the drawing ends below, as a fraction of its box: 1 for most kinds. */
  readonly foot?: number;
  /** Width of the shadow as a fraction of the size; 0 for none. */
  readonly shadow?: number;
  readonly tilt?: number;
}

/** One of several, each as likely. */
export function pick<T>(rng: RandomSource, items: readonly T[]): T {
  return items[rng.int(items.length)]!;
}

/** Draws an object by its foot, with a soft shadow under it. */
export function stand(canvas: Canvas, rng: RandomSource, what: Standing): void {
  const { width, height } = canvas;
  const side = what.size * Math.min(width, height);
  const centreY = what.footY - (((what.foot ?? 1) - 0.5) * side) / height;
  const shadow = what.shadow ?? 0.95;
  if (shadow > 0) drawShadow(canvas, what.x * width, what.footY * height, side * shadow);
  const object = {
    ...sampleObject(rng, what.size, what.x, centreY),
    kind: what.kind,
    colour: pick(rng, what.colours),
    rotationRad: what.tilt ?? 0,
  };
  drawObject(canvas, object, width, height);
}
