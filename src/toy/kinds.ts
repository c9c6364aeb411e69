// The twelve kinds of object of the toy world, as filled shapes in the unit square (y down).

import type { Point } from './raster.js';

/** What a shape is painted with: the object's colour, a darker or lighter tone of it, or a fixed neutral. */
export type Role = 'body' | 'dark' | 'light' | 'white' | 'black' | 'brown';

export interface Shape {
  readonly role: Role;
  readonly points: readonly Point[];
}

function ellipse(cx: number, cy: number, rx: number, ry = rx, from = 0, to = 2): Point[] {
  const count = 36;
  return Array.from({ length: count + 1 }, (_, i): Point => {
    const angle = Math.PI * (from + ((to - from) * i) / count);
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
}

function box(x0: number, y0: number, x1: number, y1: number): Point[] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/** A quadratic Bezier curve from a over b to c, without its last point. */
function curve(a: Point, b: Point, c: Point): Point[] {
  return Array.from({ length: 12 }, (_, i): Point => {
    const t = i / 12;
    const at = (k: 0 | 1) => (1 - t) * (1 - t) * a[k] + 2 * t * (1 - t) * b[k] + t * t * c[k];
    return [at(0), at(1)];
  });
}

/** A band of a given thickness along an arc. */
function arcBand(
  cx: number,
  cy: number,
  radius: number,
  thickness: number,
  from: number,
  to: number,
): Point[] {
  return [
    ...ellipse(cx, cy, radius, radius, from, to),
    ...ellipse(cx, cy, radius - thickness, radius - thickness, from, to).reverse(),
  ];
}

const shape = (role: Role, points: readonly Point[]): Shape => ({ role, points });

function star(): Shape[] {
  const at = (scale: number) =>
    Array.from({ length: 10 }, (_, i): Point => {
      const radius = (i % 2 === 0 ? 0.5 : 0.21) * scale;
      const angle = Math.PI * (i / 5 - 0.5);
      return [0.5 + radius * Math.cos(angle), 0.53 + radius * Math.sin(angle)];
    });
  return [shape('dark', at(1)), shape('body', at(0.78))];
}

function heart(): Shape[] {
  const at = (scale: number) =>
    Array.from({ length: 48 }, (_, i): Point => {
      const t = (i / 48) * 2 * Math.PI;
      const x = 16 * Math.sin(t) ** 3;
      const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
      return [0.5 + (x / 33) * scale, 0.47 - (y / 33) * scale];
    });
  return [shape('dark', at(1)), shape('body', at(0.86)), shape('light', ellipse(0.32, 0.32, 0.09, 0.06))];
}

function fish(): Shape[] {
  return [
    shape('dark', [
      [0.72, 0.5],
      [1, 0.24],
      [0.93, 0.5],
      [1, 0.76],
    ]),
    shape('dark', [...curve([0.3, 0.33], [0.5, 0.06], [0.66, 0.34]), [0.66, 0.36]]),
    shape('body', [
      ...curve([0, 0.52], [0.36, 0.1], [0.82, 0.5]),
      ...curve([0.82, 0.5], [0.36, 0.94], [0, 0.52]),
    ]),
    shape('light', [...curve([0.36, 0.42], [0.5, 0.5], [0.36, 0.62]), [0.52, 0.52]]),
    shape('white', ellipse(0.2, 0.45, 0.07)),
    shape('black', ellipse(0.19, 0.45, 0.035)),
  ];
}

function house(): Shape[] {
  return [
    shape('dark', box(0.68, 0.1, 0.8, 0.4)),
    shape('light', box(0.12, 0.45, 0.88, 1)),
    shape('body', [
      [0.5, 0.02],
      [1, 0.48],
      [0, 0.48],
    ]),
    shape('brown', box(0.42, 0.66, 0.6, 1)),
    shape('white', box(0.2, 0.56, 0.36, 0.74)),
    shape('white', box(0.66, 0.56, 0.82, 0.74)),
  ];
}

function tree(): Shape[] {
  return [
    shape('brown', box(0.43, 0.6, 0.57, 1)),
    shape('dark', ellipse(0.3, 0.5, 0.24)),
    shape('dark', ellipse(0.7, 0.5, 0.24)),
    shape('body', ellipse(0.5, 0.3, 0.29)),
    shape('body', ellipse(0.5, 0.52, 0.24)),
    shape('light', ellipse(0.42, 0.22, 0.09)),
  ];
}

function car(): Shape[] {
  return [
    shape('dark', [
      [0.22, 0.5],
      [0.34, 0.27],
      [0.68, 0.27],
      [0.84, 0.5],
    ]),
    shape('white', [
      [0.3, 0.49],
      [0.38, 0.33],
      [0.49, 0.33],
      [0.49, 0.49],
    ]),
    shape('white', [
      [0.54, 0.33],
      [0.65, 0.33],
      [0.75, 0.49],
      [0.54, 0.49],
    ]),
    shape('body', [
      [0, 0.54],
      [0.06, 0.48],
      [0.94, 0.48],
      [1, 0.56],
      [1, 0.72],
      [0, 0.72],
    ]),
    shape('black', ellipse(0.24, 0.72, 0.13)),
    shape('black', ellipse(0.76, 0.72, 0.13)),
    shape('white', ellipse(0.24, 0.72, 0.055)),
    shape('white', ellipse(0.76, 0.72, 0.055)),
  ];
}

function boat(): Shape[] {
  return [
    shape('brown', box(0.47, 0.04, 0.52, 0.74)),
    shape('white', [
      [0.55, 0.06],
      [0.96, 0.62],
      [0.55, 0.62],
    ]),
    shape('light', [
      [0.44, 0.16],
      [0.44, 0.62],
      [0.12, 0.62],
    ]),
    shape('body', [
      [0, 0.7],
      [1, 0.7],
      [0.82, 0.96],
      [0.18, 0.96],
    ]),
    shape('dark', [
      [0, 0.7],
      [1, 0.7],
      [0.96, 0.76],
      [0.04, 0.76],
    ]),
  ];
}

function cup(): Shape[] {
  return [
    shape('dark', arcBand(0.72, 0.55, 0.26, 0.1, -0.5, 0.5)),
    shape('body', [
      [0.06, 0.22],
      [0.76, 0.22],
      [0.7, 0.92],
      [0.12, 0.92],
    ]),
    shape('dark', ellipse(0.41, 0.22, 0.35, 0.1)),
    shape('brown', ellipse(0.41, 0.23, 0.28, 0.065)),
    shape('light', [
      [0.15, 0.4],
      [0.24, 0.4],
      [0.26, 0.82],
      [0.19, 0.82],
    ]),
  ];
}

function umbrella(): Shape[] {
  return [
    shape('brown', box(0.475, 0.1, 0.525, 0.84)),
    shape('brown', arcBand(0.4, 0.83, 0.125, 0.05, 0, 1)),
    shape('body', ellipse(0.5, 0.52, 0.5, 0.46, 1, 2)),
    shape('light', [
      ...curve([0.17, 0.52], [0.22, 0.16], [0.5, 0.06]),
      ...curve([0.5, 0.06], [0.36, 0.2], [0.38, 0.52]),
    ]),
    shape('dark', [
      ...curve([0.62, 0.52], [0.64, 0.2], [0.5, 0.06]),
      ...curve([0.5, 0.06], [0.78, 0.16], [0.83, 0.52]),
    ]),
  ];
}

function flower(): Shape[] {
  const petals = Array.from({ length: 6 }, (_, i) => {
    const angle = (Math.PI * i) / 3;
    return shape(
      i % 2 ? 'body' : 'light',
      ellipse(0.5 + 0.25 * Math.cos(angle), 0.34 + 0.25 * Math.sin(angle), 0.15),
    );
  });
  return [
    shape('brown', box(0.475, 0.4, 0.525, 1)),
    shape('brown', [
      ...curve([0.5, 0.92], [0.72, 0.9], [0.8, 0.7]),
      ...curve([0.8, 0.7], [0.54, 0.7], [0.5, 0.92]),
    ]),
    ...petals,
    shape('dark', ellipse(0.5, 0.34, 0.13)),
  ];
}

function mushroom(): Shape[] {
  return [
    shape('white', [
      ...curve([0.38, 0.5], [0.42, 0.8], [0.32, 0.96]),
      [0.68, 0.96],
      ...curve([0.68, 0.96], [0.58, 0.8], [0.62, 0.5]),
    ]),
    shape('body', [...ellipse(0.5, 0.52, 0.5, 0.46, 1, 2)]),
    shape('dark', [...curve([0, 0.52], [0.5, 0.66], [1, 0.52])]),
    shape('white', ellipse(0.28, 0.34, 0.08)),
    shape('white', ellipse(0.54, 0.22, 0.09)),
    shape('white', ellipse(0.77, 0.38, 0.07)),
  ];
}

function key(): Shape[] {
  return [
    shape('dark', arcBand(0.24, 0.5, 0.24, 0.11, 0, 2)),
    shape('body', arcBand(0.24, 0.5, 0.22, 0.06, 0, 2)),
    shape('body', box(0.46, 0.44, 1, 0.56)),
    shape('dark', box(0.74, 0.56, 0.82, 0.76)),
    shape('dark', box(0.9, 0.56, 0.98, 0.72)),
  ];
}

const DRAWERS = { star, heart, fish, house, tree, car, boat, cup, umbrella, flower, mushroom, key } as const;

export type Kind = keyof typeof DRAWERS;
export const KINDS = Object.keys(DRAWERS) as readonly Kind[];

/** Shapes of each kind, back to front. */
export const KIND_SHAPES = Object.fromEntries(
  KINDS.map((kind) => [kind, DRAWERS[kind]()]),
) as unknown as Readonly<Record<Kind, readonly Shape[]>>;
