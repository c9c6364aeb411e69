// Rows of an experiment's table as panels of its plot.

import type { Row } from './experiment.js';
import type { Panel, Point } from './plot.js';

interface PanelRequest {
  readonly figure: string;
  /** Which labels of a row give its place and its series. */
  readonly x: number;
  readonly series?: number;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
}

function series(rows: readonly Row[], request: PanelRequest): Map<string, Point[]> {
  const found = new Map<string, Point[]>();
  for (const row of rows) {
    const figure = row.figures[request.figure];
    if (!figure) continue;
    const name = request.series === undefined ? '' : String(row.labels[request.series]);
    const { mean: y, low, high } = figure;
    const interval = low === undefined || high === undefined ? {} : { low, high };
    const points = found.get(name) ?? [];
    points.push({ x: row.labels[request.x]!, y, ...interval });
    found.set(name, points);
  }
  return found;
}

/** Curves over a logarithmic axis; the labels at `x` are numbers. */
export function linePanel(rows: readonly Row[], request: PanelRequest): Panel {
  const curves = [...series(rows, request)].map(([name, points]) => ({
    name,
    points: points.sort((a, b) => Number(a.x) - Number(b.x)),
  }));
  return { kind: 'line', ...texts(request), series: curves };
}

/** Bars from 0, grouped by the labels at `x`. */
export function barPanel(rows: readonly Row[], request: PanelRequest): Panel {
  const bars = [...series(rows, request)].map(([name, points]) => ({ name, points }));
  return { kind: 'bar', ...texts(request), series: bars };
}

const texts = ({ title, xLabel, yLabel }: PanelRequest) => ({ title, xLabel, yLabel });

/** One row a test: figures that a cell has side by side become a series each, named `value`. */
export function byTest(rows: readonly Row[], tests: Readonly<Record<string, string>>): Row[] {
  return rows.flatMap((row) =>
    Object.entries(tests).flatMap(([figure, test]) => {
      const value = row.figures[figure];
      return value ? [{ ...row, labels: [row.labels[0]!, test], figures: { value } }] : [];
    }),
  );
}

/** Identification and, where there was a judge, accuracy; `tests` names the tests whose scores are drawn. */
export function paintingPanels(
  rows: readonly Row[],
  draw: typeof barPanel,
  xLabel: string,
  tests: Readonly<Record<string, string>>,
): Panel[] {
  const scores = (figure: string) =>
    byTest(rows, Object.fromEntries(Object.entries(tests).map(([test, name]) => [`${test}${figure}`, name])));
  const by = { x: 0, series: 1, figure: 'value', xLabel };
  const judged = scores('Accuracy');
  const identified = draw(scores('Identification'), {
    ...by,
    title: 'Painting identified among all stimuli',
    yLabel: 'two-way identification',
  });
  const panels: Panel[] = [{ ...identified, references: [{ name: 'chance', y: 0.5 }] }];
  if (judged.length > 0) {
    const named = draw(judged, { ...by, title: 'Kind named by the judge', yLabel: 'share right' });
    panels.push({ ...named, references: [{ name: 'chance', y: 1 / 12 }] });
  }
  return panels;
}
