// Training masks by the paper's three modes. How each is drawn is our declared default, after Paint by Example.

import { fillMaskPolygon, type MaskRect } from './mask-shapes.js';
import type { MaskImage, RandomSource } from './types.js';

export type MaskMode = 'inpaint' | 'outpaint' | 'random';

export interface MaskSamplerOptions {
  readonly sizePx: number;
  /** The object that inpainting should cover; absent: a box by chance. */
  readonly objectBox?: MaskRect;
  /** MindPainter: 0.5, 0.3, 0.2. */
  readonly probabilities?: Readonly<Record<MaskMode, number>>;
  /** Share of the random masks that cover the whole frame: reconstruction from the brain alone. */
  readonly fullShare?: number;
  /** Size of the mask where it is not the square: what is drawn on the square is stretched over it. */
  readonly stretchTo?: { readonly width: number; readonly height: number };
}

/** Of the random masks, how many cover the whole frame by default. */
export const FULL_SHARE = 0.35;

export const MASK_PROBABILITIES: Readonly<Record<MaskMode, number>> = {
  inpaint: 0.5,
  outpaint: 0.3,
  random: 0.2,
};

type P = readonly [number, number];

/** Four quadratic Bezier curves that bulge from an inner box to an outer one, 18 samples a curve, jittered. */
function bulgingShape(rng: RandomSource, inner: MaskRect, outer: MaskRect): P[] {
  const corners: P[] = [
    [inner.x0, inner.y0],
    [inner.x1, inner.y0],
    [inner.x1, inner.y1],
    [inner.x0, inner.y1],
  ];
  const between = (a: number, b: number) => a + (b - a) * rng.uniform();
  const controls: P[] = [
    [between(inner.x0, inner.x1), outer.y0],
    [outer.x1, between(inner.y0, inner.y1)],
    [between(inner.x0, inner.x1), outer.y1],
    [outer.x0, between(inner.y0, inner.y1)],
  ];
  const jitter = () => (rng.uniform() - 0.5) * 0.04 * (outer.x1 - outer.x0);
  return corners.flatMap((start, i) => {
    const end = corners[(i + 1) % 4]!;
    const control = controls[i]!;
    return Array.from({ length: 18 }, (_, k): P => {
      const t = k / 18;
      const at = (axis: 0 | 1) =>
        (1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * control[axis] + t * t * end[axis] + jitter();
      return [at(0), at(1)];
    });
  });
}

/** Each side grows by U(0, share) of the free space beside it. */
function extendBox(rng: RandomSource, box: MaskRect, sizePx: number, share: number): MaskRect {
  const grow = (free: number) => share * free * rng.uniform();
  return {
    x0: box.x0 - grow(box.x0),
    y0: box.y0 - grow(box.y0),
    x1: box.x1 + grow(sizePx - box.x1),
    y1: box.y1 + grow(sizePx - box.y1),
  };
}

function randomBox(rng: RandomSource, sizePx: number, low: number, high: number): MaskRect {
  const side = () => sizePx * (low + (high - low) * rng.uniform());
  const [width, height] = [side(), side()];
  const x0 = rng.uniform() * (sizePx - width);
  const y0 = rng.uniform() * (sizePx - height);
  return { x0, y0, x1: x0 + width, y1: y0 + height };
}

const rectangle = (r: MaskRect): P[] => [
  [r.x0, r.y0],
  [r.x1, r.y0],
  [r.x1, r.y1],
  [r.x0, r.y1],
];

/** Draws one training mask; the mode comes with it. */
export function sampleTrainingMask(
  rng: RandomSource,
  options: MaskSamplerOptions,
): { mask: MaskImage; mode: MaskMode } {
  const { sizePx, probabilities = MASK_PROBABILITIES, fullShare = FULL_SHARE } = options;
  const { width, height } = options.stretchTo ?? { width: sizePx, height: sizePx };
  const data = new Uint8Array(width * height);
  const mask = { width, height, data };
  const fill = (points: readonly P[], value: number) => {
    const stretched = points.map(([x, y]): P => [(x * width) / sizePx, (y * height) / sizePx]);
    fillMaskPolygon(mask, stretched, value);
  };
  const draw = rng.uniform();
  const mode: MaskMode =
    draw < probabilities.inpaint
      ? 'inpaint'
      : draw < probabilities.inpaint + probabilities.outpaint
        ? 'outpaint'
        : 'random';
  if (mode === 'inpaint') {
    const inner = options.objectBox ?? randomBox(rng, sizePx, 0.35, 0.8);
    const outer = extendBox(rng, inner, sizePx, 0.4);
    fill(rng.uniform() < 0.5 ? bulgingShape(rng, inner, outer) : rectangle(outer), 255);
  } else if (mode === 'outpaint') {
    data.fill(255);
    fill(rectangle(randomBox(rng, sizePx, 0.3, 0.65)), 0);
  } else if (rng.uniform() < fullShare) {
    data.fill(255);
  } else {
    const boxes = 1 + rng.int(3);
    for (let i = 0; i < boxes; i++) {
      const box = randomBox(rng, sizePx, 0.2, 0.7);
      fill(bulgingShape(rng, box, extendBox(rng, box, sizePx, 0.3)), 255);
    }
  }
  return { mask, mode };
}
