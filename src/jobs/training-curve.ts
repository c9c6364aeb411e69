// The curve of a run on disk, a line a point: after a kill the points before the checkpoint are told again, none is lost.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainEvent } from './training-messages.js';
import { wholeLines } from './whole-lines.js';

type Point = Extract<TrainEvent, { type: 'point' }>;

export interface Curve {
  /** Stores a point, then tells it. */
  add(stage: string, step: number, values: Readonly<Record<string, number>>): void;
}

/** Tells all points that earlier attempts have stored; a line that a kill has torn is dropped. */
export function openCurve(folder: string, tell: (point: Point) => void): Curve {
  const path = join(folder, 'curve.jsonl');
  for (const line of wholeLines(path)) tell(JSON.parse(line));
  return {
    add(stage, step, values) {
      const points = Object.entries(values).map(
        ([name, value]): Point => ({ type: 'point', stage, name, step, value }),
      );
      appendFileSync(path, points.map((point) => `${JSON.stringify(point)}\n`).join(''));
      for (const point of points) tell(point);
    },
  };
}
