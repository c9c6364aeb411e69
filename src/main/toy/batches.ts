// Batches for the stages that look at pictures: scenes drawn on the fly, as tensors.

import { type MaskMode, sampleTrainingMask } from '../../imaging/mask-sampler.js';
import { maskBounds } from '../../imaging/mask-shapes.js';
import { writePlanar, writeRegion } from '../../imaging/tensor.js';
import type { MaskImage, RgbImage } from '../../imaging/types.js';
import type { Rng } from '../../random.js';
import { floats, type Tensor } from '../../runtime/session.js';
import { KINDS } from '../../toy/kinds.js';
import { COLOUR_NAMES, drawScene, objectBox, type SceneSpec, sampleScene } from '../../toy/scene.js';
import type { MaskedPicture } from '../../train/diffusion-pool.js';
import { TOY } from './settings.js';

const SIZE = TOY.imageSizePx;

export interface MaskedScene extends MaskedPicture {
  readonly spec: SceneSpec;
}

/**
 * A scene of one or two objects with a training mask; inpainting masks cover its first object. The modes of masks
 * come in the paper's shares unless others are given.
 */
export function sampleMasked(
  rng: Rng,
  photographs: readonly RgbImage[],
  probabilities?: Readonly<Record<MaskMode, number>>,
): MaskedScene {
  const draw = rng.uniform();
  const spec = sampleScene(rng, { photographs, objects: draw < 0.05 ? 0 : draw < 0.7 ? 1 : 2 });
  const image = drawScene(spec, SIZE, photographs);
  const options = {
    sizePx: SIZE,
    ...(spec.objects.length > 0 ? { objectBox: objectBox(spec, 0, SIZE) } : {}),
    ...(probabilities ? { probabilities } : {}),
  };
  for (;;) {
    const { mask } = sampleTrainingMask(rng, options);
    const box = maskBounds(mask);
    if (box && box.x1 - box.x0 >= 8 && box.y1 - box.y0 >= 8) return { spec, image, mask, box };
  }
}

/** Images [batch, 3, s, s] for the autoencoder: a third of them with a grey hole, as the painter encodes them. */
export function autoencoderBatch(
  rng: Rng,
  batch: number,
  photographs: readonly RgbImage[],
): Record<string, Tensor> {
  const data = new Float32Array(batch * 3 * SIZE * SIZE);
  for (let i = 0; i < batch; i++) {
    const { image, mask } = sampleMasked(rng, photographs);
    writePlanar(data, i * 3 * SIZE * SIZE, image, rng.uniform() < 0.3 ? mask : undefined);
  }
  const { latentChannels } = TOY.autoencoder;
  const shape = [batch, latentChannels, TOY.latentSide, TOY.latentSide];
  const noise = rng.fillNormal(new Float32Array(batch * latentChannels * TOY.latentSide ** 2));
  return { image: floats(data, [batch, 3, SIZE, SIZE]), noise: floats(noise, shape) };
}

/** How much of an object's box the mask covers, 0 to 1. */
function covered(spec: SceneSpec, index: number, mask: MaskImage): number {
  const box = objectBox(spec, index, SIZE);
  let inside = 0;
  for (let y = box.y0; y < box.y1; y++)
    for (let x = box.x0; x < box.x1; x++) if (mask.data[y * SIZE + x]) inside += 1;
  return inside / ((box.x1 - box.x0) * (box.y1 - box.y0));
}

/** Regions with what they show, for the image encoder: whole scenes, and masked regions as the diffusion uses them. */
export function encoderBatch(
  rng: Rng,
  batch: number,
  photographs: readonly RgbImage[],
): Record<string, Tensor> {
  const side = TOY.regionSizePx;
  const image = new Float32Array(batch * 3 * side * side);
  const kind = new Float32Array(batch * TOY.kinds);
  const colour = new Float32Array(batch * TOY.colours);
  const place = new Float32Array(batch * 3);
  const present = new Float32Array(batch);
  for (let i = 0; i < batch; ) {
    const whole = rng.uniform() < 0.4;
    const sample = sampleMasked(rng, photographs);
    const mask = whole ? { ...sample.mask, data: new Uint8Array(SIZE * SIZE).fill(255) } : sample.mask;
    const box = whole ? { x0: 0, y0: 0, x1: SIZE, y1: SIZE } : sample.box;
    const shares = sample.spec.objects.map((_, index) => covered(sample.spec, index, mask));
    const seen = shares.flatMap((share, index) => (share > 0.6 ? [index] : []));
    // Half-covered objects and two at once have no single right answer.
    if (seen.length > 1 || shares.some((share) => share > 0.15 && share <= 0.6)) continue;
    const object = seen.length === 1 ? sample.spec.objects[seen[0]!]! : undefined;
    writeRegion(image, i * 3 * side * side, sample.image, mask, box, side);
    kind[i * TOY.kinds + (object ? KINDS.indexOf(object.kind) : KINDS.length)] = 1;
    if (object) {
      const extent = Math.max(box.x1 - box.x0, box.y1 - box.y0);
      colour[i * TOY.colours + COLOUR_NAMES.indexOf(object.colour)] = 1;
      place[i * 3] = (object.centreX * SIZE - (box.x0 + box.x1) / 2) / extent;
      place[i * 3 + 1] = (object.centreY * SIZE - (box.y0 + box.y1) / 2) / extent;
      place[i * 3 + 2] = (object.size * SIZE) / extent;
      present[i] = 1;
    }
    i += 1;
  }
  return {
    image: floats(image, [batch, 3, side, side]),
    kind: floats(kind, [batch, TOY.kinds]),
    colour: floats(colour, [batch, TOY.colours]),
    place: floats(place, [batch, 3]),
    present: floats(present, [batch, 1]),
  };
}
