// `npm run ablate` as a user runs it: a tiny experiment is killed in the middle, goes on, and ends with its reports.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PROGRAM = ['--import', 'tsx', 'src/main/ablate.ts'];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ablate-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ablate = (...args: string[]) => spawnSync('node', [...PROGRAM, ...args], { encoding: 'utf8' });

const tiny = () =>
  [
    'signals',
    '--stimuli',
    '40',
    '--steps',
    '3',
    '--hidden',
    '16',
    '--held-out',
    '30',
    '--threads',
    '1',
  ].concat('--folder', folder);

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a killed run goes on: finished cells stay, the rest is measured, table, plot and JSON are written', async () => {
  const child = spawn('node', [...PROGRAM, ...tiny()], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const cells = async () =>
    existsSync(join(folder, 'signals'))
      ? (await readdir(join(folder, 'signals'))).filter((name) => name.endsWith('.json'))
      : [];
  await until(async () => (await cells()).length > 0 || child.exitCode !== null);
  child.kill('SIGKILL');
  await ended;
  const before = await cells();
  expect(before.length).toBeGreaterThan(0);
  expect(before.length).toBeLessThan(3);
  expect(existsSync(join(folder, 'signals/plot.svg'))).toBe(false);
  const stamp = statSync(join(folder, 'signals', before[0]!)).mtimeMs;

  const again = ablate(...tiny());
  expect(again.stderr).toContain('signals 1/3 40_real_seed-1: done before');
  expect(again.stderr).toContain('signals 3/3 40_both_seed-1: starts');
  expect(statSync(join(folder, 'signals', before[0]!)).mtimeMs).toBe(stamp);
  expect(again.status).toBe(0);
  const last = JSON.parse(again.stdout.trim().split('\n').at(-1)!);
  expect(last.cells.map((cell: { name: string }) => cell.name)).toEqual([
    '40_real_seed-1',
    '40_pseudo_seed-1',
    '40_both_seed-1',
  ]);
  for (const { figures, path } of last.cells) {
    expect(JSON.parse(await readFile(path, 'utf8')).figures).toEqual(figures);
    expect(figures.identification3.mean).toBeGreaterThan(0);
    expect(figures.identification3.mean).toBeLessThanOrEqual(1);
    expect(figures.kind1.low).toBeLessThanOrEqual(figures.kind1.mean);
  }
  expect(await readFile(last.table, 'utf8')).toContain('| 40 | pseudo |');
  expect((await sharp(last.plot).metadata()).width).toBe(1080);
  // Only the generator's checkpoint is kept, for experiments that share it.
  expect((await readdir(join(folder, 'parts'))).every((name) => name.startsWith('generator-'))).toBe(true);
}, 900_000);

test('bad input is said in a line, without a stack, and nothing is written', () => {
  for (const [args, words] of [
    [['sygnals'], '"sygnals" is none of them'],
    [[], 'name one experiment'],
    [['signals', '--steps', '0'], '--steps must be a whole number'],
    [['signals', '--colour', 'red'], '--colour'],
    [['signals', '--bundle', '/nowhere'], '/nowhere'],
    [['masks', '--width', '12'], '--width must be a multiple of 8'],
  ] as const) {
    const result = ablate(...args, '--folder', join(folder, 'unused'));
    expect(result.stderr).toContain(words);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.status).toBe(1);
  }
  expect(existsSync(join(folder, 'unused'))).toBe(false);
  const list = ablate('--list');
  expect(list.status).toBe(0);
  for (const name of ['signals', 'trials', 'sigma', 'conditioning', 'masks', 'guidance'])
    expect(list.stdout).toContain(name);
}, 300_000);
