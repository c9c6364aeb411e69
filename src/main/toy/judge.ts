// The judge: a classifier of kinds, trained apart from the painter on generated scenes, that looks at the edited crop.

import type { Builder } from '../../graph/builder.js';
import type { Value } from '../../graph/types.js';
import { writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';
import { floats, type Session, type Tensor } from '../../runtime/session.js';
import { KINDS } from '../../toy/kinds.js';
import { type Box, drawScene, objectBox, sampleScene } from '../../toy/scene.js';
import { linear } from '../../train/layers.js';
import { crossEntropy } from '../../train/losses.js';
import { embedImage } from '../../train/models/image-encoder.js';
import { exportNetwork } from '../../train/networks.js';
import { mapRows } from '../../train/rows.js';
import type { Weights } from '../../train/stage.js';
import type { Objective } from '../../train/step-graph.js';
import { PLAN, TOY } from './settings.js';

const SIDE = TOY.regionSizePx;
const SIZE = TOY.imageSizePx;

function classify(b: Builder, image: Value): Value {
  return linear(b, 'kind', embedImage(b, image, TOY.judge), KINDS.length);
}

export function judgeObjective(b: Builder): Objective {
  const { batch } = PLAN.judge;
  const image = b.input('image', 'float32', [batch, 3, SIDE, SIDE]);
  const kind = b.input('kind', 'float32', [batch, KINDS.length]);
  return { loss: crossEntropy(b, classify(b, image), kind) };
}

export const judgeNetwork = (weights: Weights): Uint8Array =>
  exportNetwork('judge', 'logits', weights, (b) =>
    classify(b, b.input('pixel_values', 'float32', ['batch', 3, SIDE, SIDE])),
  );

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

/** Blurs [3, side, side] at an offset by a 3 x 3 mean, in place: the judge should not depend on crisp edges. */
function soften(pixels: Float32Array, offset: number): void {
  const plane = SIDE * SIDE;
  const before = pixels.slice(offset, offset + 3 * plane);
  for (let k = 0; k < 3; k++) {
    for (let y = 1; y < SIDE - 1; y++) {
      for (let x = 1; x < SIDE - 1; x++) {
        let sum = 0;
        for (let j = -1; j <= 1; j++)
          for (let i = -1; i <= 1; i++) sum += before[k * plane + (y + j) * SIDE + x + i]!;
        pixels[offset + k * plane + y * SIDE + x] = sum / 9;
      }
    }
  }
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
    if (rng.uniform() < 0.5) soften(image, i * 3 * SIDE * SIDE);
    kind[i * KINDS.length + KINDS.indexOf(spec.objects[0]!.kind)] = 1;
  }
  return { image: floats(image, [batch, 3, SIDE, SIDE]), kind: floats(kind, [batch, KINDS.length]) };
}

/** What the judge sees in one box of each picture: indices into KINDS. */
export async function judgeKinds(
  judge: Session,
  views: readonly { image: RgbImage; box: Box }[],
): Promise<number[]> {
  const pixels = new Float32Array(views.length * 3 * SIDE * SIDE);
  views.forEach(({ image, box }, i) => {
    writeRegion(pixels, i * 3 * SIDE * SIDE, image, undefined, box, SIDE);
  });
  const logits = await mapRows(judge, pixels, [3, SIDE, SIDE]);
  return views.map((_, i) => {
    const row = logits.subarray(i * KINDS.length, (i + 1) * KINDS.length);
    return row.indexOf(Math.max(...row));
  });
}
