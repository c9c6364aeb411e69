// The meadow and the seaside: drawn places of photograph size with objects standing in them.

import type { RandomSource } from '../imaging/types.js';
import { type Canvas, fillPolygon, type Rgb } from './raster.js';
import { addTexture, drawCloud, drawSun, fillGradient, fillHill, mixColours, varyColour } from './scenery.js';
import { pick, type Standing, stand } from './standing.js';

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

/** Hills, a path, a house, trees and flowers. */
export function drawMeadow(canvas: Canvas, rng: RandomSource): void {
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
      x: at(-0.02),
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
    shadow: 0.6,
  });
  for (let i = 0; i < 4; i++) {
    const x = at(-0.44 + i * 0.08 + rng.uniform() * 0.03);
    const flower: Standing = {
      kind: 'flower',
      colours: ['pink', 'purple', 'yellow', 'red'],
      x,
      footY: 0.97,
      size: 0.16,
    };
    stand(canvas, rng, { ...flower, footY: 0.9 + 0.07 * rng.uniform(), shadow: 0 });
  }
}

/** Sky, sea with boats, a beach. */
export function drawSeaside(canvas: Canvas, rng: RandomSource): void {
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
  const places = [rng.uniform(), rng.uniform()];
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
    x: 0.2 + 0.06 * places[0]!,
    footY: 0.92,
    size: 0.46,
    foot: 0.96,
    shadow: 0.45,
    tilt: 0.12,
  });
  stand(canvas, rng, {
    kind: 'star',
    colours: ['orange', 'pink'],
    x: 0.52,
    footY: 0.93,
    size: 0.13,
    shadow: 0,
    tilt: 0.3,
  });
  stand(canvas, rng, {
    kind: 'cup',
    colours: ['blue', 'purple', 'green'],
    x: 0.76 + 0.06 * places[1]!,
    footY: 0.94,
    size: 0.17,
    foot: 0.92,
  });
}
