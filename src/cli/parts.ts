// What people write for the parts of a job (a file, a name, a shape) as the ids that the API takes. Each is looked up once.

import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileSource, type MindPainter, MindPainterError } from '../sdk/client.js';
import { UsageError } from './failures.js';
import { parseNumber } from './job-table.js';

const BOX_SHAPES = { rectangle: 'RECTANGLE', ellipse: 'ELLIPSE' } as const;

export const MASK_HELP =
  'what may be painted: full, border:0.2, rectangle:LEFT,TOP,WIDTH,HEIGHT or ellipse:... in fractions of the picture, a picture file, or an id';

export interface Parts {
  /** A picture file or an id. */
  image(text: string): Promise<string>;
  /** A mask of a picture: a shape, a file or an id. */
  mask(imageId: string, text: string): Promise<string>;
  /** A model's name or id; without one, the only one that reads this subject's signals. */
  model(text: string | undefined, subject: string | undefined): Promise<string>;
  /** The trials in which a subject saw a stimulus. */
  trials(subject: string, stimulus: string): Promise<readonly string[]>;
}

/** The option's value as a number; what is none is a fault of the command line. */
export function numberOf(text: string | undefined, name: string): number | undefined {
  try {
    return text === undefined ? undefined : parseNumber(text, name);
  } catch {
    throw new UsageError(`--${name} ${text}: give a number`);
  }
}

/** An idempotency key: the same request has the same one, so that a command that was cut off may be given again. */
export function keyOf(request: object): string {
  return `cli-${createHash('sha256').update(JSON.stringify(request)).digest('hex')}`;
}

/** Throws LOCAL_FILE. */
export function cannotRead(path: string, cause: Error): never {
  throw new MindPainterError('LOCAL_FILE', `cannot read ${path}: ${cause.message}`, { cause });
}

/** The pictures of a folder by their names. Throws LOCAL_FILE, and UsageError where there are none. */
export async function picturesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause) => cannotRead(folder, cause));
  const files = names.filter((name) => /\.(png|jpe?g|webp)$/i.test(name)).sort();
  if (files.length === 0) throw new UsageError(`${folder} holds no PNG, JPEG or WebP`);
  return files.map((name) => join(folder, name));
}

/** All of a list, or its first `most`. */
export async function collect<T>(source: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) {
    found.push(one);
    if (found.length >= most) break;
  }
  return found;
}

function bad(field: string, message: string): never {
  throw new MindPainterError('BAD_INPUT', message, { field });
}

/** `rectangle:0.1,0.2,0.5,0.5` and its like as input of createMask; undefined for what is no shape. */
export function parseShape(text: string) {
  const [, name, list] = /^(full|border|rectangle|ellipse)(?::(.*))?$/.exec(text) ?? [];
  if (!name) return undefined;
  const numbers =
    list === undefined ? [] : list.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  const wanted = { full: 0, border: 1, rectangle: 4, ellipse: 4 }[name]!;
  if (numbers.length !== wanted || numbers.some(Number.isNaN))
    bad(
      'mask',
      `${text}: ${name} takes ${wanted === 0 ? 'no numbers' : `${wanted} numbers, such as ${name}:${[0.2, 0.2, 0.5, 0.5].slice(0, wanted).join()}`}`,
    );
  if (name === 'full') return { shape: 'FULL' } as const;
  if (name === 'border') return { shape: 'BORDER', border: numbers[0]! } as const;
  const [left, top, width, height] = numbers;
  return { shape: BOX_SHAPES[name as 'rectangle' | 'ellipse'], left, top, width, height } as const;
}

export function createParts(mp: MindPainter, signal: AbortSignal): Parts {
  const known = new Map<string, Promise<unknown>>();
  function once<T>(key: string, look: () => Promise<T>): Promise<T> {
    const found = (known.get(key) as Promise<T> | undefined) ?? look();
    known.set(key, found);
    return found;
  }
  const options = { signal };
  const file = (text: string): FileSource => text;
  return {
    image: (text) =>
      text.startsWith('SourceImage_')
        ? Promise.resolve(text)
        : once(`image ${text}`, async () => (await mp.images.upload(file(text), options)).id),
    mask: (imageId, text) =>
      text.startsWith('Mask_')
        ? Promise.resolve(text)
        : once(`mask ${imageId} ${text}`, async () => {
            const shape = parseShape(text);
            if (shape) return (await mp.masks.create({ imageId, ...shape }, options)).id;
            return (await mp.masks.upload(imageId, file(text), options)).id;
          }),
    model: (text, subject) =>
      once(`model ${text ?? ''} ${text ? '' : subject}`, async () => {
        if (text) return (await mp.models.find(text, options)).id;
        const fitting = [];
        for await (const model of mp.models.list(options))
          if (subject === undefined || sameLabel(model.subjectLabel, subject)) fitting.push(model);
        if (fitting.length === 1) return fitting[0]!.id;
        const names = fitting.map(({ name }) => name).join(', ');
        return bad(
          'model',
          fitting.length === 0 ? 'no model reads the signals of this subject' : `say which model: ${names}`,
        );
      }),
    trials: (subject, stimulus) =>
      once(`trials ${subject} ${stimulus}`, async () => {
        const ids: string[] = [];
        for await (const trial of mp.subjects.trials({ subjectLabel: subject, stimulus }, options))
          ids.push(trial.id);
        if (ids.length === 0)
          throw new MindPainterError('NOT_FOUND', `subject ${subject} has no trial of ${stimulus}`, {
            field: 'stimulus',
          });
        return ids;
      }),
  };
}

const bare = (label: string) => label.replace(/^(sub-|subj)/, '');
const sameLabel = (a: string, b: string) => bare(a) === bare(b);
