// The figures of the study's demo: automatic metrics of both benchmarks as a table, and the sheets with what was seen.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodePng } from '../../imaging/decode.js';
import { createRng } from '../../random.js';
import type { MindPainter } from '../../sdk/client.js';
import { drawPhotographSizeScene, PLACES } from '../../toy/photograph-scene.js';
import type { StudyLab } from './study-parts.js';

/** Of the demo's arms: how many denoising steps they take. */
export const demoArms = (modelId: string, steps: number) => [
  { name: 'mindpainter', method: 'BRAIN' as const, modelId, steps },
  { name: 'two-stage', method: 'TWO_STAGE' as const, modelId, steps },
];

/** Signals that are also painted over whole pictures: the rows of a sheet. */
const RECONSTRUCTED = 20;

interface Value {
  readonly metric: string;
  readonly items: number;
  readonly mean: number | null;
  readonly interval: { readonly low: number; readonly high: number } | null;
  readonly undefinedReason: string | null;
}
interface Metrics {
  readonly state: string;
  readonly error: { readonly message: string } | null;
  readonly networks: readonly { readonly kind: string; readonly name: string; readonly sha256: string }[];
  readonly arms: readonly { readonly arm: string; readonly values: readonly Value[] }[];
  readonly differences: readonly { readonly values: readonly Value[] }[];
}
const VALUES = 'values { metric items mean interval { low high } undefinedReason }';
const METRICS = `metrics { state error { message } networks { kind name sha256 } arms { arm ${VALUES} } differences { ${VALUES} } }`;

type Payload<K extends string> = {
  readonly [P in K]: { readonly userErrors: readonly { message: string }[] };
};

async function act<T>(mp: MindPainter, name: string, input: object, selection: string): Promise<T> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { message } } }`;
  const payload = (await mp.query<Payload<string>>(document, { input }))[name]!;
  const [refused] = payload.userErrors;
  if (refused) throw new Error(refused.message);
  return payload as T;
}

/** Starts to measure a frozen benchmark. */
export async function startMeasuring(mp: MindPainter, id: string): Promise<void> {
  await act(mp, 'measureBenchmark', { id }, 'benchmark { id }');
}

async function measured(mp: MindPainter, id: string): Promise<Metrics> {
  for (;;) {
    const { benchmark } = await mp.query<{ benchmark: { metrics: Metrics } }>(
      `query($id: ID!) { benchmark(id: $id) { ${METRICS} } }`,
      { id },
    );
    const { state, error } = benchmark.metrics;
    if (state === 'SUCCEEDED') return benchmark.metrics;
    if (state === 'FAILED') throw new Error(error!.message);
    await sleep(500);
  }
}

/** Paints the first signals over whole square pictures, as reconstructions, and starts to measure them. */
export async function paintReconstructions(
  mp: MindPainter,
  { signals, modelId }: StudyLab,
  { steps, seed }: { readonly steps: number; readonly seed: number },
): Promise<string> {
  const imageIds: string[] = [];
  for (let i = 0; i < RECONSTRUCTED; i++) {
    const canvas = drawPhotographSizeScene(createRng(7500 + i), 192, 192, PLACES[i % PLACES.length]!);
    imageIds.push((await mp.images.upload(await encodePng(canvas))).id);
  }
  const order = {
    name: 'demo, reconstructions',
    imageIds,
    signals: signals.slice(0, RECONSTRUCTED),
    seed,
    maskShape: { shape: 'FULL' },
    arms: demoArms(modelId, steps),
  };
  type Made = { readonly benchmark: { readonly id: string } };
  const { id } = (await act<Made>(mp, 'createBenchmark', order, 'benchmark { id }')).benchmark;
  for (;;) {
    const { benchmark } = await mp.query<{ benchmark: { progress: { waiting: number; running: number } } }>(
      'query($id: ID!) { benchmark(id: $id) { progress { waiting running } } }',
      { id },
    );
    if (benchmark.progress.waiting + benchmark.progress.running === 0) break;
    await sleep(500);
  }
  await act(mp, 'freezeBenchmark', { id }, 'benchmark { id }');
  await startMeasuring(mp, id);
  return id;
}

/** Saves a figure sheet of a benchmark. */
export async function saveSheet(
  mp: MindPainter,
  id: string,
  kind: 'PAIRS' | 'RECONSTRUCTIONS',
  folder: string,
): Promise<void> {
  const { benchmark } = await mp.query<{ benchmark: { sheetUrl: string } }>(
    'query($id: ID!, $kind: BenchmarkSheetKind!) { benchmark(id: $id) { sheetUrl(kind: $kind) } }',
    { id, kind },
  );
  await mp.downloads.save(benchmark.sheetUrl, join(folder, `${kind.toLowerCase()}.png`));
}

const round = (value: number) => value.toFixed(3).replace(/^-(0\.0+)$/, '$1');

function cell({ mean, interval }: Value): string {
  if (mean === null) return '-';
  return interval ? `${round(mean)} (${round(interval.low)} to ${round(interval.high)})` : round(mean);
}

/** A benchmark's metrics as lines of a table: arms, and the first minus the second, each with its 95 % interval. */
export async function metricTable(mp: MindPainter, id: string, title: string): Promise<string[]> {
  const { arms, differences, networks } = await measured(mp, id);
  const [difference] = differences;
  const rows = [
    [title, 'items', ...arms.map(({ arm }) => arm), 'difference'],
    ...arms[0]!.values.flatMap((value, i) =>
      value.items === 0
        ? []
        : [
            [
              value.metric.toLowerCase().replaceAll('_', ' '),
              String(value.items),
              ...arms.map(({ values }) => cell(values[i]!)),
              cell(difference!.values[i]!),
            ],
          ],
    ),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const reasons = arms[0]!.values.flatMap(({ items, undefinedReason }) =>
    items > 0 && undefinedReason ? [`- ${undefinedReason}`] : [],
  );
  return [
    ...rows.map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    ),
    ...new Set(reasons),
    ...networks.map(({ kind, name, sha256 }) => `${kind}: ${name}, sha256 ${sha256}`),
  ];
}
