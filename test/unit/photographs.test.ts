// Folders of photographs: every picture in them, and a clear word when there is none.

import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPhotographs } from '../../src/main/toy/photographs.js';
import { createRng } from '../../src/random.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-photographs-'));
  await mkdir(join(folder, 'good/deeper'), { recursive: true });
  await mkdir(join(folder, 'empty'));
  const plain = (width: number) => sharp({ create: { width, height: 100, channels: 3, background: 'teal' } });
  await writeFile(join(folder, 'good/a.JPG'), await plain(1024).jpeg().toBuffer());
  await writeFile(join(folder, 'good/deeper/b.png'), await plain(200).png().toBuffer());
  await writeFile(join(folder, 'good/notes.txt'), 'no picture');
  await writeFile(join(folder, 'empty/notes.txt'), 'no picture');
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const read = (names: string[], limit = 10) =>
  readPhotographs(
    names.map((name) => join(folder, name)),
    limit,
    createRng(1),
  );

test('pictures at any depth, at most 512 px a side, at most as many as asked for; no folders, no pictures', async () => {
  const sizes = (await read(['good'])).map(({ width, height }) => `${width}x${height}`);
  expect(sizes.sort()).toEqual(['200x100', '512x50']);
  expect(await read(['good'], 1)).toHaveLength(1);
  expect(await read([])).toEqual([]);
});

test.each([
  ['missing', 'does not exist'],
  ['good/notes.txt', 'is not a folder'],
  ['empty', 'holds no picture'],
])('%s: refused by name, beside a good folder too', async (name, reason) => {
  for (const names of [[name], ['good', name]]) {
    await expect(read(names)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      field: 'photographs',
      message: expect.stringContaining(`${join(folder, name)} ${reason}`),
    });
  }
});

test('a training command says it without a stack, and ends with 1', () => {
  const args = ['--import', 'tsx', 'src/main/train-judge.ts', '--photographs', join(folder, 'empty')];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: '.' });
  expect(status).toBe(1);
  expect(stderr).toContain(`${join(folder, 'empty')} holds no picture`);
  expect(stderr + stdout).not.toMatch(/\bat .*\.ts:\d/);
});
