// Content-addressed blobs on disk: named by their sha256, written whole or not at all, verified when read.

import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.js';

export interface Blobs {
  /** Stores bytes and returns their sha256; the same bytes are stored once. */
  put(bytes: Uint8Array): Promise<string>;
  /** Throws AppError NOT_FOUND or CORRUPT. */
  get(sha256: string): Promise<Buffer>;
}

export function openBlobs(folder: string): Blobs {
  const pathOf = (hash: string) => join(folder, hash.slice(0, 2), hash);
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  return {
    async put(bytes) {
      const hash = digest(bytes);
      const path = pathOf(hash);
      if (existsSync(path)) return hash;
      await mkdir(join(folder, hash.slice(0, 2)), { recursive: true });
      await mkdir(join(folder, 'incoming'), { recursive: true });
      const temporary = join(folder, 'incoming', randomUUID());
      try {
        const file = await open(temporary, 'wx');
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (cause) {
        await rm(temporary, { force: true });
        if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') {
          throw new AppError('UNAVAILABLE', 'the disk is full; free some space and send it again', { cause });
        }
        throw cause;
      }
      return hash;
    },
    async get(hash) {
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new AppError('NOT_FOUND', 'no such file');
      const bytes = await readFile(pathOf(hash)).catch((cause) => {
        throw new AppError('NOT_FOUND', 'no such file', { cause });
      });
      if (digest(bytes) !== hash) throw new AppError('CORRUPT', `the stored file ${hash} is damaged`);
      return bytes;
    },
  };
}
