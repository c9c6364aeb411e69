// The pure parts of studies: hash chains, pictures without metadata, broken paintings.

import sharp from 'sharp';
import { expect, test } from 'vitest';
import { breakRegion } from '../../src/imaging/break-region.js';
import { encodePng } from '../../src/imaging/decode.js';
import { stripPngMetadata } from '../../src/imaging/png-metadata.js';
import { createRng } from '../../src/random.js';
import {
  type ChainedEvent,
  canonicalJson,
  chainRoot,
  chainStart,
  eventHash,
} from '../../src/services/study-chain.js';
import { noise } from '../support/study-lab.js';

test('canonical JSON is the same however the keys lie, and another for another order of a list', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
  expect(canonicalJson({ a: 'x', b: [{ c: null, d: 1 }] })).toBe(
    canonicalJson({ b: [{ d: 1, c: null }], a: 'x' }),
  );
  expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
});

const event: ChainedEvent = {
  rater: 'r',
  number: 1,
  slot: 's',
  kind: 'RATE',
  answers: [1, 2],
  clientId: 'c',
  responseMs: null,
  consentSha256: 'x',
  at: '2026-01-01T00:00:00.000Z',
};

test('every field of an event, and what came before it, is in its hash', () => {
  const start = chainStart('study', 'r');
  const hash = eventHash(start, event);
  const others: Partial<ChainedEvent>[] = [
    { rater: 'q' },
    { number: 2 },
    { slot: 't' },
    { kind: 'UNDO' },
    { answers: [2, 1] },
    { clientId: 'd' },
    { responseMs: 0 },
    { consentSha256: 'y' },
    { at: '2026-01-01T00:00:00.001Z' },
  ];
  const hashes = [
    hash,
    eventHash(chainStart('other', 'r'), event),
    ...others.map((more) => eventHash(start, { ...event, ...more })),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('the root is over every chain, whatever the order in which they are read', () => {
  const ends = [
    { rater: 'a', events: 2, head: 'h1' },
    { rater: 'b', events: 1, head: 'h2' },
  ];
  const root = chainRoot('study', ends);
  expect(chainRoot('study', [...ends].reverse())).toBe(root);
  expect(chainRoot('study', [...ends, { rater: 'c', events: 0, head: 'h3' }])).toBe(root);
  expect(chainRoot('study', ends.slice(1))).not.toBe(root);
  expect(chainRoot('other', ends)).not.toBe(root);
});

test('a picture without metadata has the same pixels and no text, profile or time', async () => {
  const plain = await encodePng(noise(1));
  const told = await sharp(plain)
    .withMetadata({ density: 300, exif: { IFD0: { ImageDescription: 'arm two-stage, job 7' } } })
    .png()
    .toBuffer();
  expect(told.includes('two-stage')).toBe(true);
  const stripped = stripPngMetadata(told);
  expect(stripped.includes('two-stage')).toBe(false);
  expect(stripped.length).toBeLessThan(told.length);
  expect(await sharp(stripped).raw().toBuffer()).toEqual(await sharp(plain).raw().toBuffer());
  expect(() => stripPngMetadata(told.subarray(0, told.length - 5))).toThrow(/damaged/);
  expect(() => stripPngMetadata(Buffer.from('GIF89a'))).toThrow(/no PNG/);
});

test('a broken painting differs where the mask is, nowhere else, and by the seed', () => {
  const image = noise(2);
  const data = new Uint8Array(32 * 32);
  for (let i = 0; i < data.length; i++) if (i % 32 < 10) data[i] = 255;
  const mask = { width: 32, height: 32, data };
  const broken = breakRegion(image, mask, createRng(3));
  let [inside, outside] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const same = [0, 1, 2].every((k) => broken.data[i * 3 + k] === image.data[i * 3 + k]);
    if (!same && data[i] === 255) inside++;
    if (!same && data[i] !== 255) outside++;
  }
  expect(outside).toBe(0);
  expect(inside).toBeGreaterThan(300);
  expect(breakRegion(image, mask, createRng(3)).data).toEqual(broken.data);
  expect(breakRegion(image, mask, createRng(4)).data).not.toEqual(broken.data);
});
