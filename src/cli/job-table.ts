// A file of jobs, CSV or JSON lines, as rows with their line numbers. All faults are told at once.

import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { MindPainterError, type PaintJobFieldsInput } from '../sdk/client.js';
import { type LineFault, LineFaults, UsageError } from './failures.js';

/** One job as people write it. */
export interface JobRow {
  readonly line: number;
  readonly image: string;
  readonly mask: string;
  readonly model: string | undefined;
  readonly subject: string | undefined;
  readonly stimulus: string | undefined;
  /** Ids, in place of subject and stimulus. */
  readonly trials: readonly string[] | undefined;
  readonly settings: PaintJobFieldsInput;
}

export const COLUMNS = [
  'image',
  'mask',
  'model',
  'subject',
  'stimulus',
  'trials',
  'method',
  'seed',
  'steps',
  'guidanceScale',
  'paintingCount',
] as const;
type Column = (typeof COLUMNS)[number];

export const METHODS = ['BRAIN', 'TWO_STAGE', 'SHUFFLED_BRAIN', 'NO_BRAIN'] as const;
/** The API takes no more in one submission. */
const MAX_JOBS = 10_000;
const MAX_FAULTS = 100;

class Fault extends Error {
  readonly field: string | undefined;
  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}

/** `two-stage` or `TWO_STAGE` as the API writes it. */
export function parseMethod(text: string): (typeof METHODS)[number] {
  const name = text.toUpperCase().replaceAll('-', '_');
  const found = METHODS.find((method) => method === name);
  if (!found) throw new Fault(`${text} is no method; there are ${METHODS.join(', ')}`, 'method');
  return found;
}

export function parseNumber(text: string, field: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(number)) throw new Fault(`${text} is not a number`, field);
  return number;
}

type Cells = Partial<Record<Column, string>>;

function toRow(line: number, cells: Cells): JobRow {
  const unknown = Object.keys(cells).find((name) => !COLUMNS.includes(name as Column));
  if (unknown !== undefined)
    throw new Fault(`there is no column ${unknown}; there are ${COLUMNS.join(', ')}`);
  const { image, mask, model, subject, stimulus } = cells;
  if (!image) throw new Fault('name a picture file or an id', 'image');
  if (!mask) throw new Fault('give a shape, a file or an id', 'mask');
  const trials = cells.trials?.split(/[\s;,]+/).filter(Boolean);
  if (!trials?.length && !(subject && stimulus))
    throw new Fault('give subject and stimulus, or trials (ids, with spaces between)', 'stimulus');
  const number = (name: Column) => (cells[name] ? { [name]: parseNumber(cells[name], name) } : {});
  const settings: PaintJobFieldsInput = {
    ...(cells.method ? { method: parseMethod(cells.method) } : {}),
    ...number('seed'),
    ...number('steps'),
    ...number('guidanceScale'),
    ...number('paintingCount'),
  };
  return {
    line,
    image,
    mask,
    model,
    subject,
    stimulus,
    trials: trials?.length ? trials : undefined,
    settings,
  };
}

function readCsv(text: string): { line: number; cells: Cells }[] {
  const records = parse(text, {
    bom: true,
    columns: (names: string[]) => names.map((name) => name.trim()),
    delimiter: [',', ';', '\t'],
    info: true,
    skip_empty_lines: true,
    trim: true,
  }) as unknown as { info: { lines: number }; record: Cells }[];
  return records.map(({ info, record }) => ({ line: info.lines, cells: record }));
}

function readJsonLines(text: string): { line: number; cells: Cells | Fault }[] {
  const lines = text.split('\n').map((content, i) => ({ line: i + 1, content: content.trim() }));
  return lines
    .filter(({ content }) => content !== '')
    .map(({ line, content }) => {
      try {
        const value = JSON.parse(content) as Record<string, unknown>;
        if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('no object');
        const cells = Object.entries(value).filter(([, cell]) => cell != null);
        return {
          line,
          cells: Object.fromEntries(cells.map(([name, cell]) => [name, [cell].flat().join(' ')])),
        };
      } catch {
        return { line, cells: new Fault('this is not a JSON object on one line') };
      }
    });
}

/** Runs a check on each row, and throws all faults together, by line. */
export async function checkEach<In extends { readonly line: number }, Out>(
  file: string,
  rows: readonly In[],
  check: (row: In) => Out | Promise<Out>,
): Promise<Out[]> {
  const faults: LineFault[] = [];
  const results: Out[] = [];
  for (const row of rows) {
    try {
      results.push(await check(row));
    } catch (error) {
      const known = error instanceof Fault || isOfRow(error);
      if (!known) throw error;
      faults.push({ line: row.line, field: error.field, message: error.message });
      if (faults.length === MAX_FAULTS) break;
    }
  }
  if (faults.length > 0) throw new LineFaults(file, faults);
  return results;
}

/** What the server says of a row; that it is away, or that nobody is signed in, is no row's fault. */
function isOfRow(error: unknown): error is MindPainterError {
  return (
    error instanceof MindPainterError &&
    !['UNREACHABLE', 'UNAVAILABLE', 'UNAUTHENTICATED', 'FORBIDDEN', 'INTERNAL'].includes(error.code)
  );
}

/** Reads a file of jobs. Throws LineFaults with every line that is wrong, LOCAL_FILE, or UsageError for a file of another kind. */
export async function readJobTable(path: string): Promise<JobRow[]> {
  const extension = extname(path).toLowerCase();
  const isCsv = ['.csv', '.tsv'].includes(extension);
  if (!isCsv && !['.jsonl', '.ndjson'].includes(extension))
    throw new UsageError(`${path}: give a .csv, .tsv or .jsonl file`);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new MindPainterError('LOCAL_FILE', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  let rows: { line: number; cells: Cells | Fault }[];
  try {
    rows = isCsv ? readCsv(text) : readJsonLines(text);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new LineFaults(path, [{ line: Number(error.lines ?? 1), message: error.message }]);
  }
  if (rows.length === 0) throw new LineFaults(path, [{ line: 1, message: 'there are no jobs in it' }]);
  if (rows.length > MAX_JOBS)
    throw new LineFaults(path, [
      {
        line: rows[MAX_JOBS]!.line,
        message: `one submission takes ${MAX_JOBS} jobs; split the file before this line`,
      },
    ]);
  return checkEach(path, rows, ({ line, cells }) => {
    if (cells instanceof Fault) throw cells;
    return toRow(line, cells);
  });
}
