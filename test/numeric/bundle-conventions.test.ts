// Bundles as other exporters lay them out: the same networks paint the same bytes, whatever the convention of their export.

import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { presetMask } from '../../src/imaging/mask-shapes.js';
import { loadBundle, writeBundle } from '../../src/painter/bundle.js';
import {
  adaptSignal,
  conditionOf,
  embedRegion,
  fromLatents,
  toLatents,
  unconditionalOf,
} from '../../src/painter/components.js';
import { openPainter, paint } from '../../src/painter/painter.js';
import { createRng } from '../../src/random.js';
import { buildPool } from '../../src/train/diffusion-pool.js';
import { embedPictures } from '../../src/train/pictures.js';
import {
  noisyPicture,
  PAINT_BY_EXAMPLE,
  TINY,
  type TinyOptions,
  tinySignal,
  writeTinyBundle,
} from '../support/tiny-bundle.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-conventions-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const SOURCE = noisyPicture(40, 36);
const MASK = presetMask({ shape: 'ellipse', left: 0.2, top: 0.2, width: 0.5, height: 0.5 }, 40, 36);

/** The painting by a bundle of these options, as text that can be compared. */
async function painted(
  options: TinyOptions,
  guidanceScale = 5,
  signal: Float32Array | undefined = tinySignal(),
) {
  const painter = await openPainter(await writeTinyBundle(join(folder, 'bundle'), options), { threads: 1 });
  const request = { source: SOURCE, mask: MASK, signal, seed: 3, paintings: 1, steps: 5, guidanceScale };
  for await (const { image, outsideMaskDifferentPixels } of paint(painter, request)) {
    expect(outsideMaskDifferentPixels).toBe(0);
    await painter.close();
    return Buffer.from(image.data).toString('base64');
  }
  throw new Error('no painting');
}

test('timesteps of either type and rank, and either answer of the encoder, paint the same', async () => {
  const plain = await painted({});
  const forms: TinyOptions[] = [
    { timestep: { dtype: 'int64', rank: 1 } },
    { timestep: { dtype: 'int64', rank: 0 } },
    { timestep: { dtype: 'float32', rank: 0 } },
    { encoderOutput: 'latent_sample' },
  ];
  for (const form of forms) expect(await painted(form)).toBe(plain);
  const mapped = await painted({ mapper: { rank: 3 } });
  expect(await painted({ mapper: { rank: 2 } })).toBe(mapped);
  expect(mapped).not.toBe(plain);
});

test('a Paint by Example layout paints, by every scheduler', async () => {
  const dpm = { ...PAINT_BY_EXAMPLE.scheduler, _class_name: 'DPMSolverMultistepScheduler' };
  const made = new Set([
    await painted(PAINT_BY_EXAMPLE),
    await painted({ ...PAINT_BY_EXAMPLE, scheduler: dpm }),
    await painted({ ...PAINT_BY_EXAMPLE, scheduler: { ...dpm, _class_name: 'DDIMScheduler' } }),
  ]);
  expect(made.size).toBe(3);
});

test('the learned unconditional vector counts when, and only when, guidance or the lack of a signal asks for it', async () => {
  const { uncondVector, ...zeros } = PAINT_BY_EXAMPLE;
  expect(await painted(PAINT_BY_EXAMPLE, 1)).toBe(await painted(zeros, 1));
  expect(await painted(PAINT_BY_EXAMPLE, 5)).not.toBe(await painted(zeros, 5));
  const nulled = { ...PAINT_BY_EXAMPLE, uncondVector: new Float32Array(TINY.condition) };
  expect(await painted(nulled, 5)).toBe(await painted(zeros, 5));
  const bundle = await writeTinyBundle(join(folder, 'learned'), PAINT_BY_EXAMPLE);
  expect(unconditionalOf(bundle)).toEqual(uncondVector);
});

test('the mapper is a network between adapter and UNet: the condition is its output', async () => {
  const bundle = await writeTinyBundle(join(folder, 'mapped'), PAINT_BY_EXAMPLE);
  const painter = await openPainter(bundle, { threads: 1 });
  const adapted = await adaptSignal(painter.brainAdapter, tinySignal());
  expect(adapted).toHaveLength(24);
  const condition = await conditionOf(painter, adapted);
  expect(condition).toHaveLength(TINY.condition);
  await painter.close();
  // Without it the adapter's embedding does not fit, and is said not to.
  const again = await openPainter(bundle, { threads: 1 });
  await expect(conditionOf({ ...again, mapper: undefined }, adapted)).rejects.toMatchObject({
    code: 'CORRUPT',
    field: 'bundle',
    message: expect.stringContaining('brain_adapter gives 24'),
  });
  await again.close();
});

test('latents are shifted, then scaled; the way back undoes both; a wrong count is refused', async () => {
  const { conventions } = await writeTinyBundle(join(folder, 'shifted'), {
    conventions: { latentShift: 0.25, latentScalingFactor: 2 },
  });
  const count = TINY.latentChannels * TINY.side ** 2;
  const mean = Float32Array.from({ length: count }, (_, i) => i / 8);
  const distribution = Float32Array.from([...mean, ...new Float32Array(count).fill(9)]);
  const expected = mean.map((x) => (x - 0.25) * 2);
  expect(toLatents(mean, conventions)).toEqual(expected);
  expect(toLatents(distribution, conventions)).toEqual(expected);
  expect(fromLatents(expected, conventions)).toEqual(mean);
  expect(() => toLatents(new Float32Array(count + 1), conventions)).toThrow(/vae_encoder gives/);
  expect(await painted({ conventions: { latentShift: 0.25 } })).not.toBe(await painted({}));
  expect(await painted({ conventions: { latentShift: 0 } })).toBe(await painted({}));
});

test('a learned vector that is missing, of another length, not finite or not hashed is refused', async () => {
  const at = join(folder, 'broken');
  const refusal = async (uncondVector: Float32Array) =>
    writeTinyBundle(at, { ...PAINT_BY_EXAMPLE, uncondVector }).then(
      () => undefined,
      (error) => [error.code, error.field, error.message.includes('uncond_vector.bin')],
    );
  expect(await refusal(new Float32Array(TINY.condition + 1))).toEqual(['CORRUPT', 'bundle', true]);
  expect(await refusal(new Float32Array(TINY.condition).fill(Number.NaN))).toEqual([
    'CORRUPT',
    'bundle',
    true,
  ]);
  await writeTinyBundle(at, PAINT_BY_EXAMPLE);
  const index = join(at, 'model_index.json');
  const manifest = JSON.parse(await readFile(index, 'utf8'));
  const { 'uncond_vector.bin': _, ...files } = manifest.mindpainter.files;
  await writeFile(index, JSON.stringify({ ...manifest, mindpainter: { ...manifest.mindpainter, files } }));
  await expect(loadBundle(at)).rejects.toMatchObject({ code: 'CORRUPT', field: 'bundle' });
  await rm(join(at, 'uncond_vector.bin'));
  await expect(loadBundle(at)).rejects.toMatchObject({ code: 'NOT_FOUND', field: 'bundle' });
});

test('a manifest that names a file outside the bundle is refused, so that nothing is copied to where it points', async () => {
  const at = join(folder, 'outward', 'bundle');
  const bundle = await writeTinyBundle(at);
  const index = join(at, 'model_index.json');
  const manifest = JSON.parse(await readFile(index, 'utf8'));
  const hash = bundle.conventions.files['unet/config.json']!;
  const names = ['unet/../../payload', '../payload', '/etc/payload', 'unet//payload', './unet/payload'];
  for (const name of [...names, 'unet\\..\\payload', 'unet/..', '']) {
    const files = { ...bundle.conventions.files, [name]: hash };
    await writeFile(index, JSON.stringify({ ...manifest, mindpainter: { ...manifest.mindpainter, files } }));
    await expect(loadBundle(at), name).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'bundle' });
  }
});

test('a file in the folder of a component without a hash is refused; with one it travels, and changes the hash', async () => {
  const at = join(folder, 'beside');
  const { hash, conventions } = await writeTinyBundle(at);
  await writeFile(join(at, 'README.md'), 'a card');
  expect((await loadBundle(at)).hash).toBe(hash);
  for (const name of ['unet/weights.pb', 'vae_decoder/deep/weights.pb']) {
    await mkdir(join(at, name, '..'), { recursive: true });
    await writeFile(join(at, name), 'weights');
    await expect(loadBundle(at)).rejects.toMatchObject({
      code: 'CORRUPT',
      field: 'bundle',
      message: expect.stringContaining(name),
    });
    await rm(join(at, name));
  }
  await writeFile(join(at, 'unet/weights.pb'), 'weights');
  const index = join(at, 'model_index.json');
  const manifest = JSON.parse(await readFile(index, 'utf8'));
  manifest.mindpainter.files['unet/weights.pb'] = createHash('sha256').update('weights').digest('hex');
  await writeFile(index, JSON.stringify(manifest));
  const whole = await loadBundle(at);
  expect(whole.hash).not.toBe(hash);
  const { files: _, ...rest } = conventions;
  const components = Object.fromEntries(Object.keys(whole.components).map((name) => [name, { from: whole }]));
  const copy = join(folder, 'copy');
  await writeBundle(copy, { conventions: rest, scheduler: whole.scheduler, components });
  expect((await readdir(join(copy, 'unet'))).sort()).toEqual(['config.json', 'model.onnx', 'weights.pb']);
  expect((await loadBundle(copy)).hash).toBe(whole.hash);
});

test('an image encoder that takes its colours by mean and deviation is given them so, in painting and in training', async () => {
  // CLIP's.
  const colours = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
  const bundle = await writeTinyBundle(join(folder, 'clip'), {
    conventions: { imageEncoderColours: colours },
  });
  const painter = await openPainter(bundle, { threads: 1 });
  const encoder = await painter.imageEncoder();
  const given: Float32Array[] = [];
  const watched = {
    ...encoder,
    run: (feeds: Parameters<typeof encoder.run>[0]) => {
      given.push(feeds[encoder.inputs[0]!.name]!.data as Float32Array);
      return encoder.run(feeds);
    },
  };
  // At the encoder's own size, so that nothing is resampled; the left half of it is painted.
  const picture = noisyPicture(16, 16);
  const mask = {
    width: 16,
    height: 16,
    data: Uint8Array.from({ length: 256 }, (_, i) => (i % 16 < 8 ? 255 : 0)),
  };
  const doubled = (source: Uint8Array, channels: number) =>
    Uint8Array.from({ length: 4 * source.length }, (_, at) => {
      const [pixel, k] = [Math.floor(at / channels), at % channels];
      return source[channels * ((pixel >> 6) * 16 + ((pixel % 32) >> 1)) + k]!;
    });
  const resized = { width: 32, height: 32, data: doubled(picture.data, 3) };
  const large = { width: 32, height: 32, data: doubled(mask.data, 1) };
  const expected = (hidden: (i: number) => boolean) =>
    Array.from({ length: 3 * 256 }, (_, at) => {
      const [k, i] = [Math.floor(at / 256), at % 256];
      const value = hidden(i) ? 0.5 : picture.data[3 * i + k]! / 255;
      return (value - colours.mean[k]!) / colours.std[k]!;
    });
  const worst = (got: Float32Array, wanted: number[]) =>
    Math.max(...wanted.map((value, i) => Math.abs(value - got[i]!)));
  const { conventions } = bundle;
  await embedRegion(conventions, watched, picture);
  await embedPictures(watched, 1, () => picture, conventions.imageEncoderColours);
  for (const pixels of given.splice(0))
    expect(
      worst(
        pixels,
        expected(() => false),
      ),
    ).toBeLessThan(1e-5);
  const { imageSizePx, side: latentSide, latentChannels } = TINY;
  const geometry = { imageSizePx, latentSide, latentChannels, regionSizePx: 16, embeddingSize: 24 };
  await buildPool(
    { vaeEncoder: painter.vaeEncoder, imageEncoder: watched },
    geometry,
    1,
    () => ({ image: resized, mask: large, box: { x0: 0, y0: 0, x1: 32, y1: 32 } }),
    createRng(1),
    { scale: 1, colours: conventions.imageEncoderColours },
  );
  const hidden = expected((i) => i % 16 >= 8);
  expect(worst(given[0]!, hidden)).toBeLessThan(1e-5);
  await painter.close();
});
