// Networks that pictures are compared by: what a folder must hold, how colours are taken, and LPIPS by a real network.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LPIPS_SIDE_PX, openMetricNetworks } from '../../src/jobs/metric-networks.js';
import { drawPair, type PictureCase } from '../support/drawn-pictures.js';
import { writeDistanceNetwork, writePixelNetwork } from '../support/metric-networks.js';
import { noisyPicture, writeTinyBundle } from '../support/tiny-bundle.js';

let folder: string;
const nobody = { name: 'none', hash: 'none', folder: 'none' };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-networks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a folder that holds no network says which and why', async () => {
  const [bad, pixels] = [join(folder, 'bad'), await writePixelNetwork(join(folder, 'pixels'))];
  const json = join(bad, 'metric_network.json');
  const cases: [() => Promise<unknown>, string[], string, RegExp][] = [
    [async () => {}, [bad], 'NOT_FOUND', /bad has no metric_network.json/],
    [() => writePixelNetwork(bad, { kind: 'clip' }), [bad], 'BAD_INPUT', /kind/],
    [() => writePixelNetwork(bad, { colors: {} }), [bad], 'BAD_INPUT', /colors/],
    [() => writePixelNetwork(bad, { output: 'other' }), [bad], 'BAD_INPUT', /it has no output other/],
    [() => writePixelNetwork(bad, { kind: 'lpips' }), [bad], 'BAD_INPUT', /takes two pictures/],
    [() => writeDistanceNetwork(bad, { kind: 'embedding' }), [bad], 'BAD_INPUT', /takes one picture/],
    [() => writePixelNetwork(bad), [bad, pixels], 'BAD_INPUT', /two networks are of the kind embedding/],
    [() => writeFile(join(bad, 'model.onnx'), 'no graph'), [bad], 'CORRUPT', /pixels cannot be read/],
    [() => writeFile(json, '{'), [bad], 'CORRUPT', /not JSON/],
  ];
  for (const [prepare, networks, code, message] of cases) {
    await prepare();
    await expect(openMetricNetworks({ networks, model: nobody })).rejects.toMatchObject({
      code,
      field: 'MINDPAINTER_METRIC_NETWORKS',
      message: expect.stringMatching(message),
    });
  }
});

test('colours are taken as the description says, and the hash is that of the file', async () => {
  const [mean, std] = [
    [0.5, 0.4, 0.3],
    [0.5, 0.25, 0.2],
  ];
  const path = await writePixelNetwork(join(folder, 'colours'), { colours: { mean, std } });
  const { embed, used, lpips, close } = await openMetricNetworks({ networks: [path], model: nobody });
  const picture = noisyPicture(16, 16);
  const vector = await (embed as Exclude<typeof embed, string>)(picture);
  for (const k of [0, 1, 2])
    for (const i of [0, 100, 255])
      expect(vector[k * 256 + i]).toBeCloseTo((picture.data[3 * i + k]! / 255 - mean[k]!) / std[k]!, 5);
  const sha256 = createHash('sha256')
    .update(readFileSync(join(path, 'model.onnx')))
    .digest('hex');
  expect(used).toMatchObject([{ sha256, ofPainter: false }]);
  expect(lpips).toMatch(/no LPIPS network/);
  await close();
});

test("without one, the painter's own encoder embeds; of a model that is gone, nothing does", async () => {
  const { hash } = await writeTinyBundle(join(folder, 'bundle'));
  const model = { name: 'tiny', hash, folder: join(folder, 'bundle') };
  const own = await openMetricNetworks({ networks: [], model });
  expect(own.used).toMatchObject([{ kind: 'EMBEDDING', ofPainter: true, name: 'image encoder of tiny' }]);
  expect(await (own.embed as Exclude<typeof own.embed, string>)(noisyPicture(20, 20))).toHaveLength(24);
  await own.close();
  for (const gone of [nobody, { ...model, hash: 'other' }]) {
    const none = await openMetricNetworks({ networks: [], model: gone });
    expect([none.used, none.embed]).toEqual([[], expect.stringMatching(/is not there as it painted; name/)]);
  }
});

const LPIPS = '../shared/data/models/lpips_sq.onnx';
const reference = JSON.parse(readFileSync('test/reference/pictures.json', 'utf8')).lpips as {
  sha256: string;
  distances: (PictureCase & { distance: number })[];
};
test.skipIf(!existsSync(LPIPS))('LPIPS by SqueezeNet is what another runtime makes it', async () => {
  const path = join(folder, 'lpips');
  await mkdir(path);
  await copyFile(LPIPS, join(path, 'model.onnx'));
  const colours = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  await writeFile(
    join(path, 'metric_network.json'),
    JSON.stringify({ kind: 'lpips', name: 'LPIPS (SqueezeNet)', colours }),
  );
  const { lpips, used, close } = await openMetricNetworks({ networks: [path], model: nobody });
  expect(used.find(({ kind }) => kind === 'LPIPS')).toMatchObject({ sha256: reference.sha256 });
  const distance = lpips as Exclude<typeof lpips, string>;
  const side = LPIPS_SIDE_PX;
  for (const { distance: expected, ...drawn } of reference.distances) {
    const [a, b] = drawPair(drawn).map((data) => ({ width: side, height: side, data }));
    expect(await distance(a!, b!)).toBeCloseTo(expected, 5);
  }
  await close();
});
