// Pieces of scenery for pictures of photograph size: gradients, smooth noise, hills, clouds, planks, grain. No objects.

import type { RandomSource } from '../imaging/types.js';
import { type Canvas, fillPolygon, type Point, type Rgb } from './raster.js';

/** A rectangle in pixels, end exclusive. */
export interface Area {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** A point between two colours: 0 gives the first, 1 the second. */
export function mixColours(a: Rgb, b: Rgb, share: number): Rgb {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}

/** A colour moved at random by at most `by` in all channels together, so that scenes differ in light. */
export function varyColour(rng: RandomSource, colour: Rgb, by: number): Rgb {
  const shift = (rng.uniform() * 2 - 1) * by;
  return [colour[0] + shift, colour[1] + shift * 0.9, colour[2] + shift * 0.8];
}

/** The corners of a rectangle as a polygon. */
export function rectangle({ x0, y0, x1, y1 }: Area): Point[] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/** An ellipse in pixels as a polygon. */
export function ellipsePolygon(cx: number, cy: number, rx: number, ry: number): Point[] {
  return Array.from({ length: 48 }, (_, i): Point => {
    const angle = (i / 24) * Math.PI;
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
}

/** Fills an area with a vertical gradient, whole pixels only. */
export function fillGradient(canvas: Canvas, area: Area, top: Rgb, bottom: Rgb): void {
  const [x0, y0] = [Math.max(0, Math.round(area.x0)), Math.max(0, Math.round(area.y0))];
  const [x1, y1] = [
    Math.min(canvas.width, Math.round(area.x1)),
    Math.min(canvas.height, Math.round(area.y1)),
  ];
  for (let y = y0; y < y1; y++) {
    const colour = mixColours(top, bottom, (y - area.y0) / (area.y1 - area.y0));
    for (let x = x0; x < x1; x++) canvas.data.set(colour, (y * canvas.width + x) * 3);
  }
}

/** Smooth value noise between -1 and 1 on an endless lattice of random values, fixed by the generator's next draws. */
export function createSmoothNoise(rng: RandomSource): (x: number, y: number) => number {
  const side = 64;
  const lattice = Float32Array.from({ length: side * side }, () => rng.uniform() * 2 - 1);
  const at = (x: number, y: number) => lattice[(y & (side - 1)) * side + (x & (side - 1))]!;
  const ease = (t: number) => t * t * (3 - 2 * t);
  return (x, y) => {
    const [x0, y0] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [ease(x - x0), ease(y - y0)];
    const upper = at(x0, y0) * (1 - u) + at(x0 + 1, y0) * u;
    const lower = at(x0, y0 + 1) * (1 - u) + at(x0 + 1, y0 + 1) * u;
    return upper * (1 - v) + lower * v;
  };
}

/** Adds three octaves of smooth noise to the light of an area; scales are pixels of the largest grain. */
export function addTexture(
  canvas: Canvas,
  rng: RandomSource,
  area: Area,
  options: { readonly scaleX: number; readonly scaleY: number; readonly strength: number },
): void {
  const noise = createSmoothNoise(rng);
  for (let y = Math.max(0, Math.round(area.y0)); y < Math.min(canvas.height, area.y1); y++) {
    for (let x = Math.max(0, Math.round(area.x0)); x < Math.min(canvas.width, area.x1); x++) {
      const [u, v] = [x / options.scaleX, y / options.scaleY];
      const n = noise(u, v) + 0.6 * noise(u * 2.3 + 9, v * 2.3) + 0.4 * noise(u * 5.1, v * 5.1 + 17);
      const at = (y * canvas.width + x) * 3;
      for (let k = 0; k < 3; k++) canvas.data[at + k]! += n * options.strength;
    }
  }
}

/** Fills everything below a wavy line: a hill, a dune, a shore. */
export function fillHill(
  canvas: Canvas,
  rng: RandomSource,
  levelY: number,
  swing: number,
  colour: Rgb,
): void {
  const phases = [rng.uniform() * 6, rng.uniform() * 6, rng.uniform() * 6];
  const wide = 2 + rng.uniform() * 3;
  const points: Point[] = [[0, canvas.height]];
  for (let x = 0; x <= canvas.width; x += Math.max(1, canvas.width / 192)) {
    const u = (x / canvas.width) * wide;
    const wave =
      Math.sin(u + phases[0]!) + 0.4 * Math.sin(2.7 * u + phases[1]!) + 0.12 * Math.sin(9 * u + phases[2]!);
    points.push([x, levelY - (wave * swing) / 1.5]);
  }
  points.push([canvas.width, canvas.height]);
  fillPolygon(canvas, points, colour);
}

/** A cloud of soft puffs about a point. */
export function drawCloud(canvas: Canvas, rng: RandomSource, cx: number, cy: number, width: number): void {
  const puffs = Array.from({ length: 7 }, (_, i) => {
    const along = i / 6 - 0.5;
    const height = (1 - 3.2 * along * along) * (0.7 + 0.5 * rng.uniform());
    return {
      x: cx + along * width,
      y: cy - height * width * 0.06,
      r: width * (0.07 + 0.09 * Math.max(0.1, height)),
    };
  });
  for (const { x, y, r } of puffs) {
    fillPolygon(canvas, ellipsePolygon(x, y + r * 0.18, r * 1.06, r * 0.82), [196, 208, 224], 0.55);
  }
  for (const { x, y, r } of puffs)
    fillPolygon(canvas, ellipsePolygon(x, y, r, r * 0.78), [252, 252, 250], 0.85);
}

/** The sun with a halo. */
export function drawSun(canvas: Canvas, cx: number, cy: number, radius: number): void {
  for (let ring = 6; ring >= 1; ring--) {
    const r = radius * (1 + ring * 0.35);
    fillPolygon(canvas, ellipsePolygon(cx, cy, r, r), [255, 244, 205], 0.07);
  }
  fillPolygon(canvas, ellipsePolygon(cx, cy, radius, radius), [255, 246, 214]);
}

/** A soft dark patch on the ground under something that stands there. */
export function drawShadow(canvas: Canvas, cx: number, cy: number, width: number): void {
  for (let ring = 0; ring < 5; ring++) {
    const scale = 1 - ring * 0.15;
    fillPolygon(
      canvas,
      ellipsePolygon(cx, cy, (width / 2) * scale, width * 0.09 * scale),
      [24, 28, 30],
      0.09,
    );
  }
}

/** The camera's share: corners a little darker, fine grain everywhere. */
export function finishAsPhotograph(canvas: Canvas, rng: RandomSource, grain = 3): void {
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      const [u, v] = [(x / canvas.width) * 2 - 1, (y / canvas.height) * 2 - 1];
      const gain = 1 - 0.07 * (u * u + v * v);
      const speck = (rng.uniform() + rng.uniform() - 1) * grain;
      const at = (y * canvas.width + x) * 3;
      for (let k = 0; k < 3; k++) canvas.data[at + k] = canvas.data[at + k]! * gain + speck;
    }
  }
}
