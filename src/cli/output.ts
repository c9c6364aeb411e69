// What a command says: data to standard output, everything else to standard error.

import { styleText } from 'node:util';

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly colour: boolean;
}

export interface Output {
  /** The result: as JSON on one line, or as text. */
  data(value: unknown, text: string | readonly string[]): void;
  /** Rows of a table: a JSON array, or aligned columns. */
  table(rows: readonly Readonly<Record<string, unknown>>[]): void;
  /** What a person may want to know. Silent with --quiet. */
  note(line: string): void;
  /** What went wrong; never silent. */
  fault(line: string): void;
  /** How far something is: a bar that moves on a terminal, else a line now and then. */
  progress(label: string, done: number, total: number): void;
  /** How much of something of unknown length has come: moves on a terminal, else a line now and then. */
  received(label: string, sizeBytes: number): void;
  /** Ends the bar, if there is one. */
  endProgress(): void;
}

const BAR_WIDTH = 24;
/** Without a terminal a line is written at each tenth. */
const PARTS = 10;
/** And one for so many bytes, where nobody knows how many there will be. */
const BYTES_A_LINE = 50e6;

function columns(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const [first] = rows;
  if (!first) return [];
  const names = Object.keys(first);
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))];
  const widths = names.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

export function createOutput({ json, quiet, colour }: OutputOptions): Output {
  const { stdout, stderr } = process;
  const moving = Boolean(stderr.isTTY) && !quiet;
  let barShown = false;
  let said = '';
  const clear = () => {
    if (barShown) stderr.write('\r\u001b[K');
    barShown = false;
  };
  const print = (lines: readonly string[]) => {
    clear();
    if (lines.length > 0) stdout.write(`${lines.join('\n')}\n`);
  };
  return {
    data: (value, text) => print(json ? [JSON.stringify(value)] : [text].flat()),
    table: (rows) => print(json ? [JSON.stringify(rows)] : columns(rows)),
    note(line) {
      if (quiet) return;
      clear();
      stderr.write(`${line}\n`);
    },
    fault(line) {
      clear();
      stderr.write(`${colour && stderr.isTTY ? styleText('red', line) : line}\n`);
    },
    progress(label, done, total) {
      if (quiet) return;
      const share = total > 0 ? Math.min(1, done / total) : 0;
      if (moving) {
        const full = Math.round(share * BAR_WIDTH);
        stderr.write(
          `\r\u001b[K[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${done}/${total} ${label}`,
        );
        barShown = true;
        return;
      }
      const place = `${label} ${Math.floor(share * PARTS)}`;
      if (place !== said) stderr.write(`${label} ${done}/${total}\n`);
      said = place;
    },
    received(label, sizeBytes) {
      if (quiet) return;
      const text = `${(sizeBytes / 1e6).toFixed(1)} MB ${label}`;
      if (moving) {
        stderr.write(`\r\u001b[K${text}`);
        barShown = true;
        return;
      }
      const place = `${label} ${Math.floor(sizeBytes / BYTES_A_LINE)}`;
      if (place !== said) stderr.write(`${text}\n`);
      said = place;
    },
    endProgress: clear,
  };
}
