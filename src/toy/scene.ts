// Scenes of the toy world: what is in a picture (SceneSpec), how one is drawn at random, and how it becomes pixels.

import type { RandomSource, RgbImage } from '../imaging/types.js';
import { type Background, drawBackground, sampleBackground } from './background.js';
import { KIND_SHAPES, KINDS, type Kind, type Role } from './kinds.js';
import { type Canvas, createCanvas, fillPolygon, type Point, type Rgb, toRgbImage } from './raster.js';

/** Well separated colours, so that colour is a second meaning beside kind. */
export const COLOURS = {
  red: [214, 40, 45],
  orange: [240, 130, 30],
  yellow: [245, 208, 50],
  green: [60, 160, 70],
  cyan: [45, 185, 195],
  blue: [45, 85, 205],
  purple: [140, 65, 180],
  pink: [240, 125, 175],
} as const satisfies Record<string, Rgb>;

export type Colour = keyof typeof COLOURS;
export const COLOUR_NAMES = Object.keys(COLOURS) as readonly Colour[];

/** One object; its box is given as fractions of the frame. */
export interface SceneObject {
  readonly kind: Kind;
  readonly colour: Colour;
  /** Added to red, green and blue. */
  readonly tint: Rgb;
  readonly centreX: number;
  readonly centreY: number;
  readonly size: number;
  readonly rotationRad: number;
  readonly flipped: boolean;
}

export interface SceneSpec {
  readonly objects: readonly SceneObject[];
  readonly background: Background;
}

/** Pixel rectangle, end exclusive. */
export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

const BROWN: Rgb = [112, 74, 46];

function roleColour(role: Role, object: SceneObject): Rgb {
  const base = COLOURS[object.colour].map((x, i) => x + object.tint[i]!);
  if (role === 'white') return [248, 246, 240];
  if (role === 'black') return [38, 36, 40];
  if (role === 'brown') return BROWN;
  const mixed = base.map((x) => (role === 'dark' ? x * 0.66 : role === 'light' ? x + (255 - x) * 0.5 : x));
  return [mixed[0]!, mixed[1]!, mixed[2]!];
}

/** Draws one object over what is there; `frame` is the side that its fractions refer to. */
export function drawObject(canvas: Canvas, object: SceneObject, frameX: number, frameY: number): void {
  const side = object.size * Math.min(frameX, frameY);
  const [cos, sin] = [Math.cos(object.rotationRad), Math.sin(object.rotationRad)];
  const place = ([x, y]: Point): Point => {
    const u = (object.flipped ? 0.5 - x : x - 0.5) * side;
    const v = (y - 0.5) * side;
    return [object.centreX * frameX + u * cos - v * sin, object.centreY * frameY + u * sin + v * cos];
  };
  for (const { role, points } of KIND_SHAPES[object.kind]) {
    fillPolygon(canvas, points.map(place), roleColour(role, object));
  }
}

/** The box around one object, in pixels of a frame of this size, clipped to it. */
export function objectBox(spec: SceneSpec, index: number, sizePx: number): Box {
  const object = spec.objects[index]!;
  const half =
    (object.size / 2) * (Math.abs(Math.cos(object.rotationRad)) + Math.abs(Math.sin(object.rotationRad)));
  const low = (c: number) => Math.max(0, Math.floor((c - half) * sizePx));
  const high = (c: number) => Math.min(sizePx, Math.ceil((c + half) * sizePx));
  return {
    x0: low(object.centreX),
    y0: low(object.centreY),
    x1: high(object.centreX),
    y1: high(object.centreY),
  };
}

export function sampleObject(rng: RandomSource, size: number, centreX: number, centreY: number): SceneObject {
  const jitter = () => Math.round((rng.uniform() - 0.5) * 24);
  return {
    kind: KINDS[rng.int(KINDS.length)]!,
    colour: COLOUR_NAMES[rng.int(COLOUR_NAMES.length)]!,
    tint: [jitter(), jitter(), jitter()],
    centreX,
    centreY,
    size,
    rotationRad: (rng.uniform() - 0.5) * 0.5,
    flipped: rng.uniform() < 0.5,
  };
}

export interface SceneOptions {
  /** Photographs that backgrounds may be cut from; absent: drawn ones only. */
  readonly photographs?: readonly RgbImage[];
  readonly objects?: 0 | 1 | 2;
}

/** Draws a scene by chance: one large object anywhere in the frame, or two smaller ones side by side. */
export function sampleScene(rng: RandomSource, options: SceneOptions = {}): SceneSpec {
  const { photographs = [], objects = 1 } = options;
  const background = sampleBackground(rng, photographs.length);
  const within = (size: number, low: number, high: number) => {
    const [from, to] = [low + size / 2 + 0.01, high - size / 2 - 0.01];
    return from + (to - from) * rng.uniform();
  };
  if (objects === 0) return { objects: [], background };
  if (objects === 1) {
    const size = 0.45 + 0.4 * rng.uniform();
    return { objects: [sampleObject(rng, size, within(size, 0, 1), within(size, 0, 1))], background };
  }
  const beside = rng.uniform() < 0.5;
  const pair = [0, 1].map((i) => {
    const size = 0.34 + 0.12 * rng.uniform();
    const along = within(size, i * 0.5, i * 0.5 + 0.5);
    const across = within(size, 0, 1);
    return beside ? sampleObject(rng, size, along, across) : sampleObject(rng, size, across, along);
  });
  return { objects: pair, background };
}

/** The scene as pixels. `photographs` must be those that the spec was sampled with. */
export function drawScene(spec: SceneSpec, sizePx: number, photographs: readonly RgbImage[] = []): RgbImage {
  const canvas = createCanvas(sizePx, sizePx);
  drawBackground(canvas, spec.background, photographs);
  for (const object of spec.objects) drawObject(canvas, object, sizePx, sizePx);
  return toRgbImage(canvas);
}
