// The figures of the study's demo: automatic metrics of both benchmarks as a table, and reconstructions.

import { encodePng } from '../../imaging/decode.js';
import { createRng } from '../../random.js';
import type { BenchmarkMetrics } from '../../sdk/benchmarks.js';
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

type Value = BenchmarkMetrics['arms'][number]['values'][number];

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
  const { id } = await mp.benchmarks.create({
    name: 'demo, reconstructions',
    imageIds,
    signals: signals.slice(0, RECONSTRUCTED).map((trials) => [...trials]),
    seed,
    maskShape: { shape: 'FULL' },
    arms: demoArms(modelId, steps),
  });
  await mp.benchmarks.wait(id);
  await mp.benchmarks.freeze(id);
  await mp.benchmarks.measure(id);
  return id;
}

const round = (value: number) => value.toFixed(3).replace(/^-(0\.0+)$/, '$1');

function cell({ mean, interval }: Value): string {
  if (mean === null) return '-';
  return interval ? `${round(mean)} (${round(interval.low)} to ${round(interval.high)})` : round(mean);
}

/** A benchmark's metrics as lines of a table: arms, and the first minus the second, each with its 95 % interval. */
export async function metricTable(mp: MindPainter, id: string, title: string): Promise<string[]> {
  const { arms, differences, networks } = await mp.benchmarks.metrics(id);
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
