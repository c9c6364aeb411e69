// The judge of kinds: its data are generated scenes of its own, and it looks at the edited crop.

import { writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';
import { floats, type Session, type Tensor } from '../../runtime/session.js';
import { KINDS } from '../../toy/kinds.js';
import { type Box, drawScene, objectBox, sampleScene } from '../../toy/scene.js';
import { type JudgeSize, judgeViews, soften, type View } from '../../train/judge.js';
import { TOY } from './settings.js';

const SIDE = TOY.regionSizePx;
const SIZE = TOY.imageSizePx;

export const JUDGE: JudgeSize = { ...TOY.judge, sidePx: SIDE, classes: KINDS.length, head: 'kind' };

/** A box around the first object with some room, as an inpainting mask has. */
export function looseBox(rng: Rng, box: Box): Box {
  const side = Math.max(box.x1 - box.x0, box.y1 - box.y0);
  const half = (side / 2) * (1 + 0.5 * rng.uniform());
  const shift = () => (rng.uniform() - 0.5) * 0.2 * side;
  const [cx, cy] = [(box.x0 + box.x1) / 2 + shift(), (box.y0 + box.y1) / 2 + shift()];
  const low = (c: number) => Math.max(0, Math.round(c - half));
  const high = (c: number) => Math.min(SIZE, Math.round(c + half));
  return { x0: low(cx), y0: low(cy), x1: high(cx), y1: high(cy) };
}

/** Scenes of one object, seen whole or by a loose box, half of them softened; their kinds as one-hot rows. */
export function judgeBatch(
  rng: Rng,
  batch: number,
  photographs: readonly RgbImage[],
): Record<string, Tensor> {
  const image = new Float32Array(batch * 3 * SIDE * SIDE);
  const kind = new Float32Array(batch * KINDS.length);
  for (let i = 0; i < batch; i++) {
    const spec = sampleScene(rng, { photographs });
    const whole: Box = { x0: 0, y0: 0, x1: SIZE, y1: SIZE };
    const box = rng.uniform() < 0.4 ? whole : looseBox(rng, objectBox(spec, 0, SIZE));
    writeRegion(image, i * 3 * SIDE * SIDE, drawScene(spec, SIZE, photographs), undefined, box, SIDE);
    if (rng.uniform() < 0.5) soften(image, i * 3 * SIDE * SIDE, SIDE);
    kind[i * KINDS.length + KINDS.indexOf(spec.objects[0]!.kind)] = 1;
  }
  return { image: floats(image, [batch, 3, SIDE, SIDE]), kind: floats(kind, [batch, KINDS.length]) };
}

/** What the judge sees in one box of each picture: indices into KINDS. */
export const judgeKinds = (judge: Session, views: readonly View[]): Promise<number[]> =>
  judgeViews(judge, views, JUDGE);
