// The trial table: which stimulus each row of a beta matrix showed. CSV or TSV with a header line.

import { AppError } from '../errors.js';

export interface TrialRow {
  readonly stimulus: string;
  readonly repetition: number;
}

export interface TrialTable {
  readonly rows: readonly TrialRow[];
  /** Categories by stimulus, of those that the table tells. */
  readonly labels: ReadonlyMap<string, string>;
}

/** PostgreSQL's integer. */
const MAX_REPETITION = 2 ** 31 - 1;

/** What is wrong with a category of a stimulus; undefined for a word of 1 to 100 characters without blanks around it. */
export function labelFault(label: string): string | undefined {
  if (label.trim() !== label || label === '' || label.length > 100)
    return 'a label has 1 to 100 characters and no blanks around it';
  return label.includes('\0') ? 'a label cannot hold the character NUL' : undefined;
}

/** The cells of one line, trimmed; quoted cells may hold the separator and `""` (RFC 4180). Undefined if one stays open. */
function splitLine(line: string, separator: string): string[] | undefined {
  const cells: string[] = [];
  let rest = line;
  for (;;) {
    const quoted = /^ *"((?:[^"]|"")*)" */.exec(rest);
    const end = quoted ? quoted[0].length : rest.indexOf(separator);
    if (quoted ? end < rest.length && rest[end] !== separator : /^ *"/.test(rest)) return undefined;
    const cell = quoted ? quoted[1]!.replaceAll('""', '"') : end < 0 ? rest : rest.slice(0, end);
    cells.push(cell.trim());
    if (end < 0 || end >= rest.length) return cells;
    rest = rest.slice(end + 1);
  }
}

/**
 * Columns `stimulus` and, if wanted, `repetition` (else counted) and `label`, the stimulus' category; an empty cell there says
 * nothing. Throws AppError naming line and column.
 */
export function parseTrialTable(text: string, trials: number, field: string): TrialTable {
  const fail = (message: string): never => {
    throw new AppError('BAD_INPUT', message, { field });
  };
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  const separator = lines[0]?.includes('\t') ? '\t' : ',';
  const cells = (line: string, i: number) =>
    splitLine(line, separator) ?? fail(`line ${i + 1} has a quoted cell that does not end on it`);
  const header = cells(lines[0] ?? '', 0);
  const stimulusAt = header.indexOf('stimulus');
  if (stimulusAt < 0)
    fail(`line 1 must name a column 'stimulus'; it has: ${header.join(', ').slice(0, 200)}`);
  const repetitionAt = header.indexOf('repetition');
  const labelAt = header.indexOf('label');
  const body = lines.slice(1);
  if (body.length !== trials)
    fail(`the table has ${body.length} trials, the matrix ${trials}; they must agree`);
  const shown = new Map<string, number>();
  const labels = new Map<string, string>();
  const rows = body.map((line, i) => {
    const row = cells(line, i + 1);
    if (row.length !== header.length)
      fail(`line ${i + 2} has ${row.length} cells, the header ${header.length}`);
    const stimulus = row[stimulusAt]!;
    if (stimulus === '' || stimulus.length > 200)
      fail(`line ${i + 2}, column stimulus: give 1 to 200 characters`);
    if (stimulus.includes('\0')) fail(`line ${i + 2}, column stimulus: a name cannot hold the character NUL`);
    const count = (shown.get(stimulus) ?? 0) + 1;
    shown.set(stimulus, count);
    const repetition = repetitionAt < 0 ? count : Number(row[repetitionAt]);
    if (!Number.isInteger(repetition) || repetition < 1 || repetition > MAX_REPETITION)
      fail(
        `line ${i + 2}, column repetition: '${row[repetitionAt]}' is no count from 1 to ${MAX_REPETITION}`,
      );
    const label = labelAt < 0 ? '' : row[labelAt]!;
    if (label !== '') {
      const fault = labelFault(label);
      if (fault) fail(`line ${i + 2}, column label: ${fault}`);
      const before = labels.get(stimulus) ?? label;
      if (before !== label)
        fail(
          `line ${i + 2}, column label: ${stimulus} is '${label}' here and '${before}' above; a stimulus has one label`,
        );
      labels.set(stimulus, label);
    }
    return { stimulus, repetition };
  });
  return { rows, labels };
}
