// Line and bar plots with error bars as SVG text: axes, ticks, legend. No dependency, no fonts beyond the viewer's.

export interface Point {
  /** A number on line panels (logarithmic axis), a category on bar panels. */
  readonly x: number | string;
  readonly y: number;
  /** Ends of the error bar. */
  readonly low?: number;
  readonly high?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Panel {
  readonly kind: 'line' | 'bar';
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Horizontal dashed lines, such as chance. */
  readonly references?: readonly { readonly name: string; readonly y: number }[];
}

/** Okabe and Ito (2008): told apart by colour-blind readers. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const PANEL = { width: 360, height: 300, left: 58, right: 22, top: 36, bottom: 52 };
const INNER = {
  width: PANEL.width - PANEL.left - PANEL.right,
  height: PANEL.height - PANEL.top - PANEL.bottom,
};
const HEADER = 34;
const LEGEND_ROW = 20;

const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** Short, without the noise of binary fractions. */
const short = (x: number) => String(Number(x.toPrecision(6)));
const at = (x: number) => x.toFixed(2);

/** Ticks at 1, 2 or 5 times a power of ten that cover [low, high]: the first is at most low, the last at least high. */
export function linearTicks(low: number, high: number, about = 5): number[] {
  const span = high > low ? high - low : Math.max(Math.abs(high), 1);
  const raw = span / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Ticks at 1 and 3 times powers of ten that cover [low, high]; both must be above 0. */
export function logTicks(low: number, high: number): number[] {
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    all.push(10 ** power, 3 * 10 ** power);
  const first = all.findLastIndex((tick) => tick <= low * 1.0001);
  const last = all.findIndex((tick, i) => tick >= high * 0.9999 && i > first);
  return all.slice(first, last + 1).map((tick) => Number(tick.toPrecision(12)));
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${at(x)}" y="${at(y)}" ${attributes}>${escapeXml(content)}</text>`;
}

function errorBar(x: number, low: number, high: number, colour: string): string {
  const path = `M${at(x)} ${at(low)}V${at(high)}M${at(x - 4)} ${at(low)}h8M${at(x - 4)} ${at(high)}h8`;
  return `<path class="error" d="${path}" stroke="${colour}" fill="none"/>`;
}

/** The marks of a panel in its own coordinates, origin at the top left of its frame. */
function drawPanel(panel: Panel, colourOf: (series: string) => string): string {
  const { kind, series, references = [] } = panel;
  const points = series.flatMap((one) => one.points);
  const heights = points.flatMap(({ y, low = y, high = y }) => [y, low, high]);
  const all = [...heights, ...references.map(({ y }) => y)];
  if (points.length === 0 || !all.every(Number.isFinite))
    throw new Error(`panel "${panel.title}" has no points or values that are no finite numbers`);
  const ticks = linearTicks(Math.min(0, ...all), Math.max(...all));
  const [bottom, top] = [ticks[0]!, ticks.at(-1)!];
  const y = (value: number) => INNER.height * (1 - (value - bottom) / (top - bottom));
  const parts: string[] = [];
  for (const tick of ticks) {
    parts.push(`<path class="grid" d="M0 ${at(y(tick))}H${INNER.width}"/>`);
    parts.push(text(-8, y(tick) + 4, short(tick), 'class="tick-y" text-anchor="end"'));
  }
  if (kind === 'line') {
    const numbers = points.map(({ x }) => Number(x));
    const steps = logTicks(Math.min(...numbers), Math.max(...numbers));
    const [low, high] = [Math.log(steps[0]!), Math.log(steps.at(-1)!)];
    const x = (value: number) => (INNER.width * (Math.log(value) - low)) / (high - low);
    for (const tick of steps) {
      parts.push(`<path class="axis" d="M${at(x(tick))} ${INNER.height}v5"/>`);
      parts.push(text(x(tick), INNER.height + 19, short(tick), 'class="tick-x" text-anchor="middle"'));
    }
    for (const [k, one] of series.entries()) {
      const colour = colourOf(one.name);
      // Curves stand a little apart, so that error bars at one x do not cover each other.
      const beside = (k - (series.length - 1) / 2) * 5;
      const places = one.points.map((p) => `${at(x(Number(p.x)) + beside)} ${at(y(p.y))}`);
      parts.push(`<path d="M${places.join('L')}" stroke="${colour}" stroke-width="2" fill="none"/>`);
      for (const point of one.points) {
        const place = x(Number(point.x)) + beside;
        if (point.low !== undefined && point.high !== undefined)
          parts.push(errorBar(place, y(point.low), y(point.high), colour));
        const label = `<title>${escapeXml(`${one.name} ${point.x}: ${short(point.y)}`)}</title>`;
        parts.push(
          `<circle cx="${at(place)}" cy="${at(y(point.y))}" r="3.5" fill="${colour}">${label}</circle>`,
        );
      }
    }
  } else {
    const categories = [...new Set(points.map((p) => String(p.x)))];
    const slot = INNER.width / categories.length;
    const width = (0.76 * slot) / series.length;
    categories.forEach((category, i) => {
      parts.push(text((i + 0.5) * slot, INNER.height + 19, category, 'class="tick-x" text-anchor="middle"'));
    });
    series.forEach((one, k) => {
      for (const point of one.points) {
        const left = (categories.indexOf(String(point.x)) + 0.12) * slot + k * width;
        const [from, to] = [y(Math.max(0, point.y)), y(Math.min(0, point.y))];
        const size = `x="${at(left)}" y="${at(from)}" width="${at(width * 0.92)}" height="${at(to - from)}"`;
        const label = `<title>${escapeXml(`${one.name} ${point.x}: ${short(point.y)}`)}</title>`;
        parts.push(`<rect class="bar" ${size} fill="${colourOf(one.name)}">${label}</rect>`);
        if (point.low !== undefined && point.high !== undefined)
          parts.push(errorBar(left + width * 0.46, y(point.low), y(point.high), '#222'));
      }
    });
  }
  for (const { name, y: value } of references) {
    parts.push(`<path class="reference" d="M0 ${at(y(value))}H${INNER.width}"/>`);
    const beside = y(value) < 16 ? y(value) + 14 : y(value) - 5;
    parts.push(text(INNER.width - 4, beside, name, 'class="note" text-anchor="end"'));
  }
  parts.push(`<path class="axis" d="M0 0V${INNER.height}H${INNER.width}"/>`);
  parts.push(text(INNER.width / 2, -14, panel.title, 'class="heading" text-anchor="middle"'));
  parts.push(text(INNER.width / 2, INNER.height + 40, panel.xLabel, 'text-anchor="middle"'));
  parts.push(
    `<text transform="translate(-42 ${INNER.height / 2}) rotate(-90)" text-anchor="middle">${escapeXml(panel.yLabel)}</text>`,
  );
  return parts.join('\n');
}

/** Panels side by side, at most three a row, under one title and over one legend of all series by name. */
export function drawFigure(title: string, panels: readonly Panel[]): string {
  const names = [...new Set(panels.flatMap((panel) => panel.series.map(({ name }) => name)))];
  const colourOf = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length]!;
  const columns = Math.min(3, panels.length);
  const rows = Math.ceil(panels.length / columns);
  const legend = names.filter((name) => name !== '');
  const entryWidth = Math.max(0, ...legend.map((name) => name.length * 7 + 40));
  const perRow = Math.max(1, Math.floor((columns * PANEL.width - 40) / Math.max(1, entryWidth)));
  const legendRows = Math.ceil(legend.length / perRow);
  const width = columns * PANEL.width;
  const height = HEADER + rows * PANEL.height + legendRows * LEGEND_ROW + 12;
  const body = panels.map((panel, i) => {
    const left = (i % columns) * PANEL.width + PANEL.left;
    const top = HEADER + Math.floor(i / columns) * PANEL.height + PANEL.top;
    return `<g transform="translate(${left} ${top})">\n${drawPanel(panel, colourOf)}\n</g>`;
  });
  const keys = legend.map((name, i) => {
    const x = 30 + (i % perRow) * entryWidth;
    const y = HEADER + rows * PANEL.height + Math.floor(i / perRow) * LEGEND_ROW + 8;
    const key = `<rect x="${at(x)}" y="${at(y - 9)}" width="14" height="10" fill="${colourOf(name)}"/>`;
    return `${key}${text(x + 20, y, name, 'class="legend"')}`;
  });
  const titleSize = Math.min(15, (1.7 * width) / title.length).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(title)}</title>
<style>text{font:12px Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#222}.heading{font-weight:bold}.main{font-size:${titleSize}px;font-weight:bold}.note{fill:#555;paint-order:stroke;stroke:#fff;stroke-width:3px}.axis{stroke:#222;fill:none}.grid{stroke:#e3e3e3;fill:none}.reference{stroke:#555;stroke-dasharray:5 4;fill:none}</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${text(width / 2, 22, title, 'class="main" text-anchor="middle"')}
${body.join('\n')}
${keys.join('\n')}
</svg>
`;
}
