// An experiment's results as a table in Markdown.

import type { Experiment, Figure, Row } from './experiment.js';

function show({ mean, low, high }: Figure): string {
  const digits = (x: number) => x.toFixed(3);
  return low === undefined || high === undefined
    ? digits(mean)
    : `${digits(mean)} (${digits(low)} to ${digits(high)})`;
}

/** The rows under the experiment's headings; a figure that was not measured is a dash. */
export function markdownTable(experiment: Experiment, rows: readonly Row[]): string {
  const measured = Object.entries(experiment.figures).filter(([name]) =>
    rows.some((row) => row.figures[name]),
  );
  const headings = [...experiment.columns, ...measured.map(([, heading]) => heading)];
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) =>
    line([
      ...row.labels,
      ...measured.map(([name]) => {
        const figure = row.figures[name];
        return figure ? show(figure) : '-';
      }),
    ]),
  );
  return [line(headings), line(headings.map(() => '---')), ...body].join('\n');
}

/** What the brackets in the table and the bars in the plot mean. */
export const intervalNote = (seeds: number): string =>
  seeds > 1
    ? `Means over ${seeds} seeds; in brackets the lowest and the highest seed.`
    : 'One seed; in brackets 95 % intervals: of retrieval over 30 draws of candidates, of shares by Wilson.';
