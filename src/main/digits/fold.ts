// One fold: its training, then paintings of its held-out trials, each judged.

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePng } from '../../imaging/decode.js';
import { type MaskPreset, presetMask } from '../../imaging/mask-shapes.js';
import type { RgbImage } from '../../imaging/types.js';
import { loadBundle } from '../../painter/bundle.js';
import { openPainter, type Painter, paint } from '../../painter/painter.js';
import type { Session } from '../../runtime/session.js';
import { mapRows } from '../../train/rows.js';
import type { DigitsData } from './dataset.js';
import { type Fold, trainFold } from './fold-training.js';
import { judgeDigits } from './judge.js';
import { DIGITS } from './settings.js';
import type { RunOptions, SharedNetworks } from './shared.js';

/** What a held-out trial is painted by: the masks, and another trial's signal under the full mask. */
export const PAINTINGS = ['full', 'half', 'centre', 'shuffled'] as const;
export type PaintingKind = (typeof PAINTINGS)[number];

export interface HeldOutTrial {
  readonly trial: number;
  /** Whose signal the shuffled painting has. */
  readonly donor: number;
  /** What the judge says of each painting: 0 six, 1 nine. */
  readonly judged: Readonly<Record<PaintingKind, number>>;
  /** The adapted signal, [embedding]. */
  readonly adapted: readonly number[];
  readonly outsideMaskDifferentPixels: number;
}

/** The mask of a painting; halves alternate between right and left by trial, the centre is where digits stand. */
export function maskFor(kind: PaintingKind, trial: number): MaskPreset {
  if (kind === 'half')
    return { shape: 'rectangle', left: trial % 2 ? 0 : 0.5, top: 0, width: 0.5, height: 1 };
  if (kind === 'centre')
    return { shape: 'rectangle', left: 0.1875, top: 0.1875, width: 0.625, height: 0.625 };
  return { shape: 'full' };
}

/** The picture of a painting of a finished fold. */
export const paintingPath = (folder: string, trial: number, kind: PaintingKind) =>
  join(folder, `trial-${trial}-${kind}.png`);

/** Paints one held-out trial in every way and has the paintings judged. */
async function paintTrial(
  painter: Painter,
  judge: Session,
  signals: { of: (trial: number) => Float32Array; trial: number; donor: number },
  source: RgbImage,
  folder: string,
): Promise<HeldOutTrial> {
  const { trial, donor } = signals;
  const images: RgbImage[] = [];
  let outsideMaskDifferentPixels = 0;
  for (const kind of PAINTINGS) {
    const mask = presetMask(maskFor(kind, trial), source.width, source.height);
    const signal = signals.of(kind === 'shuffled' ? donor : trial);
    const request = { source, mask, signal, seed: trial, paintings: 1, ...DIGITS.paint };
    for await (const painting of paint(painter, request)) {
      images.push(painting.image);
      outsideMaskDifferentPixels += painting.outsideMaskDifferentPixels;
      await writeFile(paintingPath(folder, trial, kind), await encodePng(painting.image));
    }
  }
  const digits = await judgeDigits(judge, images);
  const judged = Object.fromEntries(PAINTINGS.map((kind, i) => [kind, digits[i]!]));
  const { voxels } = painter.bundle.conventions;
  return {
    trial,
    donor,
    judged: judged as HeldOutTrial['judged'],
    adapted: [...(await mapRows(painter.brainAdapter, signals.of(trial), [voxels]))],
    outsideMaskDifferentPixels,
  };
}

/** Runs a fold, or reads its result where it is finished. */
export async function runFold(
  data: DigitsData,
  shared: SharedNetworks,
  judge: Session,
  fold: Fold,
  run: RunOptions,
): Promise<HeldOutTrial[]> {
  const resultPath = join(run.folder, 'result.json');
  if (existsSync(resultPath)) return JSON.parse(await readFile(resultPath, 'utf8'));
  await mkdir(run.folder, { recursive: true });
  const { bundle, signals } = await trainFold(data, shared, fold, run);
  const painter = await openPainter(await loadBundle(bundle), run.threads ? { threads: run.threads } : {});
  const { voxels } = painter.bundle.conventions;
  const of = (trial: number) => signals.slice(trial * voxels, (trial + 1) * voxels);
  const results: HeldOutTrial[] = [];
  for (const [i, trial] of fold.heldOut.entries()) {
    const source = data.sourceDigits[trial % data.sourceDigits.length]!;
    const donor = fold.donors[i]!;
    results.push(await paintTrial(painter, judge, { of, trial, donor }, source, run.folder));
  }
  await painter.close();
  await writeFile(`${resultPath}.tmp`, JSON.stringify(results));
  await rename(`${resultPath}.tmp`, resultPath);
  return results;
}
