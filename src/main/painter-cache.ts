// The painters that an inference child holds open: those at work, the one used last, and others while all are small.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, loadBundle } from '../painter/bundle.js';
import { openPainter, type Painter } from '../painter/painter.js';
import { type ExemplarEncoder, openExemplarEncoder } from '../painter/two-stage.js';
import { onDemand } from '../runtime/opening.js';

/** Files of idle models that stay open: many toys, or one model of full size, of which two would fill the memory. */
const KEPT_BYTES = 1e9;

export interface OpenModel {
  readonly painter: Painter;
  /** Opened at the first two-stage job: most never need it. */
  exemplarEncoder(): Promise<ExemplarEncoder>;
}

interface Entry {
  readonly opening: Promise<OpenModel & { close(): Promise<void> }>;
  sizeBytes: number;
  users: number;
}

async function sizeOf({ folder, conventions }: Bundle): Promise<number> {
  const names = Object.keys(conventions.files);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** A cache of painters by their bundles' hashes; `open` opens one. */
export function createPainterCache({ keptBytes = KEPT_BYTES, open = openPainter } = {}) {
  /** The one used last stands last. */
  const entries = new Map<string, Entry>();

  /** Closes what has no user, the oldest first, until the rest is small; never the one used last. */
  async function closeIdle(): Promise<void> {
    let total = [...entries.values()].reduce((sum, entry) => sum + entry.sizeBytes, 0);
    for (const [hash, entry] of [...entries].slice(0, -1)) {
      if (total <= keptBytes) return;
      if (entry.users > 0 || entries.get(hash) !== entry) continue;
      entries.delete(hash);
      total -= entry.sizeBytes;
      await (await entry.opening).close();
    }
  }

  async function openModel(entry: Entry, folder: string, hash: string) {
    const bundle = await loadBundle(folder);
    if (bundle.hash !== hash)
      throw new Error(`the bundle in ${folder} has changed since it was registered; restart the server`);
    entry.sizeBytes = await sizeOf(bundle);
    // Before the new one takes its memory.
    await closeIdle();
    const painter = await open(bundle);
    const exemplar = onDemand(() => openExemplarEncoder(painter));
    return {
      painter,
      exemplarEncoder: exemplar.get,
      async close() {
        await exemplar.close();
        await painter.close();
      },
    };
  }

  function start(folder: string, hash: string): Entry {
    const entry = { sizeBytes: 0, users: 0 } as { -readonly [K in keyof Entry]: Entry[K] };
    entry.opening = openModel(entry, folder, hash);
    entry.opening.catch(() => entries.get(hash) === entry && entries.delete(hash));
    return entry;
  }

  return {
    /** Does `work` with the painter of the bundle in a folder, opened where it is not. Throws when its hash is another. */
    async use<T>(folder: string, hash: string, work: (model: OpenModel) => Promise<T>): Promise<T> {
      const entry = entries.get(hash) ?? start(folder, hash);
      entries.delete(hash);
      entries.set(hash, entry);
      entry.users += 1;
      try {
        return await work(await entry.opening);
      } finally {
        entry.users -= 1;
        await closeIdle();
      }
    },
  };
}
