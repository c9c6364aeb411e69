// Blobs on a real disk: whole or not at all, damage noticed, a full disk said, only what nobody names swept.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openBlobs } from '../../src/store/blobs.js';
import { canMount, mountSmallDisk, unmount } from '../support/small-disk.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mindpainter-blobs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (text: string) => new TextEncoder().encode(text);
/** sha256 of 'abc', FIPS 180-2 appendix B.1. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const pathOf = (hash: string) => join(folder, hash.slice(0, 2), hash);

test('the same bytes are stored once, under their sha256, and come back', async () => {
  const blobs = openBlobs(folder);
  expect(await Promise.all([1, 2, 3, 4].map(() => blobs.put(bytesOf('abc'))))).toEqual([ABC, ABC, ABC, ABC]);
  expect((await blobs.get(ABC)).toString()).toBe('abc');
  expect(readdirSync(join(folder, 'ba'))).toEqual([ABC]);
  expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  expect((await blobs.get(await blobs.put(new Uint8Array()))).length).toBe(0);
});

test('a damaged blob is refused; sending a truncated one again mends it', async () => {
  const blobs = openBlobs(folder);
  await blobs.put(bytesOf('abc'));
  writeFileSync(pathOf(ABC), 'abd');
  await expect(blobs.get(ABC)).rejects.toMatchObject({ code: 'CORRUPT' });
  truncateSync(pathOf(ABC), 1);
  await blobs.put(bytesOf('abc'));
  expect((await blobs.get(ABC)).toString()).toBe('abc');
});

test('names that are no hashes reach no file', async () => {
  writeFileSync(join(folder, 'secret'), 'x');
  for (const name of ['../secret', 'secret', ABC.toUpperCase(), `${ABC}/../../secret`, '', ABC]) {
    await expect(openBlobs(folder).get(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('a sweep takes what is old and named by nobody, and what a killed write left', async () => {
  const blobs = openBlobs(folder);
  const [named, old, young] = [
    await blobs.put(bytesOf('named')),
    await blobs.put(bytesOf('old')),
    await blobs.put(bytesOf('young')),
  ];
  const again = await blobs.put(bytesOf('stored again'));
  for (const name of ['old', 'young']) writeFileSync(join(folder, 'incoming', name), 'part');
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const path of [pathOf(named), pathOf(old), pathOf(again), join(folder, 'incoming/old')])
    utimesSync(path, longAgo, longAgo);
  await blobs.put(bytesOf('stored again'));
  const asked: string[] = [];
  const removed = await blobs.sweep(async (hashes) => {
    asked.push(...hashes);
    return hashes.filter((hash) => hash === named);
  }, 60_000);
  expect(asked.sort()).toEqual([named, old, young, again].sort());
  expect(removed).toBe(2);
  await expect(blobs.get(old)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  for (const hash of [named, young, again]) await blobs.get(hash);
  expect(readdirSync(join(folder, 'incoming'))).toEqual(['young']);
  expect(await openBlobs(join(folder, 'never-made')).sweep(async () => [], 0)).toBe(0);
});

test.skipIf(!canMount)('a full disk is said, leaves no part behind, and spares what is there', async () => {
  const small = join(folder, 'small');
  mkdirSync(small);
  mountSmallDisk(small, '64k');
  try {
    const blobs = openBlobs(small);
    await blobs.put(bytesOf('abc'));
    await expect(blobs.put(new Uint8Array(200_000))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(readdirSync(join(small, 'incoming'))).toEqual([]);
    expect((await blobs.get(ABC)).toString()).toBe('abc');
    await blobs.put(new Uint8Array(8000));
  } finally {
    unmount(small);
  }
});
