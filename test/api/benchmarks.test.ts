// Benchmarks through the API and against the database: all or nothing, the pairing, retries, the freeze, and the sheets.

import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pairItems } from '../../src/services/benchmark-orders.js';
import { type Lab, startLab } from '../support/lab.js';
import { benchmarkOrder, endJobs, type StudyParts, writeStudyParts } from '../support/study-lab.js';

let lab: Lab;
let parts: StudyParts;
beforeEach(async () => {
  lab = await startLab();
  parts = await writeStudyParts(lab.services, 4);
});
afterEach(async () => lab.close());

interface Shown {
  readonly id: string;
  readonly frozenAt: string | null;
  readonly itemsSha256: string | null;
  readonly progress: Record<string, number>;
  readonly failedJobs: { id: string }[];
  readonly items: {
    position: number;
    stimulus: string;
    sourceImage: { id: string };
    cells: {
      arm: string;
      paintJob: { id: string; method: string; seed: number };
      painting: { id: string } | null;
    }[];
  }[];
  readonly sheetUrl: string;
}
const FIELDS = `id frozenAt itemsSha256 progress { total waiting running succeeded failed } failedJobs { id } sheetUrl
  items { position stimulus sourceImage { id } cells { arm paintJob { id method seed } painting { id } } }`;

async function mutate<T>(name: string, input: object, selection: string) {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const { data, errors } = await lab.send(
    `mutation($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code field message } } }`,
    { input },
  );
  expect(errors).toBeUndefined();
  return data![name] as T & { userErrors: { code: string; field: string; message: string }[] };
}

const input = (more: object = {}) => ({
  name: 'pairs',
  imageIds: parts.imageIds.map((id) => `SourceImage_${id}`),
  signals: parts.trialIds.map((id) => [`Trial_${id}`]),
  seed: 7,
  maskShape: { shape: 'RECTANGLE', left: 0.25, top: 0.25, width: 0.5, height: 0.5 },
  arms: (['BRAIN', 'TWO_STAGE', 'SHUFFLED_BRAIN', 'NO_BRAIN'] as const).map((method) => ({
    name: method.toLowerCase(),
    method,
    modelId: `Model_${parts.modelId}`,
  })),
  ...more,
});
const create = (more: object = {}) =>
  mutate<{ benchmark: Shown | null }>('createBenchmark', input(more), `benchmark { ${FIELDS} }`);
const freeze = (id: string) =>
  mutate<{ benchmark: Shown | null }>('freezeBenchmark', { id }, `benchmark { ${FIELDS} }`);

test('every image gets one signal of its own by the seed, the arms the same noise, and a retry takes its place', async () => {
  const { benchmark, userErrors } = await create();
  expect(userErrors).toEqual([]);
  expect(benchmark!.progress).toEqual({ total: 16, waiting: 16, running: 0, succeeded: 0, failed: 0 });
  const order = benchmarkOrder(parts, { seed: 7 });
  const pairs = pairItems(order);
  expect([...new Set(pairs.map(({ signal }) => signal))].sort()).toEqual([0, 1, 2, 3]);
  expect(pairItems({ ...order, seed: 8 })).not.toEqual(pairs);
  benchmark!.items.forEach((item, position) => {
    expect(item.sourceImage.id).toBe(`SourceImage_${parts.imageIds[position]}`);
    expect(item.stimulus).toBe(`s${pairs[position]!.signal}`);
    expect(new Set(item.cells.map(({ paintJob }) => paintJob.seed))).toEqual(new Set([7 + position]));
    expect(item.cells.map(({ paintJob }) => paintJob.method)).toEqual([
      'BRAIN',
      'TWO_STAGE',
      'SHUFFLED_BRAIN',
      'NO_BRAIN',
    ]);
  });

  const waiting = await freeze(benchmark!.id);
  expect(waiting.userErrors[0]).toMatchObject({ code: 'UNAVAILABLE', field: 'id' });
  await endJobs(lab.services, 2);
  const failed = await freeze(benchmark!.id);
  expect(failed.userErrors[0]).toMatchObject({ code: 'CONFLICT' });
  expect(failed.userErrors[0]!.message).toContain('item 0 by brain');
  const { data } = await lab.send(
    'query($id: ID!) { benchmark(id: $id) { progress { failed } failedJobs { id } } }',
    {
      id: benchmark!.id,
    },
  );
  const { failedJobs } = data!.benchmark as Shown;
  expect(failedJobs).toHaveLength(2);
  const retried = await mutate('retryPaintJobs', { ids: failedJobs.map(({ id }) => id) }, 'batch { id }');
  expect(retried.userErrors).toEqual([]);
  await endJobs(lab.services);
  const frozen = await freeze(benchmark!.id);
  expect(frozen.userErrors).toEqual([]);
  expect(frozen.benchmark!.progress).toMatchObject({ total: 16, succeeded: 16, failed: 0 });
  expect(frozen.benchmark!.itemsSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(frozen.benchmark!.items.every(({ cells }) => cells.every(({ painting }) => painting))).toBe(true);
  expect((await freeze(benchmark!.id)).benchmark!.itemsSha256).toBe(frozen.benchmark!.itemsSha256);

  const { pool } = lab.services.store;
  for (const statement of [
    'UPDATE benchmark_cell SET painting_id = NULL',
    'DELETE FROM benchmark_item',
    "UPDATE benchmark_arm SET name = 'ours'",
    'UPDATE benchmark SET seed = 8',
    'DELETE FROM benchmark',
  ])
    await expect(pool.query(statement)).rejects.toThrow(/is frozen/);
}, 60_000);

test('all or nothing, with the item and arm at fault named', async () => {
  const before = await lab.census();
  const cases: [object, string, string, RegExp][] = [
    [{ signals: [[`Trial_${parts.trialIds[0]}`]] }, 'BAD_INPUT', 'signals', /4 images need 4 signals/],
    [{ arms: [] }, 'BAD_INPUT', 'arms', /one arm/],
    [{ maskIds: [], maskShape: null }, 'BAD_INPUT', 'maskIds', /4 masks/],
    [{ maskShape: null }, 'BAD_INPUT', 'maskIds', /either/],
    [{ maskPolicy: {} }, 'BAD_INPUT', 'maskIds', /either/],
    [{ maskShape: null, maskPolicy: { inpaint: 0.9 } }, 'BAD_INPUT', 'maskPolicy', /add up to 1, not 1.4/],
    [{ maskShape: null, maskPolicy: { inpaint: 1.5, random: -1 } }, 'BAD_INPUT', 'maskPolicy', /0 to 1/],
    [{ maskShape: null, maskPolicy: { fullShare: 2 } }, 'BAD_INPUT', 'maskPolicy', /fullShare/],
    [{ maskShape: null, maskPolicy: { seed: -1 } }, 'BAD_INPUT', 'maskPolicy', /seed/],
    [{ seed: 0.5 }, 'BAD_INPUT', 'seed', /whole number/],
    [{ name: ' ' }, 'BAD_INPUT', 'name', /name/],
  ];
  for (const [more, code, field, message] of cases) {
    const { benchmark, userErrors } = await create(more);
    expect(benchmark).toBeNull();
    expect(userErrors[0]).toMatchObject({ code, field, message: expect.stringMatching(message) });
  }
  expect(await lab.census()).toEqual(before);
  const arms = input().arms;
  const steps = await create({ arms: [arms[0], { ...arms[1], steps: 0 }] });
  expect(steps.userErrors[0]).toMatchObject({
    code: 'BAD_INPUT',
    field: 'steps',
    message: expect.stringMatching(/^item 0, arm two_stage/),
  });
  const after = await lab.census();
  expect([after.paint_job, after.paint_job_batch]).toEqual([before.paint_job, before.paint_job_batch]);
}, 60_000);

test('masks drawn by the paper s modes: seed and place decide, each item keeps its own, and the modes are told', async () => {
  interface Drawn {
    readonly maskPolicy: { sampled: { modes: string[]; probabilities: Record<string, number> } };
    readonly items: { mask: { id: string; shape: string | null; coverage: number } }[];
  }
  const draw = async (more: object) => {
    const selection = 'benchmark { maskPolicy items { mask { id shape coverage } } }';
    const order = input({ maskShape: null, arms: input().arms.slice(0, 1), ...more });
    return (await mutate<{ benchmark: Drawn }>('createBenchmark', order, selection)).benchmark;
  };
  const first = await draw({ maskPolicy: { seed: 3 } });
  const { modes, probabilities } = first.maskPolicy.sampled;
  expect(probabilities).toEqual({ inpaint: 0.5, outpaint: 0.3, random: 0.2 });
  expect(modes).toHaveLength(4);
  expect(first.items.every(({ mask }) => mask.coverage > 0 && mask.shape === null)).toBe(true);
  const again = await draw({ maskPolicy: { seed: 3 } });
  expect(again.items.map(({ mask }) => mask.id)).toEqual(first.items.map(({ mask }) => mask.id));
  const fewer = await draw({
    maskPolicy: { seed: 3 },
    imageIds: input().imageIds.slice(0, 2),
    signals: input().signals.slice(0, 2),
  });
  expect(fewer.items.map(({ mask }) => mask.id)).toEqual(first.items.slice(0, 2).map(({ mask }) => mask.id));
  const other = await draw({ maskPolicy: { seed: 4 } });
  expect(other.items.map(({ mask }) => mask.id)).not.toEqual(first.items.map(({ mask }) => mask.id));
  const whole = await draw({ maskPolicy: { inpaint: 0, outpaint: 0, random: 1, fullShare: 1 } });
  expect(whole.items.map(({ mask }) => mask.coverage)).toEqual([1, 1, 1, 1]);
}, 60_000);

test('a key gives the first benchmark again', async () => {
  const first = await create({ idempotencyKey: 'k' });
  const again = await create({ idempotencyKey: 'k' });
  expect(again.benchmark!.id).toBe(first.benchmark!.id);
  const other = await create({ idempotencyKey: 'k', seed: 9 });
  expect(other.userErrors[0]).toMatchObject({ code: 'CONFLICT', field: 'idempotencyKey' });
}, 60_000);

test('sheets: side by side, one image under many brains, reconstructions of full masks', async () => {
  const { benchmark } = await create({
    pairing: 'CROSSED',
    maskShape: { shape: 'FULL' },
    arms: input().arms.slice(0, 2),
  });
  await endJobs(lab.services);
  const sizes: number[][] = [];
  for (const kind of ['PAIRS', 'BRAINS', 'RECONSTRUCTIONS']) {
    const { data } = await lab.send(
      'query($id: ID!, $kind: BenchmarkSheetKind) { benchmark(id: $id) { sheetUrl(kind: $kind) } }',
      { id: benchmark!.id, kind },
    );
    const response = await fetch(`${lab.url}${(data!.benchmark as Shown).sheetUrl}`);
    expect([kind, response.status]).toEqual([kind, 200]);
    const { width, height } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
    sizes.push([width, height]);
  }
  // Cells of 240 x (180 + 26) with gaps of 12.
  const size = (columns: number, rows: number) => [12 + columns * 252, 12 + rows * 218];
  expect(sizes).toEqual([size(4, 16), size(5, 3), size(3, 16)]);
  expect(
    (await fetch(`${lab.url}/files/benchmarks/${benchmark!.id.slice(10)}/pairs.png?from=99`)).status,
  ).toBe(400);
}, 60_000);
