// Automatic metrics through the API: asked for, measured by a worker of its own, killed on the way, read, and kept as they were.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { decodeRgb, encodePng } from '../../src/imaging/decode.js';
import type { RgbImage } from '../../src/imaging/types.js';
import { type MeasuringDeps, runMeasurement } from '../../src/jobs/measure.js';
import { describeBundle } from '../../src/main/platform.js';
import { createInferenceProcess } from '../../src/runtime/inference-process.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import { uploadImage } from '../../src/services/images.js';
import { linkStimuli } from '../../src/services/stimuli.js';
import { createStudy } from '../../src/services/study-creation.js';
import { type Lab, startLab } from '../support/lab.js';
import { writeDistanceNetwork, writePixelNetwork } from '../support/metric-networks.js';
import { benchmarkOrder, noise, type StudyParts, writeStudyParts } from '../support/study-lab.js';
import { mutate } from '../support/study-raters.js';
import { writeTinyBundle } from '../support/tiny-bundle.js';

const COUNT = 8;
const CHILD = fileURLToPath(new URL('../../src/main/measuring-child.ts', import.meta.url));
let lab: Lab;
let parts: StudyParts;
let networks: { pixels: string; distance: string };
const workers = new Set<ChildProcess>();

beforeAll(async () => {
  lab = await startLab();
  parts = await writeStudyParts(lab.services, COUNT);
  const folder = join(lab.folder, 'bundle');
  await writeTinyBundle(folder);
  const { hash } = await describeBundle(folder);
  await lab.services.store.prisma.model.update({ where: { id: parts.modelId }, data: { folder, hash } });
  networks = {
    pixels: await writePixelNetwork(join(lab.folder, 'pixels')),
    distance: await writeDistanceNetwork(join(lab.folder, 'distance')),
  };
}, 90_000);
afterAll(async () => {
  for (const worker of workers) await stop(worker, 'SIGKILL');
  await lab?.close();
}, 30_000);

/** Runs what waits as a worker's handler does, with its own child, in this process: a worker takes long to start. */
async function measureHere(...metricNetworks: string[]): Promise<void> {
  const { id } = await lab.services.store.prisma.benchmarkMeasurement.findFirstOrThrow({
    where: { finishedAt: null },
  });
  const deps: MeasuringDeps = {
    blobFolder: join(lab.folder, 'blobs'),
    networks: metricNetworks,
    openChild: () => createInferenceProcess(CHILD),
    codeVersion: async () => ({ version: 'of the tests' }),
  };
  await runMeasurement(lab.services, deps, id, new AbortController().signal, async () => {});
}

async function startWorker(...metricNetworks: string[]): Promise<ChildProcess> {
  const worker = spawn(process.execPath, ['--import', 'tsx', 'src/main/worker.ts'], {
    env: {
      ...process.env,
      DATABASE_URL: lab.databaseUrl,
      MINDPAINTER_DATA_DIR: lab.folder,
      MINDPAINTER_METRIC_NETWORKS: metricNetworks.join(),
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.add(worker);
  await once(worker.stdout!, 'data');
  return worker;
}
async function stop(worker: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  workers.delete(worker);
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.kill(signal);
  await once(worker, 'exit');
}

interface Value {
  readonly metric: string;
  readonly items: number;
  readonly mean: number | null;
  readonly interval: { low: number; high: number } | null;
  readonly undefinedReason: string | null;
}
interface Metrics {
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly items: number | null;
  readonly withdrawnItems: number | null;
  readonly seed: number;
  readonly resampled: string | null;
  readonly arms: { arm: string; values: Value[] }[];
  readonly differences: { first: string; second: string; values: Value[] }[];
  readonly networks: { kind: string; name: string; sha256: string; ofPainter: boolean }[];
  readonly provenance: { itemsSha256: string; stimuli: Record<string, string> } | null;
  readonly itemValues: { position: number; arm: string; values: Record<string, number | string> }[] | null;
  readonly error: { code: string; message: string } | null;
  readonly createdAt: string;
}
const METRICS = `state done total items withdrawnItems seed resampled resamples confidence
  arms { arm values { metric items mean interval { low high } bcaInterval { low high } undefinedReason } }
  differences { first second values { metric items mean interval { low high } undefinedReason } }
  networks { kind name sha256 about ofPainter } provenance itemValues error { code message } createdAt finishedAt`;

async function read(id: string): Promise<{ metrics: Metrics | null; measurements: Metrics[] }> {
  const { data, errors } = await lab.send(
    `query($id: ID!) { benchmark(id: $id) { metrics { ${METRICS} } measurements { ${METRICS} } } }`,
    { id },
  );
  expect(errors).toBeUndefined();
  return data!.benchmark as { metrics: Metrics | null; measurements: Metrics[] };
}
const ask = (id: string, more: object = {}) =>
  mutate<{ benchmark: { id: string } | null }>(
    lab,
    'measureBenchmark',
    { id, ...more },
    `benchmark { id metrics { state } }`,
  );
async function ended(id: string): Promise<Metrics> {
  for (const end = Date.now() + 120_000; ; await new Promise((done) => setTimeout(done, 100))) {
    const { metrics } = await read(id);
    if (metrics?.state === 'SUCCEEDED' || metrics?.state === 'FAILED') return metrics;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify({ ...metrics, itemValues: null })}`);
  }
}
const figure = (values: readonly Value[], metric: string) => values.find((one) => one.metric === metric)!;

/** What an arm paints: what was seen or noise, in the mask alone or, of one item, a little beyond. */
type Paint = (seen: RgbImage, place: number, arm: string) => RgbImage;
const paint: Paint = (seen, place, arm) => (arm === 'mindpainter' ? seen : noise(9000 + place));

/** A benchmark whose paintings are made here, frozen: item i paints picture i. */
async function makeBenchmark(more: Parameters<typeof benchmarkOrder>[1] = {}, leak = false): Promise<string> {
  const { services } = lab;
  const { prisma } = services.store;
  const { id } = await createBenchmark(services, benchmarkOrder(parts, more), { submittedBy: 'test' });
  const items = await prisma.benchmarkItem.findMany({
    where: { benchmarkId: id },
    include: { image: true, mask: true, cells: { include: { arm: true } } },
    orderBy: { position: 'asc' },
  });
  const pictureOf = async (sha256: string) => decodeRgb(await services.blobs.get(sha256), 'picture');
  for (const { position, image, mask, stimulus, cells } of items) {
    const source = await pictureOf(image.pngSha256);
    const editable = await services.blobs.get(mask.sha256);
    const seen = stimulus ? noise(1000 + Number(stimulus.slice(1))) : source;
    for (const { arm, jobId } of cells) {
      const painted = paint(seen, position, arm.name);
      const data = source.data.map((value, i) =>
        editable[Math.floor(i / 3)] === 255 ? painted.data[i]! : value,
      );
      if (leak && position === 0 && arm.name === 'two-stage') data[0]! ^= 1;
      const pngSha256 = await services.blobs.put(await encodePng({ ...source, data }));
      await prisma.paintJob.update({
        where: { id: jobId },
        data: { state: 'SUCCEEDED', finishedAt: new Date() },
      });
      const outsideMaskDifferentPixels = 0;
      await prisma.painting.create({
        data: { jobId, index: 0, pngSha256, thumbnailSha256: pngSha256, outsideMaskDifferentPixels },
      });
    }
  }
  return `Benchmark_${(await freezeBenchmark(services, id)).id}`;
}

const WHOLE = { masks: { preset: { shape: 'full' } } } as const;

test('each metric is what the paintings make it, with intervals, differences, and the networks declared', async () => {
  const id = await makeBenchmark({}, true);
  const asked = await ask(id, { seed: 5 });
  expect(asked).toMatchObject({ userErrors: [], benchmark: { metrics: { state: 'QUEUED' } } });
  // Asked again while it waits, it is the same one.
  await ask(id, { seed: 6 });
  expect((await read(id)).measurements).toHaveLength(1);
  await measureHere(networks.pixels, networks.distance);
  const metrics = await ended(id);
  expect(metrics).toMatchObject({
    state: 'SUCCEEDED',
    done: 2 * COUNT,
    total: 2 * COUNT,
    items: COUNT,
    withdrawnItems: 0,
    seed: 5,
    resampled: 'ITEMS',
    error: null,
  });
  expect(metrics.networks).toMatchObject([
    { kind: 'EMBEDDING', name: 'pixels', ofPainter: false, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { kind: 'LPIPS', name: 'mean difference', ofPainter: false },
  ]);
  expect(Object.keys(metrics.provenance!.stimuli)).toHaveLength(COUNT);
  const [ours, other] = metrics.arms;
  expect([ours!.arm, other!.arm]).toEqual(['mindpainter', 'two-stage']);
  // One arm shows the middle of what was seen, the other noise.
  expect(figure(ours!.values, 'OUTSIDE_DIFFERENT_PIXELS')).toMatchObject({ mean: 0, items: COUNT });
  expect(figure(ours!.values, 'LPIPS_OUTSIDE_MASK').mean).toBe(0);
  expect(figure(other!.values, 'OUTSIDE_DIFFERENT_PIXELS').mean).toBeCloseTo(1 / COUNT, 12);
  expect(figure(other!.values, 'LPIPS_OUTSIDE_MASK').mean).toBeGreaterThan(0);
  for (const metric of ['PIX_CORR', 'SSIM', 'LPIPS_RECONSTRUCTION'])
    expect(figure(ours!.values, metric)).toMatchObject({
      mean: null,
      interval: null,
      items: 0,
      undefinedReason: expect.stringMatching(/no item is painted whole/),
    });
  for (const { values } of metrics.arms) {
    const { mean, interval } = figure(values, 'TWO_WAY_IDENTIFICATION');
    expect(interval!.low).toBeLessThanOrEqual(mean!);
    expect(interval!.high).toBeGreaterThanOrEqual(mean!);
  }
  // Means and differences are those of the items.
  const own = (arm: string, metric: string) =>
    metrics.itemValues!.filter((one) => one.arm === arm).map(({ values }) => values[metric] as number);
  const mean = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
  for (const metric of ['TWO_WAY_IDENTIFICATION', 'EMBEDDING_SIMILARITY', 'BOUNDARY_BAND_ERROR']) {
    const [a, b] = [own('mindpainter', metric), own('two-stage', metric)];
    expect(figure(ours!.values, metric).mean).toBeCloseTo(mean(a), 12);
    const difference = figure(metrics.differences[0]!.values, metric);
    expect(difference.mean).toBeCloseTo(mean(a.map((value, i) => value - b[i]!)), 12);
    expect(difference.interval!.low).toBeLessThan(difference.interval!.high);
  }
  const { pool } = lab.services.store;
  for (const statement of [
    'UPDATE benchmark_measurement SET results = NULL',
    'DELETE FROM benchmark_measurement',
    'UPDATE benchmark_value SET measured = NULL',
    'INSERT INTO benchmark_value SELECT measurement_id, item_id, arm_id, measured FROM benchmark_value',
  ])
    await expect(pool.query(statement)).rejects.toThrow(/stands as it was made|append-only/);
}, 150_000);

test('whole pictures: the picture seen itself has SSIM, PixCorr and identification of 1, and no outside', async () => {
  const id = await makeBenchmark(WHOLE);
  await ask(id);
  await measureHere(networks.pixels, networks.distance);
  const { arms, state } = await ended(id);
  expect(state).toBe('SUCCEEDED');
  const [ours, other] = arms;
  for (const metric of ['SSIM', 'PIX_CORR', 'TWO_WAY_IDENTIFICATION', 'EMBEDDING_SIMILARITY'])
    expect(figure(ours!.values, metric).mean, metric).toBeCloseTo(1, 6);
  expect(figure(ours!.values, 'LPIPS_RECONSTRUCTION').mean).toBe(0);
  expect(Math.abs(figure(other!.values, 'PIX_CORR').mean!)).toBeLessThan(0.1);
  expect(figure(other!.values, 'LPIPS_RECONSTRUCTION').mean).toBeGreaterThan(0.2);
  expect(figure(ours!.values, 'OUTSIDE_DIFFERENT_PIXELS').undefinedReason).toMatch(
    /every item is painted whole/,
  );
}, 150_000);

test('a worker killed while it measures: what was measured stays, and the figures are those of an unbroken run', async () => {
  const id = await makeBenchmark({ ...WHOLE, pairing: 'CROSSED', imageIds: parts.imageIds.slice(0, 3) });
  await ask(id, { seed: 1 });
  const first = await startWorker(networks.pixels);
  const { pool } = lab.services.store;
  const rows = async () =>
    (
      await pool.query(
        `SELECT value.* FROM benchmark_value AS value JOIN benchmark_measurement AS m ON m.id = value.measurement_id
         WHERE m.finished_at IS NULL ORDER BY value.item_id, value.arm_id`,
      )
    ).rows;
  while ((await rows()).length === 0) await new Promise((done) => setTimeout(done, 20));
  await stop(first, 'SIGKILL');
  const before = await rows();
  expect(before.length).toBeLessThan(3 * COUNT * 2);
  const second = await startWorker(networks.pixels);
  const broken = await ended(id);
  expect(broken).toMatchObject({
    state: 'SUCCEEDED',
    done: 3 * COUNT * 2,
    total: 3 * COUNT * 2,
    resampled: 'PICTURES_AND_SIGNALS',
  });
  await stop(second);
  await ask(id, { seed: 1 });
  await measureHere(networks.pixels);
  const unbroken = await ended(id);
  expect(unbroken.createdAt).not.toBe(broken.createdAt);
  for (const part of ['arms', 'differences', 'itemValues', 'networks'] as const)
    expect(unbroken[part]).toEqual(broken[part]);
  expect((await read(id)).measurements).toHaveLength(2);
}, 240_000);

test('without networks: the painter s own encoder is used and named so, LPIPS has no value, and neither has what was never linked', async () => {
  const id = await makeBenchmark();
  const { prisma } = lab.services.store;
  await prisma.stimulus.deleteMany({ where: { name: { in: ['s3', 's4'] } } });
  await ask(id);
  await measureHere();
  const { arms, networks: used, state } = await ended(id);
  expect(state).toBe('SUCCEEDED');
  expect(used).toMatchObject([{ kind: 'EMBEDDING', name: 'image encoder of none', ofPainter: true }]);
  const { values } = arms[0]!;
  expect(figure(values, 'LPIPS_OUTSIDE_MASK').undefinedReason).toMatch(
    /8 of 8 items: no LPIPS network is at hand; name one in MINDPAINTER_METRIC_NETWORKS/,
  );
  for (const metric of ['TWO_WAY_IDENTIFICATION', 'EMBEDDING_SIMILARITY'])
    expect(figure(values, metric)).toMatchObject({
      mean: null,
      items: COUNT,
      undefinedReason:
        '2 of 8 items: no picture is linked to the stimulus; link it with linkStimuli and measure again',
    });
  expect(figure(values, 'OUTSIDE_DIFFERENT_PIXELS').mean).toBe(0);
  // Linked and measured again: a result of its own beside the first.
  const images = [];
  for (const name of ['s3', 's4'])
    images.push({
      name,
      imageId: (await uploadImage(lab.services, await encodePng(noise(1000 + Number(name[1]))))).id,
    });
  await linkStimuli(lab.services, { stimuli: images, replace: false });
  await ask(id);
  await measureHere();
  const again = await ended(id);
  expect(figure(again.arms[0]!.values, 'TWO_WAY_IDENTIFICATION').mean).toBeGreaterThan(0.5);
  expect(
    (await read(id)).measurements.map(({ arms }) => figure(arms[0]!.values, 'EMBEDDING_SIMILARITY').mean),
  ).toEqual([expect.any(Number), null]);
}, 200_000);

test('what cannot be measured says what to mend', async () => {
  const { services } = lab;
  const { id } = await createBenchmark(services, benchmarkOrder(parts), { submittedBy: 'test' });
  const [open, unknown] = [`Benchmark_${id}`, `Benchmark_${parts.modelId}`];
  for (const [input, code, field, message] of [
    [{ id: open }, 'CONFLICT', 'id', /freeze it first/],
    [{ id: unknown }, 'NOT_FOUND', 'id', /no such benchmark/],
    [{ id: open, seed: 0.5 }, 'BAD_INPUT', 'seed', /whole number/],
  ] as const) {
    const { benchmark, userErrors } = await ask(input.id, input);
    expect(benchmark).toBeNull();
    expect(userErrors[0]).toMatchObject({ code, field, message: expect.stringMatching(message) });
  }
  expect((await read(open)).metrics).toBeNull();

  const frozen = await makeBenchmark();
  await ask(frozen);
  await measureHere(join(lab.folder, 'nowhere'));
  const { state, error, arms } = await ended(frozen);
  expect({ state, arms }).toEqual({ state: 'FAILED', arms: [] });
  expect(error).toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/nowhere has no metric_network.json/),
  });
}, 150_000);

test('while a study of it is sealed no figure of a single painting is told, and after a withdrawal none at all', async () => {
  const id = await makeBenchmark();
  await ask(id);
  await measureHere(networks.pixels);
  const before = await ended(id);
  expect(before.itemValues).toHaveLength(2 * COUNT);
  // How far all of them are is one statement.
  const driver = vi.spyOn(pg.Client.prototype, 'query');
  await lab.send(
    'query($id: ID!) { benchmark(id: $id) { metrics { done total } measurements { done total } } }',
    { id },
  );
  const texts = driver.mock.calls.map(([query]) => String((query as { text?: string }).text ?? query));
  driver.mockRestore();
  expect(texts.filter((text) => text.includes('benchmark_value'))).toHaveLength(1);
  const key = id.slice('Benchmark_'.length);
  const study = await createStudy(lab.services, { name: 'sealed', benchmarkId: key, raters: 2 });
  const { metrics } = await read(id);
  expect(metrics!.itemValues).toBeNull();
  expect(metrics!.arms).toEqual(before.arms);
  const { pool } = lab.services.store;
  await pool.query('DELETE FROM study_picture; DELETE FROM study_slot; DELETE FROM study_seat');
  await pool.query('DELETE FROM study WHERE id = $1', [study.id]);
  expect((await read(id)).metrics!.itemValues).toEqual(before.itemValues);

  // One under way then is not waited for: what it will find is not shown.
  await ask(id);
  await pool.query(
    `UPDATE paint_job SET withdrawn_at = clock_timestamp() WHERE id IN
       (SELECT job_id FROM benchmark_cell WHERE benchmark_id = $1 LIMIT 1)`,
    [key],
  );
  expect((await read(id)).metrics).toBeNull();
  await ask(id);
  await measureHere(networks.pixels);
  const after = await ended(id);
  expect((await read(id)).measurements).toHaveLength(1);
  expect(after).toMatchObject({
    items: COUNT - 1,
    withdrawnItems: 1,
    total: 2 * COUNT - 2,
    done: 2 * COUNT - 2,
  });
}, 150_000);
