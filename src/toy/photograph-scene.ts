// Drawn pictures of photograph size (a meadow, a seaside, a room) with objects of the toy world standing in them:
// what the demo paints on when nobody names a photograph. Stimuli and training scenes are drawn by scene.ts.

import { AppError } from '../errors.js';
import type { RandomSource, RgbImage } from '../imaging/types.js';
import type { Kind } from './kinds.js';
import { type Canvas, createCanvas, fillPolygon, type Rgb, toRgbImage } from './raster.js';
import { type Colour, drawObject, sampleObject } from './scene.js';
import {
  type Area,
  addTexture,
  drawCloud,
  drawShadow,
  drawSun,
  fillGradient,
  fillHill,
  finishAsPhotograph,
  mixColours,
  rectangle,
  varyColour,
} from './scenery.js';

export const PLACES = ['meadow', 'seaside', 'room'] as const;
export type Place = (typeof PLACES)[number];

interface Standing {
  readonly kind: Kind;
  readonly colours: readonly Colour[];
  /** Fractions of the picture's width and height: the middle of its foot. */
  readonly x: number;
  readonly footY: number;
  /** Fraction of the picture's shorter side. */
  readonly size: number;
  /** Where the drawing ends below, as a fraction of its box: 1 for most kinds. */
  readonly foot?: number;
  readonly shadow?: boolean;
  readonly tilt?: number;
}

function pick<T>(rng: RandomSource, items: readonly T[]): T {
  return items[rng.int(items.length)]!;
}

function stand(canvas: Canvas, rng: RandomSource, what: Standing): void {
  const { width, height } = canvas;
  const side = what.size * Math.min(width, height);
  const centreY = what.footY - (((what.foot ?? 1) - 0.5) * side) / height;
  if (what.shadow ?? true) drawShadow(canvas, what.x * width, what.footY * height, side * 0.95);
  const object = {
    ...sampleObject(rng, what.size, what.x, centreY),
    kind: what.kind,
    colour: pick(rng, what.colours),
    rotationRad: what.tilt ?? 0,
  };
  drawObject(canvas, object, width, height);
}

function drawSky(canvas: Canvas, rng: RandomSource, horizonY: number): void {
  const { width } = canvas;
  const [top, low] = pick<readonly [Rgb, Rgb]>(rng, [
    [
      [92, 150, 214],
      [205, 226, 240],
    ],
    [
      [112, 160, 205],
      [236, 222, 205],
    ],
    [
      [132, 150, 186],
      [240, 205, 178],
    ],
  ]);
  fillGradient(canvas, { x0: 0, y0: 0, x1: width, y1: horizonY }, top, low);
  drawSun(canvas, width * (0.12 + 0.2 * rng.uniform()), horizonY * (0.2 + 0.2 * rng.uniform()), width * 0.03);
  for (let i = 0; i < 3; i++) {
    const x = width * (0.38 + i * 0.24 + (rng.uniform() - 0.5) * 0.12);
    drawCloud(canvas, rng, x, horizonY * (0.22 + 0.3 * rng.uniform()), width * (0.13 + 0.1 * rng.uniform()));
  }
}

function drawMeadow(canvas: Canvas, rng: RandomSource): void {
  const { width, height } = canvas;
  const horizon = height * (0.42 + 0.06 * rng.uniform());
  drawSky(canvas, rng, horizon + height * 0.08);
  fillHill(canvas, rng, horizon, height * 0.06, varyColour(rng, [138, 165, 172], 8));
  fillHill(canvas, rng, horizon + height * 0.05, height * 0.035, varyColour(rng, [122, 160, 122], 10));
  fillHill(canvas, rng, horizon + height * 0.12, height * 0.02, varyColour(rng, [118, 164, 88], 10));
  // A path that narrows towards the horizon.
  const bend = (rng.uniform() - 0.5) * 0.3;
  const left = Array.from({ length: 20 }, (_, i) => {
    const t = i / 19;
    const middle = width * (0.52 + bend * Math.sin(t * 2.6));
    return {
      middle,
      half: width * (0.012 + 0.11 * t * t),
      y: horizon + height * 0.14 + t * (height * 0.9 - horizon),
    };
  });
  fillPolygon(
    canvas,
    [
      ...left.map(({ middle, half, y }) => [middle - half, y] as const),
      ...left.reverse().map(({ middle, half, y }) => [middle + half, y] as const),
    ],
    [205, 186, 148],
  );
  addTexture(
    canvas,
    rng,
    { x0: 0, y0: horizon + height * 0.09, x1: width, y1: height },
    {
      scaleX: width / 50,
      scaleY: height / 70,
      strength: 7,
    },
  );
  const far = 0.64 + 0.02 * rng.uniform();
  const side = rng.uniform() < 0.5 ? 1 : -1;
  const at = (x: number) => 0.5 + side * x;
  stand(canvas, rng, { kind: 'tree', colours: ['green'], x: at(0.4), footY: far, size: 0.3 });
  stand(canvas, rng, {
    kind: 'house',
    colours: ['red', 'orange', 'blue'],
    x: at(0.22),
    footY: far + 0.05,
    size: 0.34,
  });
  stand(canvas, rng, {
    kind: 'tree',
    colours: ['green', 'orange', 'yellow'],
    x: at(-0.36),
    footY: far + 0.09,
    size: 0.44,
  });
  if (rng.uniform() < 0.6) {
    const car: Standing = {
      kind: 'car',
      colours: ['red', 'blue', 'yellow'],
      x: at(-0.14),
      footY: far + 0.12,
      size: 0.2,
    };
    stand(canvas, rng, { ...car, foot: 0.85 });
  }
  stand(canvas, rng, {
    kind: 'mushroom',
    colours: ['red', 'orange'],
    x: at(0.38),
    footY: 0.93,
    size: 0.2,
    foot: 0.96,
  });
  for (let i = 0; i < 4; i++) {
    const x = at(-0.44 + i * 0.085 + rng.uniform() * 0.03);
    const flower: Standing = {
      kind: 'flower',
      colours: ['pink', 'purple', 'yellow', 'red'],
      x,
      footY: 0.97,
      size: 0.16,
    };
    stand(canvas, rng, { ...flower, footY: 0.9 + 0.07 * rng.uniform(), shadow: false });
  }
}

function drawSeaside(canvas: Canvas, rng: RandomSource): void {
  const { width, height } = canvas;
  const horizon = Math.round(height * (0.4 + 0.05 * rng.uniform()));
  drawSky(canvas, rng, horizon);
  const sea = varyColour(rng, [44, 118, 158], 12);
  fillGradient(
    canvas,
    { x0: 0, y0: horizon, x1: width, y1: height },
    sea,
    mixColours(sea, [150, 215, 210], 0.75),
  );
  const shore = height * 0.68;
  addTexture(
    canvas,
    rng,
    { x0: 0, y0: horizon, x1: width, y1: shore + height * 0.06 },
    {
      scaleX: width / 12,
      scaleY: height / 110,
      strength: 6,
    },
  );
  stand(canvas, rng, {
    kind: 'boat',
    colours: ['red', 'blue', 'purple'],
    x: 0.66,
    footY: 0.56,
    size: 0.3,
    foot: 0.94,
  });
  stand(canvas, rng, {
    kind: 'boat',
    colours: ['orange', 'cyan'],
    x: 0.26,
    footY: 0.475,
    size: 0.12,
    foot: 0.94,
  });
  const state = [rng.uniform(), rng.uniform()];
  const wet: Rgb = [186, 162, 122];
  fillHill(canvas, rng, shore - height * 0.012, height * 0.018, [236, 244, 242]);
  fillHill(canvas, rng, shore, height * 0.014, wet);
  fillHill(canvas, rng, shore + height * 0.05, height * 0.02, varyColour(rng, [226, 204, 158], 8));
  addTexture(
    canvas,
    rng,
    { x0: 0, y0: shore + height * 0.08, x1: width, y1: height },
    {
      scaleX: width / 60,
      scaleY: height / 60,
      strength: 5,
    },
  );
  stand(canvas, rng, {
    kind: 'umbrella',
    colours: ['red', 'yellow', 'pink', 'green'],
    x: 0.2 + 0.06 * state[0]!,
    footY: 0.92,
    size: 0.46,
    foot: 0.96,
    tilt: 0.12,
  });
  stand(canvas, rng, {
    kind: 'star',
    colours: ['orange', 'pink'],
    x: 0.52,
    footY: 0.93,
    size: 0.13,
    shadow: false,
    tilt: 0.3,
  });
  stand(canvas, rng, {
    kind: 'cup',
    colours: ['blue', 'purple', 'green'],
    x: 0.76 + 0.06 * state[1]!,
    footY: 0.94,
    size: 0.17,
    foot: 0.92,
  });
}

function drawPlanks(canvas: Canvas, rng: RandomSource, area: Area, base: Rgb): void {
  const rows = 7;
  for (let row = 0; row < rows; row++) {
    // Rows grow towards the viewer.
    const from = (row / rows) ** 1.5;
    const to = ((row + 1) / rows) ** 1.5;
    const [y0, y1] = [area.y0 + from * (area.y1 - area.y0), area.y0 + to * (area.y1 - area.y0)];
    let x = area.x0 - rng.uniform() * 160;
    while (x < area.x1) {
      const next = x + (area.x1 - area.x0) * (0.22 + 0.2 * rng.uniform());
      fillPolygon(canvas, rectangle({ x0: x, y0, x1: next, y1 }), varyColour(rng, base, 12));
      fillPolygon(
        canvas,
        rectangle({ x0: next - 1.5, y0, x1: next, y1 }),
        mixColours(base, [40, 25, 15], 0.55),
      );
      x = next;
    }
    fillPolygon(canvas, rectangle({ ...area, y0: y1 - 1.5, y1 }), mixColours(base, [40, 25, 15], 0.55));
  }
  addTexture(canvas, rng, area, { scaleX: 90, scaleY: 5, strength: 5 });
}

function drawWindow(canvas: Canvas, rng: RandomSource, area: Area): void {
  const frame = (area.x1 - area.x0) * 0.05;
  const outer = { x0: area.x0 - frame, y0: area.y0 - frame, x1: area.x1 + frame, y1: area.y1 + frame };
  fillPolygon(
    canvas,
    rectangle({ ...outer, y0: outer.y0 + 4, x0: outer.x0 + 4, x1: outer.x1 + 4, y1: outer.y1 + 5 }),
    [60, 50, 45],
    0.25,
  );
  fillPolygon(canvas, rectangle(outer), [244, 240, 230]);
  fillGradient(canvas, area, [128, 178, 222], [222, 234, 240]);
  const middleY = area.y0 + (area.y1 - area.y0) * (0.68 + 0.08 * rng.uniform());
  fillPolygon(canvas, rectangle({ ...area, y0: middleY }), [132, 168, 110]);
  drawCloud(
    canvas,
    rng,
    (area.x0 + area.x1) / 2,
    area.y0 + (area.y1 - area.y0) * 0.3,
    (area.x1 - area.x0) * 0.5,
  );
  const [cx, cy] = [(area.x0 + area.x1) / 2, (area.y0 + area.y1) / 2];
  fillPolygon(canvas, rectangle({ ...area, x0: cx - frame / 3, x1: cx + frame / 3 }), [244, 240, 230]);
  fillPolygon(canvas, rectangle({ ...area, y0: cy - frame / 3, y1: cy + frame / 3 }), [244, 240, 230]);
}

function drawRoom(canvas: Canvas, rng: RandomSource): void {
  const { width, height } = canvas;
  const wall = varyColour(
    rng,
    pick<Rgb>(rng, [
      [206, 216, 206],
      [222, 210, 190],
      [196, 210, 224],
      [224, 206, 206],
    ]),
    8,
  );
  const floorY = Math.round(height * 0.74);
  fillGradient(
    canvas,
    { x0: 0, y0: 0, x1: width, y1: floorY },
    wall,
    mixColours(wall, [120, 110, 100], 0.18),
  );
  for (let i = 0; i < 16; i++) {
    const x0 = (i / 16) * width;
    fillPolygon(
      canvas,
      rectangle({ x0, y0: 0, x1: x0 + width / 40, y1: floorY }),
      mixColours(wall, [255, 255, 255], 0.5),
      0.35,
    );
  }
  drawPlanks(canvas, rng, { x0: 0, y0: floorY, x1: width, y1: height }, [168, 122, 80]);
  fillPolygon(
    canvas,
    rectangle({ x0: 0, y0: floorY - height * 0.03, x1: width, y1: floorY }),
    [240, 236, 226],
  );
  drawWindow(canvas, rng, { x0: width * 0.09, y0: height * 0.12, x1: width * 0.35, y1: height * 0.52 });

  // A framed picture.
  const frame = { x0: width * 0.6, y0: height * 0.1, x1: width * 0.8, y1: height * 0.4 };
  fillPolygon(
    canvas,
    rectangle({ x0: frame.x0 + 5, y0: frame.y0 + 6, x1: frame.x1 + 5, y1: frame.y1 + 6 }),
    [60, 50, 45],
    0.3,
  );
  fillPolygon(canvas, rectangle(frame), [110, 76, 48]);
  const mat = { x0: frame.x0 + 9, y0: frame.y0 + 9, x1: frame.x1 - 9, y1: frame.y1 - 9 };
  fillPolygon(canvas, rectangle(mat), [246, 242, 232]);
  const framed = pick<Kind>(rng, ['fish', 'heart', 'boat', 'star']);
  stand(canvas, rng, {
    kind: framed,
    colours: ['red', 'blue', 'cyan', 'purple'],
    x: 0.7,
    footY: 0.35,
    size: 0.2,
    shadow: false,
  });

  // A table with things on it.
  const top = height * 0.66;
  const wood = varyColour(rng, [134, 88, 54], 10);
  for (const x of [0.4, 0.92]) {
    fillPolygon(
      canvas,
      rectangle({ x0: width * (x - 0.014), y0: top, x1: width * (x + 0.014), y1: height * 0.97 }),
      mixColours(wood, [0, 0, 0], 0.3),
    );
  }
  fillPolygon(
    canvas,
    rectangle({ x0: width * 0.34, y0: top + 10, x1: width * 0.98, y1: top + 26 }),
    mixColours(wood, [0, 0, 0], 0.25),
  );
  fillPolygon(
    canvas,
    [
      [width * 0.38, top - height * 0.05],
      [width * 0.94, top - height * 0.05],
      [width * 0.98, top + 12],
      [width * 0.34, top + 12],
    ],
    wood,
  );
  stand(canvas, rng, {
    kind: 'cup',
    colours: ['red', 'blue', 'yellow', 'cyan'],
    x: 0.5,
    footY: 0.645,
    size: 0.24,
    foot: 0.92,
  });
  stand(canvas, rng, {
    kind: 'flower',
    colours: ['pink', 'purple', 'orange', 'yellow'],
    x: 0.82,
    footY: 0.645,
    size: 0.3,
  });
  stand(canvas, rng, {
    kind: 'key',
    colours: ['yellow', 'orange'],
    x: 0.665,
    footY: 0.672,
    size: 0.15,
    foot: 0.74,
    shadow: false,
  });
  stand(canvas, rng, {
    kind: 'umbrella',
    colours: ['green', 'purple', 'red'],
    x: 0.17,
    footY: 0.93,
    size: 0.44,
    foot: 0.96,
    tilt: -0.1,
  });
}

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
