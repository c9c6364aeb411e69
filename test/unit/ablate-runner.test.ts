// The runner of ablations: what is finished is not done again, what is half done or of other settings is.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bench, Cell, Settings } from '../../src/main/ablate/experiment.js';
import { rowsOverSeeds, runCells } from '../../src/main/ablate/runner.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ablate-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const cell = (name: string, settings: Settings): Cell => ({ name, labels: [name], settings });
const CELLS = [1, 2, 3].map((x) => cell(`cell-${x}`, { x, seed: 1 }));

/** A bench that notes what it measures and fails at one cell. */
function createBench(failAt = '') {
  const measured: string[] = [];
  let opened = 0;
  let closed = 0;
  const open = async (): Promise<Bench> => {
    opened += 1;
    return {
      async measure({ name, settings }, checkpoints) {
        await mkdir(checkpoints, { recursive: true });
        await writeFile(join(checkpoints, 'stage.ckpt'), name);
        if (name === failAt) throw new Error(`${name} fails`);
        measured.push(name);
        return { score: { mean: Number(settings.x) / 10 } };
      },
      async close() {
        closed += 1;
      },
    };
  };
  return { open, measured, counts: () => [opened, closed] };
}

const run = (cells: readonly Cell[], bench: ReturnType<typeof createBench>, experiment = 'signals') =>
  runCells(folder, experiment, cells, bench.open, () => {});

test('goes on after a failure where it stopped, with the broken cell’s checkpoints in place', async () => {
  const first = createBench('cell-2');
  await expect(run(CELLS, first)).rejects.toThrow('cell-2 fails');
  expect(first.measured).toEqual(['cell-1']);
  expect(first.counts()).toEqual([1, 1]);
  expect(existsSync(join(folder, 'signals/cell-2.json'))).toBe(false);
  const second = createBench();
  const results = await run(CELLS, second);
  expect(second.measured).toEqual(['cell-2', 'cell-3']);
  expect(results.map(({ figures }) => figures.score!.mean)).toEqual([0.1, 0.2, 0.3]);
  const third = createBench();
  expect((await run(CELLS, third)).map(({ figures }) => figures.score!.mean)).toEqual([0.1, 0.2, 0.3]);
  expect(third.counts()).toEqual([0, 0]);
});

test('removes the checkpoints of finished cells and keeps those of a broken one', async () => {
  await expect(run(CELLS, createBench('cell-2'))).rejects.toThrow();
  const left = await readdir(join(folder, 'parts'));
  expect(left).toHaveLength(1);
  expect(await readFile(join(folder, 'parts', left[0]!, 'stage.ckpt'), 'utf8')).toBe('cell-2');
  await run(CELLS, createBench());
  expect(await readdir(join(folder, 'parts'))).toEqual([]);
});

test('measures again what has other settings or half a file', async () => {
  await run(CELLS, createBench());
  const changed = [cell('cell-1', { x: 5, seed: 1 }), ...CELLS.slice(1)];
  await writeFile(join(folder, 'signals/cell-2.json'), '{"settings":{"x":2,"se');
  const bench = createBench();
  const results = await run(changed, bench);
  expect(bench.measured).toEqual(['cell-1', 'cell-2']);
  expect(results[0]!.figures.score!.mean).toBe(0.5);
  expect(JSON.parse(await readFile(join(folder, 'signals/cell-1.json'), 'utf8')).settings.x).toBe(5);
});

test('takes a cell of equal settings from another experiment, whatever its name and the order of its keys', async () => {
  await run(CELLS, createBench());
  const bench = createBench();
  const [shared] = await run([cell('same', { seed: 1, x: 2 })], bench, 'trials');
  expect(bench.measured).toEqual([]);
  expect(shared!.figures.score!.mean).toBe(0.2);
  expect(existsSync(join(folder, 'trials/same.json'))).toBe(true);
});

test('rows are means over seeds with their range; one seed keeps its own interval', () => {
  const finished = (mean: number, label: string) => ({
    ...cell(label, {}),
    labels: [label],
    figures: { score: { mean, low: mean - 0.1, high: mean + 0.1 } },
    seconds: 1,
    path: '',
  });
  const rows = rowsOverSeeds([finished(0.25, 'a'), finished(0.75, 'b'), finished(0.75, 'a')]);
  expect(rows[0]).toMatchObject({ seeds: 2, figures: { score: { mean: 0.5, low: 0.25, high: 0.75 } } });
  expect(rows[1]).toMatchObject({ seeds: 1, figures: { score: { mean: 0.75, low: 0.65, high: 0.85 } } });
});
