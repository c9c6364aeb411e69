// What the paper's study is made of, from what a lab has: 100 pictures and 100 brain signals.

import { readFile, stat } from 'node:fs/promises';
import { MindPainterError } from '../sdk/client.js';
import { UsageError } from './failures.js';
import { cannotRead, collect, type Parts, picturesIn } from './parts.js';
import type { Cli } from './run.js';

/** Pairs of the paper's study. */
export const PAIRS = 100;

/** What a list names: a file has one a line, a folder its pictures, and else commas stand between. Throws LOCAL_FILE. */
async function readList(text: string): Promise<string[]> {
  const found = await stat(text).catch(() => undefined);
  if (found?.isDirectory()) return picturesIn(text);
  const isList = found?.isFile() && !/\.(png|jpe?g|webp)$/i.test(text);
  const lines = isList ? await readFile(text, 'utf8').catch((cause) => cannotRead(text, cause)) : undefined;
  const entries = lines?.split(/\r?\n/) ?? text.split(',');
  return entries.map((entry) => entry.trim()).filter(Boolean);
}

function needAll(field: string, found: readonly unknown[], what: string, remedy: string): void {
  if (found.length === PAIRS) return;
  const wrong =
    found.length < PAIRS
      ? `${PAIRS - found.length} are missing; ${remedy}`
      : `${found.length - PAIRS} are too many`;
  throw new MindPainterError(
    'BAD_INPUT',
    `the paper's study takes ${PAIRS} ${what}, and there are ${found.length}: ${wrong}`,
    { field },
  );
}

/** 100 pictures: the given ones, stored where they are files, or the newest that are no stimulus. Throws BAD_INPUT. */
export async function chooseImages(
  { mp, out, signal }: Cli,
  parts: Parts,
  given?: string,
): Promise<string[]> {
  const ids: string[] = [];
  if (given !== undefined) {
    const names = await readList(given);
    needAll('images', names, 'pictures', 'name more with --images');
    for (const name of names) {
      out.progress('pictures looked at', ids.length, names.length);
      ids.push(await parts.image(name));
    }
    out.endProgress();
    return ids;
  }
  const seen = new Set<string>();
  for await (const { sourceImage } of mp.subjects.stimuli({ signal })) seen.add(sourceImage.id);
  for await (const { id } of mp.images.list({ signal })) {
    if (!seen.has(id)) ids.push(id);
    if (ids.length === PAIRS) break;
  }
  const remedy = 'mindpainter images upload FILE... stores more, and --images names others';
  needAll('images', ids, 'pictures that are no stimulus', remedy);
  return ids;
}

/** 100 signals: a trial each, or with `average` all trials of a stimulus. Throws BAD_INPUT. */
export async function chooseSignals(
  { mp, signal }: Cli,
  subjectLabel: string,
  { trials: given, average = false }: { readonly trials?: string; readonly average?: boolean },
): Promise<string[][]> {
  const remedy = 'mindpainter sessions import brings more, and --subject and --trials name others';
  if (given !== undefined) {
    if (average) throw new UsageError('give --trials or --average, not both');
    const ids = await readList(given);
    needAll('trials', ids, 'trials', 'name more with --trials');
    return ids.map((id) => [id]);
  }
  const all = mp.subjects.trials({ subjectLabel }, { signal });
  if (!average) {
    const found = await collect(all, PAIRS);
    needAll('trials', found, `trials of subject ${subjectLabel}`, remedy);
    return found.map(({ id }) => [id]);
  }
  const byStimulus = new Map<string, string[]>();
  for await (const { id, stimulus } of all)
    byStimulus.set(stimulus, [...(byStimulus.get(stimulus) ?? []), id]);
  const signals = [...byStimulus.values()].slice(0, PAIRS);
  needAll('trials', signals, `stimuli with trials of subject ${subjectLabel}`, remedy);
  return signals;
}
