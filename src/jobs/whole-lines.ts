// A file of lines that grows while a run goes on: a line that a kill has torn is dropped.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** The whole lines of a file, none where there is none; what follows the last of them is cut off. */
export function wholeLines(path: string): string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  const whole = lines.slice(0, -1);
  if (lines.at(-1) !== '') writeFileSync(path, whole.map((line) => `${line}\n`).join(''));
  return whole;
}
