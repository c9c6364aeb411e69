// Runs the cells of an experiment one by one. A finished cell is a file: an interrupted run goes on with the next.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Bench, Cell, Figure, Figures, FinishedCell, Row, Settings } from './experiment.js';

interface CellFile {
  readonly settings: Settings;
  readonly figures: Figures;
  readonly seconds: number;
}

/** Names the settings; keys may come in any order. */
export function hashSettings(settings: Settings): string {
  const entries = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 12);
}

/** Finished cells of all experiments in `folder` by the hash of their settings; unreadable files do not count. */
async function readFinished(folder: string): Promise<Map<string, CellFile>> {
  const found = new Map<string, CellFile>();
  if (!existsSync(folder)) return found;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.json') || name.split(/[\\/]/).length !== 2) continue;
    try {
      const cell = JSON.parse(await readFile(join(folder, name), 'utf8')) as CellFile;
      if (cell.settings && cell.figures) found.set(hashSettings(cell.settings), cell);
    } catch {
      // Half a file from elsewhere: the cell is measured again.
    }
  }
  return found;
}

async function writeWhole(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.tmp`, content);
  await rename(`${path}.tmp`, path);
}

/**
 * Measures each cell that no finished file of equal settings holds yet (of this or another experiment: they share
 * some), and writes `<folder>/<experiment>/<cell>.json`. `open` is called only when a cell is left.
 */
export async function runCells(
  folder: string,
  experiment: string,
  cells: readonly Cell[],
  open: () => Promise<Bench>,
  say: (line: string) => void,
): Promise<FinishedCell[]> {
  const finished = await readFinished(folder);
  const results: FinishedCell[] = [];
  let bench: Bench | undefined;
  try {
    for (const [i, cell] of cells.entries()) {
      const path = join(folder, experiment, `${cell.name}.json`);
      const hash = hashSettings(cell.settings);
      const place = `${experiment} ${i + 1}/${cells.length} ${cell.name}`;
      let file = finished.get(hash);
      if (file) {
        say(`${place}: done before`);
      } else {
        bench ??= await open();
        say(`${place}: starts`);
        const checkpoints = join(folder, 'parts', hash);
        const started = performance.now();
        const figures = await bench.measure(cell, checkpoints);
        file = { settings: cell.settings, figures, seconds: (performance.now() - started) / 1000 };
        finished.set(hash, file);
        await rm(checkpoints, { recursive: true, force: true });
        say(`${place}: ${file.seconds.toFixed(0)} s`);
      }
      const content = `${JSON.stringify(file, null, 1)}\n`;
      if (!existsSync(path) || (await readFile(path, 'utf8')) !== content) await writeWhole(path, content);
      results.push({ ...cell, figures: file.figures, seconds: file.seconds, path });
    }
  } finally {
    await bench?.close();
  }
  return results;
}

function combine(figures: readonly Figure[]): Figure {
  if (figures.length === 1) return figures[0]!;
  const means = figures.map((figure) => figure.mean);
  return {
    mean: means.reduce((a, x) => a + x, 0) / means.length,
    low: Math.min(...means),
    high: Math.max(...means),
  };
}

/** One row a setting: with one seed its own figures and intervals, with several their mean and their range. */
export function rowsOverSeeds(cells: readonly FinishedCell[]): Row[] {
  const groups = new Map<string, FinishedCell[]>();
  for (const cell of cells) {
    const key = JSON.stringify(cell.labels);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups.values()].map((group) => ({
    labels: group[0]!.labels,
    seeds: group.length,
    figures: Object.fromEntries(
      Object.keys(group[0]!.figures).map((name) => [name, combine(group.map((cell) => cell.figures[name]!))]),
    ),
  }));
}
