// PNG without what is no pixel: text, time, profiles and whatever else an encoder or a program wrote beside the picture.

import { AppError } from '../errors.js';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Chunks without which the pixels could not be shown as they are. */
const KEPT = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/** Names and bytes (length, name, data, checksum) of the chunks. Throws AppError CORRUPT. */
function* chunksOf(png: Buffer): Generator<{ name: string; bytes: Buffer }> {
  let at = SIGNATURE.length;
  while (at + 12 <= png.length) {
    const end = at + 12 + png.readUInt32BE(at);
    if (end > png.length) break;
    yield { name: png.toString('latin1', at + 4, at + 8), bytes: png.subarray(at, end) };
    at = end;
  }
  if (at !== png.length) throw new AppError('CORRUPT', 'the picture is damaged');
}

/** The same pixels, bit for bit, and nothing else. Throws AppError CORRUPT for what is no whole PNG. */
export function stripPngMetadata(png: Buffer): Buffer {
  if (!png.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw new AppError('CORRUPT', 'this is no PNG');
  const kept = [...chunksOf(png)].filter(({ name }) => KEPT.has(name)).map(({ bytes }) => bytes);
  return Buffer.concat([SIGNATURE, ...kept]);
}
