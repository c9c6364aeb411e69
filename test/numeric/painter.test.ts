// The painter end to end on a tiny real bundle: repeatability, what stays untouched, refusals, cancelling.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { presetMask } from '../../src/imaging/mask-shapes.js';
import { loadBundle } from '../../src/painter/bundle.js';
import {
  latentMask,
  openPainter,
  type Painter,
  type Painting,
  type PaintRequest,
  paint,
} from '../../src/painter/painter.js';
import type { Session } from '../../src/runtime/session.js';
import { noisyPicture, TINY, tinySignal, writeTinyBundle } from '../support/tiny-bundle.js';

let folder: string;
let painter: Painter;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-'));
  painter = await openPainter(await writeTinyBundle(join(folder, 'ddim')), { threads: 1 });
});
afterAll(async () => {
  await painter.close();
  await rm(folder, { recursive: true, force: true });
});

const SOURCE = noisyPicture(300, 210);
const BASE: PaintRequest = {
  source: SOURCE,
  mask: presetMask({ shape: 'ellipse', left: 0.3, top: 0.2, width: 0.4, height: 0.5 }, 300, 210),
  signal: tinySignal(),
  seed: 11,
  paintings: 1,
  steps: 4,
  guidanceScale: 3,
};

async function all(request: PaintRequest, by = painter): Promise<Painting[]> {
  const made: Painting[] = [];
  for await (const painting of paint(by, request)) made.push(painting);
  return made;
}
const bytes = (paintings: Painting[]) => paintings.map((p) => Buffer.from(p.image.data).toString('base64'));

/** The refusal that `attempt` meets. */
async function refusal(attempt: Promise<unknown>): Promise<AppError> {
  const error = await attempt.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

describe('signs of life', () => {
  test('one comes between any two calls of networks, be it a step or a phase', async () => {
    const happened: string[] = [];
    const watched = (name: string, session: Session): Session => ({
      ...session,
      run: (feeds, fetches) => {
        happened.push(name);
        return session.run(feeds, fetches);
      },
    });
    const by: Painter = {
      ...painter,
      unet: watched('unet', painter.unet),
      vaeEncoder: watched('encoder', painter.vaeEncoder),
      vaeDecoder: watched('decoder', painter.vaeDecoder),
      brainAdapter: watched('adapter', painter.brainAdapter),
      imageEncoder: async () => watched('image encoder', await painter.imageEncoder()),
    };
    const sign = () => void happened.push('sign');
    await all({ ...BASE, candidates: 3, paintings: 2, onStep: sign, onPhase: sign }, by);
    const calls = happened.filter((what) => what !== 'sign');
    expect(new Set(calls).size).toBe(5);
    expect(calls.filter((what) => what === 'decoder')).toHaveLength(6);
    for (const [i, what] of happened.entries())
      if (what !== 'sign') expect([what, happened[i + 1]]).toEqual([what, 'sign']);
    // The crop is cut before the first.
    expect(happened[0]).toBe('sign');
  });
});

describe('paintings', () => {
  test('the same request gives the same bytes; seed, index, signal and guidance each change them', async () => {
    const two = bytes(await all({ ...BASE, paintings: 2 }));
    expect(bytes(await all({ ...BASE, paintings: 2 }))).toEqual(two);
    const others = [
      two[1],
      ...bytes(await all({ ...BASE, seed: 12 })),
      ...bytes(await all({ ...BASE, signal: tinySignal(8) })),
      ...bytes(await all({ ...BASE, guidanceScale: 1 })),
    ];
    expect(new Set([two[0], ...others]).size).toBe(5);
    // A painting does not depend on how many are asked for.
    expect(bytes(await all(BASE))[0]).toBe(two[0]);
  });

  test('guidance of 1 or less asks for no unconditional half, and 0 equals 1', async () => {
    expect(bytes(await all({ ...BASE, guidanceScale: 0 }))).toEqual(
      bytes(await all({ ...BASE, guidanceScale: 1 })),
    );
  });

  test('outside the mask every byte is the source, inside it changes', async () => {
    const source = noisyPicture(1000, 700);
    const before = Uint8Array.from(source.data);
    const mask = presetMask({ shape: 'ellipse', left: 0.05, top: 0.4, width: 0.3, height: 0.55 }, 1000, 700);
    const [painting] = await all({ ...BASE, source, mask });
    expect(painting!.outsideMaskDifferentPixels).toBe(0);
    expect(Buffer.compare(source.data, before)).toBe(0);
    let [outside, inside, edited] = [0, 0, 0];
    for (let i = 0; i < mask.data.length; i++) {
      const differs = [0, 1, 2].some((k) => painting!.image.data[i * 3 + k] !== source.data[i * 3 + k]);
      if (mask.data[i] === 255) {
        edited += 1;
        if (differs) inside += 1;
      } else if (differs) outside += 1;
    }
    expect(outside).toBe(0);
    expect(inside).toBeGreaterThan(0.9 * edited);
  });

  test('hidden pixels do not reach the network: another picture under the mask gives the same painting', async () => {
    // The crop at its own size: no resampling that could mix hidden pixels into kept ones.
    const source = noisyPicture(32, 32);
    const mask = presetMask({ shape: 'rectangle', left: 0.25, top: 0.25, width: 0.5, height: 0.5 }, 32, 32);
    const other = Uint8Array.from(source.data);
    for (let i = 0; i < mask.data.length; i++) {
      if (mask.data[i] === 255) other.fill(200, i * 3, i * 3 + 3);
    }
    const [a] = await all({ ...BASE, source, mask });
    const [b] = await all({ ...BASE, source: { ...source, data: other }, mask });
    // Well inside the mask (beyond the feather) both are the painting alone.
    const centre = (16 * 32 + 16) * 3;
    expect(other.subarray(centre, centre + 3)).not.toEqual(source.data.subarray(centre, centre + 3));
    expect(a!.image.data.subarray(centre, centre + 3)).toEqual(b!.image.data.subarray(centre, centre + 3));
  });

  test('a full mask, one pixel, and a picture smaller than the network can be painted', async () => {
    const full = presetMask({ shape: 'full' }, 300, 210);
    const one = { width: 300, height: 210, data: new Uint8Array(300 * 210) };
    one.data[299] = 255;
    for (const mask of [full, one]) {
      const [painting] = await all({ ...BASE, mask });
      expect(painting!.image.data).toHaveLength(SOURCE.data.length);
      expect(painting!.outsideMaskDifferentPixels).toBe(0);
    }
    const small = noisyPicture(9, 5);
    const [painting] = await all({ ...BASE, source: small, mask: presetMask({ shape: 'full' }, 9, 5) });
    expect([painting!.image.width, painting!.image.height]).toEqual([9, 5]);
  });

  test('PNDM counts one visit more than steps, over all paintings', async () => {
    const pndm = await openPainter(
      await writeTinyBundle(join(folder, 'pndm'), { scheduler: { _class_name: 'PNDMScheduler' } }),
      {
        threads: 1,
      },
    );
    const seen: [number, number][] = [];
    const request = {
      ...BASE,
      paintings: 2,
      onStep: (done: number, total: number) => seen.push([done, total]),
    };
    expect(await all(request, pndm)).toHaveLength(2);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => [i + 1, 10]));
    await pndm.close();
  });

  test('as many steps as training timesteps stay finite', async () => {
    const [painting] = await all({ ...BASE, steps: 1000, guidanceScale: 1 });
    const centre = (100 * 300 + 150) * 3;
    // NaN would be written as black.
    expect(painting!.image.data.subarray(centre, centre + 300).some((value) => value > 0)).toBe(true);
  });
});

test('cancelling stops between steps with CANCELLED', async () => {
  const abort = new AbortController();
  let steps = 0;
  const onStep = () => {
    steps += 1;
    // From outside the painter's own turn: it must let the event loop in.
    if (steps === 3) setImmediate(() => abort.abort());
  };
  const error = await refusal(all({ ...BASE, steps: 200, onStep, abort: abort.signal }));
  expect(error.code).toBe('CANCELLED');
  expect(steps).toBeLessThan(6);
});

describe('refused requests name their field', () => {
  const cases: [string, Partial<PaintRequest>, string][] = [
    ['too few voxels', { signal: new Float32Array(TINY.voxels - 1) }, 'trials'],
    ['a NaN voxel', { signal: tinySignal().fill(Number.NaN, 3, 4) }, 'trials'],
    ['an infinite voxel', { signal: tinySignal().fill(Number.POSITIVE_INFINITY, 3, 4) }, 'trials'],
    ['no steps', { steps: 0 }, 'steps'],
    ['1001 steps', { steps: 1001 }, 'steps'],
    ['half a step', { steps: 2.5 }, 'steps'],
    ['guidance below 0', { guidanceScale: -0.1 }, 'guidanceScale'],
    ['guidance above 30', { guidanceScale: 31 }, 'guidanceScale'],
    ['guidance NaN', { guidanceScale: Number.NaN }, 'guidanceScale'],
    ['a negative seed', { seed: -1 }, 'seed'],
    ['a seed of 2^32', { seed: 2 ** 32 }, 'seed'],
    ['no paintings', { paintings: 0 }, 'paintings'],
    ['17 paintings', { paintings: 17 }, 'paintings'],
    ['a mask of another size', { mask: presetMask({ shape: 'full' }, 210, 300) }, 'mask'],
    ['an empty mask', { mask: { width: 300, height: 210, data: new Uint8Array(300 * 210) } }, 'mask'],
  ];
  test.each(cases)('%s', async (_name, change, field) => {
    const error = await refusal(all({ ...BASE, ...change }));
    expect([error.code, error.field]).toEqual(['BAD_INPUT', field]);
  });
});

describe('bundles', () => {
  test('the same parts make the same hash, other parts another', async () => {
    const again = await writeTinyBundle(join(folder, 'again'));
    expect(again.hash).toBe(painter.bundle.hash);
    expect(
      (await writeTinyBundle(join(folder, 'again'), { scheduler: { _class_name: 'PNDMScheduler' } })).hash,
    ).not.toBe(again.hash);
  });

  test('a changed byte, a missing file, an unknown version and no bundle at all are refused', async () => {
    const at = join(folder, 'broken');
    await writeTinyBundle(at);
    const model = join(at, 'vae_decoder', 'model.onnx');
    const good = await readFile(model);
    const bad = Buffer.from(good);
    bad[bad.length >> 1]! ^= 1;
    await writeFile(model, bad);
    const changed = await refusal(loadBundle(at));
    expect([changed.code, changed.field]).toEqual(['CORRUPT', 'bundle']);
    expect(changed.message).toContain('vae_decoder/model.onnx');

    await rm(model);
    const missing = await refusal(loadBundle(at));
    expect(missing.code).toBe('NOT_FOUND');
    expect(missing.message).toContain('vae_decoder/model.onnx');

    await writeFile(model, good);
    const index = join(at, 'model_index.json');
    const manifest = JSON.parse(await readFile(index, 'utf8'));
    await writeFile(
      index,
      JSON.stringify({ ...manifest, mindpainter: { ...manifest.mindpainter, formatVersion: 2 } }),
    );
    const version = await refusal(loadBundle(at));
    expect(version.code).toBe('BAD_INPUT');
    expect(version.message).toContain('formatVersion');

    const { 'unet/model.onnx': _, ...fewer } = manifest.mindpainter.files;
    await writeFile(
      index,
      JSON.stringify({ ...manifest, mindpainter: { ...manifest.mindpainter, files: fewer } }),
    );
    const uncovered = await refusal(loadBundle(at));
    expect(uncovered.code).toBe('CORRUPT');
    expect(uncovered.message).toContain('unet/model.onnx');

    await writeFile(index, '{');
    expect((await refusal(loadBundle(at))).code).toBe('CORRUPT');
    expect((await refusal(loadBundle(join(folder, 'nowhere')))).code).toBe('NOT_FOUND');
  });
});

test('the latent mask follows the declared rule and meaning', () => {
  const mask = { width: 4, height: 4, data: new Uint8Array(16) };
  mask.data[5] = 255; // (1, 1): in the first cell of 2 x 2
  mask.data[10] = 255; // (2, 2): the corner of the last
  expect([...latentMask(mask, 2, 'any', 'edit')]).toEqual([1, 0, 0, 1]);
  expect([...latentMask(mask, 2, 'any', 'keep')]).toEqual([0, 1, 1, 0]);
  expect([...latentMask(mask, 2, 'nearest', 'edit')]).toEqual([0, 0, 0, 1]);
});
