// A diffusion pool as a file, so that a resumed run does not encode its pictures again.

import { existsSync } from 'node:fs';
import type { DiffusionPool } from './diffusion-pool.js';
import { bytesOf, readParts, writeParts } from './parts-file.js';

const PARTS = ['latents', 'maskedLatents', 'keep', 'embeddings'] as const;
type Part = (typeof PARTS)[number];

/** The pool in a file; undefined for a torn one, as a power cut leaves it. */
async function readPool(path: string): Promise<DiffusionPool | undefined> {
  return readParts(path, async (file) => {
    if (file.sizeBytes < 4) return undefined;
    const headLength = (await file.read(Buffer.alloc(4))).readUInt32LE(0);
    if (file.sizeBytes < 4 + headLength) return undefined;
    const head = parseHead((await file.read(Buffer.alloc(headLength))).toString());
    if (!head) return undefined;
    const { lengths, ...facts } = head;
    const floats = PARTS.reduce((sum, name) => sum + lengths[name], 0);
    if (file.sizeBytes !== 4 + headLength + 4 * floats) return undefined;
    const parts = {} as Record<Part, Float32Array>;
    for (const name of PARTS) parts[name] = await file.read(new Float32Array(lengths[name]));
    return { ...facts, ...parts };
  });
}

type Head = Pick<DiffusionPool, 'count' | 'geometry' | 'scale'> & {
  readonly lengths: Readonly<Record<Part, number>>;
};

function parseHead(text: string): Head | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The pool of an earlier run from its file, or a new one that is then kept there. */
export async function cachedPool(path: string, build: () => Promise<DiffusionPool>): Promise<DiffusionPool> {
  const kept = existsSync(path) ? await readPool(path) : undefined;
  if (kept) return kept;
  const pool = await build();
  const { count, geometry, scale } = pool;
  const lengths = Object.fromEntries(PARTS.map((name) => [name, pool[name].length]));
  const head = Buffer.from(JSON.stringify({ count, geometry, scale, lengths }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  await writeParts(path, [length, head, ...PARTS.map((name) => bytesOf(pool[name]))]);
  return pool;
}
