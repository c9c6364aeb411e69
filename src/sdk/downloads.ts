// Pictures from the server, checked against their sha256; a file is there whole or not at all.

import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasCode, MindPainterError } from './errors.js';
import { withRetries } from './retry.js';
import type { Transport } from './transport.js';

/** Anything that the API gives an address of: a painting, a picture, a mask. */
export type Downloadable = string | { readonly url: string };

const TRIES = 5;
const addressOf = (what: Downloadable) => (typeof what === 'string' ? what : what.url);

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes have come, after each piece; from the start where it is fetched again. */
  readonly onProgress?: ((sizeBytes: number) => void) | undefined;
}

/**
 * The bytes as they come. Ends with an error CORRUPT when they are not those that the server announced: its ETag is the
 * sha256 of what is stored.
 */
async function* readChecked(transport: Transport, address: string, { signal, onProgress }: DownloadOptions) {
  const response = await transport.open(address, signal);
  const wanted = /^"([0-9a-f]{64})"$/.exec(response.headers.get('etag') ?? '')?.[1];
  const length = response.headers.get('content-encoding') ? null : response.headers.get('content-length');
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      onProgress?.(sizeBytes);
      yield chunk as Uint8Array;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new MindPainterError('UNREACHABLE', `the download of ${address} was cut off`, { cause });
  }
  const cutOff = length !== null && Number(length) !== sizeBytes;
  if (cutOff || (wanted && hash.digest('hex') !== wanted))
    throw new MindPainterError('CORRUPT', `what came of ${address} is not what the server holds`);
}

const again = (error: unknown) => hasCode(error, 'UNREACHABLE', 'CORRUPT', 'UNAVAILABLE', 'LIMIT_REACHED');

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'it is a folder',
};

/** What a file system said of a path, as LOCAL_FILE with what to mend; any other error as it is. */
export function cannotWrite(path: string, cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (typeof code !== 'string' || cause instanceof MindPainterError) return cause;
  return new MindPainterError('LOCAL_FILE', `cannot write ${path}: ${REASONS[code] ?? message}`, { cause });
}

/** Writes a file by way of a neighbour that takes its name once it is complete; nothing is left of a failure. */
export async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  const part = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.part`);
  try {
    const file = await open(part, 'wx');
    try {
      for await (const chunk of chunks) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw cannotWrite(path, error);
  }
}

export interface Downloads {
  /** The bytes, checked. */
  read(what: Downloadable, options?: DownloadOptions): Promise<Buffer>;
  /** The bytes as they come; the iteration throws at its end if they are not right. It is not repeated. */
  stream(what: Downloadable, options?: DownloadOptions): AsyncIterable<Uint8Array>;
  /** Writes a file that is complete and checked when it appears. An existing file is replaced. */
  save(what: Downloadable, path: string, options?: DownloadOptions): Promise<void>;
}

export function createDownloads(transport: Transport): Downloads {
  return {
    read: (what, options = {}) =>
      withRetries(
        async () => {
          const chunks: Uint8Array[] = [];
          for await (const chunk of readChecked(transport, addressOf(what), options)) chunks.push(chunk);
          return Buffer.concat(chunks);
        },
        { tries: TRIES, mayRepeat: again, signal: options.signal },
      ),
    stream: (what, options = {}) => readChecked(transport, addressOf(what), options),
    save: (what, path, options = {}) =>
      withRetries(() => writeWhole(path, readChecked(transport, addressOf(what), options)), {
        tries: TRIES,
        mayRepeat: again,
        signal: options.signal,
      }),
  };
}
