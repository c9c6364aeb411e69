// The room: a drawn place of photograph size with objects standing in it.

import type { RandomSource } from '../imaging/types.js';
import type { Kind } from './kinds.js';
import { type Canvas, fillPolygon, type Rgb } from './raster.js';
import {
  type Area,
  addTexture,
  drawCloud,
  fillGradient,
  mixColours,
  rectangle,
  varyColour,
} from './scenery.js';
import { pick, stand } from './standing.js';

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

/** A wall with a window and a picture, a table, a wooden floor. */
export function drawRoom(canvas: Canvas, rng: RandomSource): void {
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
    shadow: 0,
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
    x: 0.88,
    footY: 0.645,
    size: 0.3,
    shadow: 0.4,
  });
  stand(canvas, rng, {
    kind: 'key',
    colours: ['yellow', 'orange'],
    x: 0.665,
    footY: 0.672,
    size: 0.15,
    foot: 0.74,
    shadow: 0,
  });
  stand(canvas, rng, {
    kind: 'umbrella',
    colours: ['green', 'purple', 'red'],
    x: 0.17,
    footY: 0.93,
    size: 0.44,
    foot: 0.96,
    shadow: 0.45,
    tilt: -0.1,
  });
}
