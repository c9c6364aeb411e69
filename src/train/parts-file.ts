// Large binary files in parts, such as checkpoints: written whole or not at all, and read straight into the arrays that
// want them, since the system neither joins nor reads 2 GiB at once.

import { open, rename, rm, writeFile } from 'node:fs/promises';

/** Most that is read at once. */
const READ_BYTES = 1 << 26;

/** The memory of an array, as bytes. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Writes the parts, one after the other, to a file beside `path`, which then takes its place. */
export async function writeParts(path: string, parts: readonly Uint8Array[]): Promise<void> {
  try {
    await writeFile(`${path}.tmp`, parts, { flush: true });
    await rename(`${path}.tmp`, path);
  } catch (error) {
    // On a full disk the torn file would keep the disk full.
    await rm(`${path}.tmp`, { force: true });
    throw error;
  }
}

export interface PartsReader {
  readonly sizeBytes: number;
  /** Fills an array with the bytes that follow those read last. Throws where the file ends before. */
  read<T extends ArrayBufferView>(target: T): Promise<T>;
}

/** Opens a file for reading from its start, until `work` has ended. */
export async function readParts<T>(path: string, work: (file: PartsReader) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    const { size: sizeBytes } = await file.stat();
    let at = 0;
    return await work({
      sizeBytes,
      async read(target) {
        const bytes = bytesOf(target);
        for (let done = 0; done < bytes.length; ) {
          const length = Math.min(READ_BYTES, bytes.length - done);
          const { bytesRead } = await file.read(bytes, done, length, at);
          if (bytesRead === 0) throw new Error(`${path} is truncated`);
          done += bytesRead;
          at += bytesRead;
        }
        return target;
      },
    });
  } finally {
    await file.close();
  }
}
