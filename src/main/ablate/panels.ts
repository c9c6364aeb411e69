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
