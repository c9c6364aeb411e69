// A diffusion pool as a file, so that a resumed run does not encode its pictures again.

import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { DiffusionPool } from './diffusion-pool.js';

const PARTS = ['latents', 'maskedLatents', 'keep', 'embeddings'] as const;

async function readPool(path: string): Promise<DiffusionPool> {
  const bytes = await readFile(path);
  const headLength = bytes.readUInt32LE(0);
  const head = JSON.parse(bytes.subarray(4, 4 + headLength).toString());
  let at = 4 + headLength;
  const parts = PARTS.map((name) => {
    const part = new Float32Array(head.lengths[name]);
    bytes.copy(Buffer.from(part.buffer), 0, at, at + part.byteLength);
    at += part.byteLength;
    return [name, part] as const;
  });
  if (at !== bytes.length) throw new Error(`${path} is truncated or has extra bytes; remove it`);
  const { count, geometry, scale } = head;
  return {
    count,
    geometry,
    scale,
    ...(Object.fromEntries(parts) as Record<(typeof PARTS)[number], Float32Array>),
  };
}

/** The pool of an earlier run from its file, or a new one that is then kept there. */
export async function cachedPool(path: string, build: () => Promise<DiffusionPool>): Promise<DiffusionPool> {
  if (existsSync(path)) return readPool(path);
  const pool = await build();
  const { count, geometry, scale } = pool;
  const lengths = Object.fromEntries(PARTS.map((name) => [name, pool[name].length]));
  const head = Buffer.from(JSON.stringify({ count, geometry, scale, lengths }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  const parts = PARTS.map((name) =>
    Buffer.from(pool[name].buffer, pool[name].byteOffset, pool[name].byteLength),
  );
  await writeFile(`${path}.tmp`, Buffer.concat([length, head, ...parts]));
  await rename(`${path}.tmp`, path);
  return pool;
}
