// The answers to one screen while they are given: which are there, and which is next. Plain data; the screen draws it.

export interface Cell {
  /** null where an instruction is followed. */
  readonly pictureId: string | null;
  readonly criterion: string | null;
  /** Row and place from the left. */
  readonly row: number;
  readonly side: number;
}

export interface AnswerSheet {
  readonly cells: readonly Cell[];
  /** By cell; null where there is none yet. */
  readonly values: readonly (number | null)[];
  /** The cell that a key answers. */
  readonly active: number;
  /** Cells in the order in which they were answered. */
  readonly history: readonly number[];
}

interface ScreenParts {
  readonly instruction?: string | null | undefined;
  readonly pictures: readonly { readonly id: string; readonly role: string; readonly side: number }[];
  readonly criteria: readonly { readonly name: string }[];
}

/** An empty sheet: criterion by criterion, within each from left to right. */
export function emptySheet({ instruction, pictures, criteria }: ScreenParts): AnswerSheet {
  const candidates = pictures.filter(({ role }) => role === 'CANDIDATE').sort((a, b) => a.side - b.side);
  const cells: Cell[] = instruction
    ? [{ pictureId: null, criterion: null, row: 0, side: 0 }]
    : criteria.flatMap(({ name }, row) =>
        candidates.map(({ id }, side) => ({ pictureId: id, criterion: name, row, side })),
      );
  return { cells, values: cells.map(() => null), active: 0, history: [] };
}

export const isComplete = ({ values }: AnswerSheet): boolean => !values.includes(null);

/** The first cell after `from` that has no answer; where all have one the next, which ends at the last. */
export function nextOpen({ values }: AnswerSheet, from: number): number {
  const order = values.map((_, i) => (from + 1 + i) % values.length);
  return order.find((i) => values[i] === null) ?? Math.min(from + 1, values.length - 1);
}

/** Answers a cell and goes on to the next that is open. */
export function setValue(sheet: AnswerSheet, cell: number, value: number): AnswerSheet {
  const values = sheet.values.with(cell, value);
  const history = [...sheet.history.filter((one) => one !== cell), cell];
  const next = { ...sheet, values, history };
  return { ...next, active: nextOpen(next, cell) };
}

/** Takes the last answer back; undefined where there is none. */
export function clearLast(sheet: AnswerSheet): AnswerSheet | undefined {
  const last = sheet.history.at(-1);
  if (last === undefined) return undefined;
  return {
    ...sheet,
    values: sheet.values.with(last, null),
    history: sheet.history.slice(0, -1),
    active: last,
  };
}

/** Moves among criteria (`rows`) and pictures (`sides`); past an edge it stays. */
export function move(sheet: AnswerSheet, rows: number, sides: number): AnswerSheet {
  const { row, side } = sheet.cells[sheet.active]!;
  const to = sheet.cells.findIndex((cell) => cell.row === row + rows && cell.side === side + sides);
  return to < 0 ? sheet : { ...sheet, active: to };
}

/** As the API takes them; only a complete sheet has all. */
export const answersOf = ({ cells, values }: AnswerSheet) =>
  cells.map(({ pictureId, criterion }, i) => ({
    ...(pictureId === null ? {} : { pictureId }),
    ...(criterion === null ? {} : { criterion }),
    value: values[i]!,
  }));

const DAY_MS = 86_400_000;

/** Whole milliseconds from one time to another, at most the day that the API takes: a screen may be left open for longer. */
export const responseMs = (shownAt: number, answeredAt: number): number =>
  Math.min(Math.round(answeredAt - shownAt), DAY_MS);
