// Backgrounds of the toy world: drawn ones, and crops of photographs that the caller hands in.

import type { RandomSource, RgbImage } from '../imaging/types.js';
import type { Canvas, Rgb } from './raster.js';

export type Background =
  | {
      readonly style: 'gradient' | 'horizon' | 'stripes' | 'checks' | 'clouds';
      readonly colours: readonly [Rgb, Rgb];
      readonly angleRad: number;
      readonly frequency: number;
      readonly phase: number;
    }
  | {
      readonly style: 'photograph';
      readonly index: number;
      readonly left: number;
      readonly top: number;
      readonly side: number;
      readonly flipped: boolean;
      readonly gain: number;
    };

const DRAWN = ['gradient', 'horizon', 'stripes', 'checks', 'clouds'] as const;

function mutedColour(rng: RandomSource): Rgb {
  // Little saturation, so that objects stand out from what is behind them.
  const light = 70 + rng.uniform() * 150;
  const part = () => Math.max(20, Math.min(245, light + (rng.uniform() - 0.5) * 70));
  return [part(), part(), part()];
}

/** Draws a background by chance; six in ten are photographs where there are any. */
export function sampleBackground(rng: RandomSource, photographCount: number): Background {
  if (photographCount > 0 && rng.uniform() < 0.6) {
    const side = 0.45 + 0.55 * rng.uniform();
    return {
      style: 'photograph',
      index: rng.int(photographCount),
      side,
      left: rng.uniform() * (1 - side),
      top: rng.uniform() * (1 - side),
      flipped: rng.uniform() < 0.5,
      gain: 0.8 + 0.4 * rng.uniform(),
    };
  }
  return {
    style: DRAWN[rng.int(DRAWN.length)]!,
    colours: [mutedColour(rng), mutedColour(rng)],
    angleRad: rng.uniform() * Math.PI,
    frequency: 2 + rng.uniform() * 5,
    phase: rng.uniform() * 6,
  };
}

function smoothStep(x: number): number {
  const t = Math.max(0, Math.min(1, x));
  return t * t * (3 - 2 * t);
}

/** How much of the second colour stands at (u, v), both 0 to 1. */
function share(background: Exclude<Background, { style: 'photograph' }>, u: number, v: number): number {
  const { style, angleRad, frequency, phase } = background;
  const along = (u - 0.5) * Math.cos(angleRad) + (v - 0.5) * Math.sin(angleRad);
  const across = (v - 0.5) * Math.cos(angleRad) - (u - 0.5) * Math.sin(angleRad);
  switch (style) {
    case 'gradient':
      return along + 0.5;
    case 'horizon': {
      const level = 0.4 + 0.06 * phase;
      return v < level ? 0.25 * (v / level) : 0.75 + 0.25 * ((v - level) / (1 - level));
    }
    case 'stripes':
      return smoothStep(Math.sin(along * frequency * 2 * Math.PI + phase) * 3 + 0.5) * 0.6 + 0.2;
    case 'checks':
      return Math.sin(along * frequency * 6 + phase) * Math.sin(across * frequency * 6) > 0 ? 0.7 : 0.3;
    case 'clouds':
      return (
        0.5 +
        0.25 * Math.sin(6 * u + phase + 2 * Math.sin(frequency * v)) +
        0.25 * Math.sin(7 * v - phase + 2 * Math.cos(frequency * u))
      );
  }
}

function drawPhotograph(
  canvas: Canvas,
  background: Extract<Background, { style: 'photograph' }>,
  photo: RgbImage,
): void {
  const short = Math.min(photo.width, photo.height);
  const side = background.side * short;
  const left = background.left * (short - side) + (photo.width - short) / 2;
  const top = background.top * (short - side) + (photo.height - short) / 2;
  for (let y = 0; y < canvas.height; y++) {
    const sy = Math.max(0, Math.min(photo.height - 1.001, top + ((y + 0.5) / canvas.height) * side - 0.5));
    const y0 = Math.floor(sy);
    const fy = sy - y0;
    for (let x = 0; x < canvas.width; x++) {
      const u = (x + 0.5) / canvas.width;
      const sx = Math.max(
        0,
        Math.min(photo.width - 1.001, left + (background.flipped ? 1 - u : u) * side - 0.5),
      );
      const x0 = Math.floor(sx);
      const fx = sx - x0;
      const a = (y0 * photo.width + x0) * 3;
      const b = a + photo.width * 3;
      for (let k = 0; k < 3; k++) {
        const upper = photo.data[a + k]! * (1 - fx) + photo.data[a + 3 + k]! * fx;
        const lower = photo.data[b + k]! * (1 - fx) + photo.data[b + 3 + k]! * fx;
        canvas.data[(y * canvas.width + x) * 3 + k] = Math.min(
          255,
          (upper * (1 - fy) + lower * fy) * background.gain,
        );
      }
    }
  }
}

/** Fills the whole canvas. */
export function drawBackground(
  canvas: Canvas,
  background: Background,
  photographs: readonly RgbImage[],
): void {
  if (background.style === 'photograph') {
    const photo = photographs[background.index];
    if (!photo) throw new Error(`background wants photograph ${background.index} of ${photographs.length}`);
    drawPhotograph(canvas, background, photo);
    return;
  }
  const [first, second] = background.colours;
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      const s = share(background, (x + 0.5) / canvas.width, (y + 0.5) / canvas.height);
      const at = (y * canvas.width + x) * 3;
      canvas.data[at] = first[0] + (second[0] - first[0]) * s;
      canvas.data[at + 1] = first[1] + (second[1] - first[1]) * s;
      canvas.data[at + 2] = first[2] + (second[2] - first[2]) * s;
    }
  }
}
