// Files that go to the server: from a path, from memory or from a stream, as multipart requests.

import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MindPainterError } from './errors.js';

/** A path, bytes, a Blob or File, or a stream of bytes (held in memory, so that a broken upload can be sent again). */
export type FileSource = string | Uint8Array | Blob | AsyncIterable<Uint8Array>;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a folder',
};

async function openPath(path: string): Promise<File> {
  try {
    if ((await stat(path)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return new File([await openAsBlob(path)], basename(path));
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new MindPainterError('LOCAL_FILE', `cannot read ${path}: ${REASONS[code] ?? message}`, { cause });
  }
}

/** A source as a File that can be read more than once. Throws MindPainterError LOCAL_FILE. */
export async function toFile(source: FileSource, name = 'file'): Promise<File> {
  if (typeof source === 'string') return openPath(source);
  if (source instanceof File) return source;
  if (source instanceof Blob) return new File([source], name);
  if (source instanceof Uint8Array) return new File([new Uint8Array(source)], name);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of source) chunks.push(new Uint8Array(chunk));
  return new File(chunks, name);
}

/** Places of the files in variables, such as `variables.input.file`. */
function findFiles(value: unknown, path: string, found: Map<string, File>): void {
  if (value instanceof File) found.set(path, value);
  else if (value !== null && typeof value === 'object')
    for (const [key, inner] of Object.entries(value)) findFiles(inner, `${path}.${key}`, found);
}

/** The body of a request and the header that it needs: JSON, or multipart where the variables hold files. */
export function requestBody(query: string, variables: object): { body: string | FormData; type?: string } {
  const files = new Map<string, File>();
  findFiles(variables, 'variables', files);
  const operations = JSON.stringify({ query, variables }, (_, value) =>
    value instanceof File ? null : value,
  );
  if (files.size === 0) return { body: operations, type: 'application/json' };
  const form = new FormData();
  form.set('operations', operations);
  const entries = [...files];
  form.set('map', JSON.stringify(Object.fromEntries(entries.map(([path], i) => [i, [path]]))));
  for (const [i, [, file]] of entries.entries()) form.set(String(i), file, file.name);
  return { body: form };
}
