// Content-addressed blobs on disk: named by their sha256, written whole or not at all, verified when read.

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../errors.js';

export interface Blobs {
  /** Stores bytes and returns their sha256; the same bytes are stored once. Throws AppError UNAVAILABLE when the disk is full. */
  put(bytes: Uint8Array): Promise<string>;
  /** Room on the disk that they lie on. */
  freeBytes(): Promise<number>;
  /** Throws AppError NOT_FOUND or CORRUPT. */
  get(sha256: string): Promise<Buffer>;
  /**
   * Removes what no row names and what a killed write left, both only when older than `olderThanMs`: a blob is written before
   * the row that names it. `findReferenced` gets up to 10,000 hashes and returns those that rows name. Returns how many went.
   */
  sweep(
    findReferenced: (hashes: readonly string[]) => Promise<Iterable<string>>,
    olderThanMs: number,
  ): Promise<number>;
}

const HASH = /^[0-9a-f]{64}$/;
const INCOMING = 'incoming';
/** So many hashes are asked for at once: each question reads whole tables. */
const ASKED_AT_ONCE = 10_000;

function hasCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

const listing = (folder: string) =>
  readdir(folder).catch((error) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });

/** A file's name lasts through a power cut only when its folder is written too. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Opens a folder of blobs; it is made with the first blob. */
export function openBlobs(folder: string): Blobs {
  const shelfOf = (hash: string) => join(folder, hash.slice(0, 2));
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  /** Whether it is there, whole as far as its size tells; its age starts anew, so that no sweep takes it now. */
  async function refresh(path: string, sizeBytes: number): Promise<boolean> {
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== sizeBytes) return false;
    const now = new Date();
    // A sweep may have taken it between the two calls.
    return utimes(path, now, now).then(
      () => true,
      () => false,
    );
  }

  async function write(bytes: Uint8Array, shelf: string, path: string): Promise<void> {
    await mkdir(shelf, { recursive: true });
    await mkdir(join(folder, INCOMING), { recursive: true });
    const temporary = join(folder, INCOMING, randomUUID());
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncFolder(shelf);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async function removeOld(paths: readonly string[], olderThanMs: number): Promise<number> {
    let removed = 0;
    for (const path of paths) {
      const found = await stat(path).catch(() => undefined);
      if (!found || Date.now() - found.mtimeMs < olderThanMs) continue;
      await rm(path, { force: true });
      removed++;
    }
    return removed;
  }

  return {
    async freeBytes() {
      // The folder is made with the first blob.
      for (let place = folder; ; place = dirname(place)) {
        const found = await statfs(place).catch((error) => {
          if (hasCode(error, 'ENOENT') && dirname(place) !== place) return undefined;
          throw error;
        });
        if (found) return found.bavail * found.bsize;
      }
    },
    async put(bytes) {
      const hash = digest(bytes);
      const path = join(shelfOf(hash), hash);
      if (await refresh(path, bytes.length)) return hash;
      try {
        await write(bytes, shelfOf(hash), path);
      } catch (cause) {
        if (!hasCode(cause, 'ENOSPC', 'EDQUOT')) throw cause;
        throw new AppError('UNAVAILABLE', 'the disk is full; free some space and send it again', { cause });
      }
      return hash;
    },
    async get(hash) {
      if (!HASH.test(hash)) throw new AppError('NOT_FOUND', 'no such file');
      const bytes = await readFile(join(shelfOf(hash), hash)).catch((cause) => {
        if (!hasCode(cause, 'ENOENT')) throw cause;
        throw new AppError('NOT_FOUND', 'no such file', { cause });
      });
      if (digest(bytes) !== hash) throw new AppError('CORRUPT', `the stored file ${hash} is damaged`);
      return bytes;
    },
    async sweep(findReferenced, olderThanMs) {
      const left = (await listing(join(folder, INCOMING))).map((name) => join(folder, INCOMING, name));
      let removed = await removeOld(left, olderThanMs);
      let asked: string[] = [];
      const removeOrphans = async () => {
        const named = new Set(await findReferenced(asked));
        const orphans = asked.filter((hash) => !named.has(hash)).map((hash) => join(shelfOf(hash), hash));
        asked = [];
        removed += await removeOld(orphans, olderThanMs);
      };
      for (const shelf of await listing(folder)) {
        if (shelf.length !== 2) continue;
        for (const name of await listing(join(folder, shelf))) {
          if (!HASH.test(name)) continue;
          asked.push(name);
          if (asked.length === ASKED_AT_ONCE) await removeOrphans();
        }
      }
      if (asked.length > 0) await removeOrphans();
      return removed;
    },
  };
}
