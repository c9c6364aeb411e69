// Held-out pairs of a place to paint in and a signal to paint by: how paintings are tested. Shared by evaluation and ablations.

import { presetMask } from '../../imaging/mask-shapes.js';
import type { MaskImage, RgbImage } from '../../imaging/types.js';
import type { PaintRequest } from '../../painter/painter.js';
import { blankCanvas } from '../../painter/two-stage.js';
import { createRng } from '../../random.js';
import { type Box, drawScene, objectBox, sampleScene } from '../../toy/scene.js';
import { looseBox } from './judge.js';
import { TOY } from './settings.js';

/** A place to paint in: a scene, a mask, and the box of the picture that the judge looks at. */
export interface Place {
  readonly source: RgbImage;
  readonly mask: MaskImage;
  readonly box: Box;
}

const SIZE = TOY.imageSizePx;
const WHOLE: Box = { x0: 0, y0: 0, x1: SIZE, y1: SIZE };

function boxMask({ x0, y0, x1, y1 }: Box): MaskImage {
  const [left, top, width, height] = [x0, y0, x1 - x0, y1 - y0].map((px) => px / SIZE) as [
    number,
    number,
    number,
    number,
  ];
  return presetMask({ shape: 'rectangle', left, top, width, height }, SIZE, SIZE);
}

/** Inpainting: a held-out scene with a mask over its object. Seeded by the pair's number alone. */
export function inpaintingPlace(pair: number, photographs: readonly RgbImage[] = []): Place {
  const rng = createRng(TOY.seeds.test + 1000 + pair);
  const spec = sampleScene(rng, { photographs });
  const box = looseBox(rng, objectBox(spec, 0, SIZE));
  return { source: drawScene(spec, SIZE, photographs), mask: boxMask(box), box };
}

/** Outpainting: a scene without an object of which a corner of 3/8 of each side is kept; the judge sees it all. */
export function outpaintingPlace(pair: number, photographs: readonly RgbImage[] = []): Place {
  const rng = createRng(TOY.seeds.test + 1000 + pair);
  const spec = sampleScene(rng, { photographs, objects: 0 });
  const side = (3 * SIZE) / 8;
  const [x0, y0] = [rng.int(2) * (SIZE - side), rng.int(2) * (SIZE - side)];
  const kept = boxMask({ x0, y0, x1: x0 + side, y1: y0 + side });
  const mask = { ...kept, data: kept.data.map((value) => 255 - value) };
  return { source: drawScene(spec, SIZE, photographs), mask, box: WHOLE };
}

/** Reconstruction: nothing is given but the signal. */
export function reconstructionPlace(): Place {
  return { ...blankCanvas(SIZE), box: WHOLE };
}

/** Any of the painter's routes. */
export type Route = (request: PaintRequest) => AsyncIterable<{ image: RgbImage }>;

/** Paints each place once by its signal; a pair's noise is seeded by its number. */
export async function paintPairs(
  route: Route,
  count: number,
  placeOf: (pair: number) => Place,
  signalOf: (pair: number) => Float32Array,
  settings: Pick<PaintRequest, 'steps' | 'guidanceScale' | 'candidates'>,
  onPair: (done: number) => void = () => {},
): Promise<{ image: RgbImage; box: Box }[]> {
  const paintings: { image: RgbImage; box: Box }[] = [];
  for (let pair = 0; pair < count; pair++) {
    const { source, mask, box } = placeOf(pair);
    const request = { source, mask, signal: signalOf(pair), seed: pair, paintings: 1, ...settings };
    for await (const { image } of route(request)) paintings.push({ image, box });
    onPair(pair + 1);
  }
  return paintings;
}
