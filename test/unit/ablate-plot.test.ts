// The plots of ablations: well-formed SVG, axes that cover their data, marks where the values are.

import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { drawFigure, linearTicks, logTicks, type Panel } from '../../src/main/ablate/plot.js';
import { createRng } from '../../src/random.js';

const BARS: Panel = {
  kind: 'bar',
  title: 'Kind',
  xLabel: 'sigma',
  yLabel: 'share',
  series: [
    {
      name: 'real',
      points: [
        { x: '0', y: 0.2, low: 0.15, high: 0.25 },
        { x: '0.3', y: 0.6 },
      ],
    },
    {
      name: 'both',
      points: [
        { x: '0', y: 0.4 },
        { x: '0.3', y: 0.8, low: 0.75, high: 0.93 },
      ],
    },
  ],
};

const LINES: Panel = {
  kind: 'line',
  title: 'Learning curve',
  xLabel: 'trials',
  yLabel: 'r',
  series: [
    {
      name: 'A & <B>',
      points: [
        { x: 100, y: 0.1 },
        { x: 9000, y: 0.7 },
      ],
    },
  ],
  references: [{ name: 'ceiling', y: 0.9 }],
};

const numbers = (svg: string, pattern: RegExp) =>
  [...svg.matchAll(pattern)].map((match) => match.slice(1).map(Number));

/** Vertical place of each y tick: the text stands 4 px below its line. */
const ticksOf = (svg: string) =>
  new Map(
    [...svg.matchAll(/y="([\d.-]+)" class="tick-y"[^>]*>([^<]+)</g)].map(
      ([, y, value]) => [Number(value), Number(y) - 4] as const,
    ),
  );

describe('ticks', () => {
  test('cover the data with even steps, for a thousand random ranges', () => {
    const rng = createRng(3);
    for (let i = 0; i < 1000; i++) {
      const low = (rng.uniform() - 0.5) * 10 ** (6 * rng.uniform() - 3);
      const high = low + rng.uniform() * 10 ** (6 * rng.uniform() - 3) + 1e-6;
      const ticks = linearTicks(low, high);
      const step = ticks[1]! - ticks[0]!;
      expect(ticks[0]).toBeLessThanOrEqual(low + 1e-6 * step);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(high - 1e-6 * step);
      // No more room than one step at either end, and a number of ticks that can be read.
      expect(ticks[0]).toBeGreaterThan(low - step * 1.001);
      expect(ticks.at(-1)).toBeLessThan(high + step * 1.001);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      expect(ticks.length).toBeLessThanOrEqual(9);
    }
    expect(linearTicks(0, 0.93)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(linearTicks(0.5, 0.5).length).toBeGreaterThanOrEqual(2);
  });

  test('of a logarithmic axis cover the data too', () => {
    expect(logTicks(100, 9000)).toEqual([100, 300, 1000, 3000, 10000]);
    expect(logTicks(1, 6)).toEqual([1, 3, 10]);
    expect(logTicks(250, 250)).toEqual([100, 300]);
    expect(logTicks(300, 300)).toEqual([300, 1000]);
  });
});

describe('a figure', () => {
  test('is well-formed and renders to more than white', async () => {
    const svg = drawFigure('Signals & "noise" <both>', [BARS, LINES]);
    const { data, info } = await sharp(Buffer.from(svg)).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([720, 366]);
    const blue = [0x00, 0x72, 0xb2];
    let painted = 0;
    for (let i = 0; i < data.length; i += info.channels)
      if (blue.every((value, k) => data[i + k] === value)) painted += 1;
    expect(painted).toBeGreaterThan(1000);
  });

  test('has bars from 0 to their values, and error bars from low to high', () => {
    const svg = drawFigure('bars', [BARS]);
    const ticks = ticksOf(svg);
    const zero = ticks.get(0)!;
    const scale = (zero - ticks.get(1)!) / 1;
    const bars = numbers(
      svg,
      /<rect class="bar" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/g,
    );
    expect(bars).toHaveLength(4);
    [0.2, 0.6, 0.4, 0.8].forEach((value, i) => {
      expect(bars[i]![2]).toBeCloseTo(value * scale, 1);
      expect(bars[i]![1]! + bars[i]![2]!).toBeCloseTo(zero, 1);
    });
    // Bars of a category stand side by side.
    expect(bars[2]![0]).toBeGreaterThan(bars[0]![0]!);
    expect(bars[2]![0]).toBeLessThan(bars[1]![0]!);
    const errors = numbers(svg, /<path class="error" d="M[\d.]+ ([\d.]+)V([\d.]+)M/g);
    expect(errors).toHaveLength(2);
    expect(errors[0]![0]).toBeCloseTo(zero - 0.15 * scale, 1);
    expect(errors[0]![1]).toBeCloseTo(zero - 0.25 * scale, 1);
  });

  test('has points at their values on a logarithmic axis, and a legend of all series', () => {
    const svg = drawFigure('lines', [LINES]);
    const ticks = ticksOf(svg);
    const [first, last] = numbers(svg, /<circle cx="([\d.]+)" cy="([\d.]+)"/g) as [number[], number[]];
    const scale = ticks.get(0)! - ticks.get(1)!;
    expect(first[1]).toBeCloseTo(ticks.get(0)! - 0.1 * scale, 1);
    expect(last[1]).toBeCloseTo(ticks.get(0)! - 0.7 * scale, 1);
    // 100 is the first tick; 9000 lies between 3000 and 10000.
    const places = numbers(svg, /<text x="([\d.]+)" y="[\d.]+" class="tick-x"[^>]*>(\d+)</g);
    expect(first[0]).toBeCloseTo(places[0]![0]!, 1);
    expect(last[0]).toBeGreaterThan(places.at(-2)![0]!);
    expect(last[0]).toBeLessThan(places.at(-1)![0]!);
    expect(svg).toContain('class="legend">A &amp; &lt;B&gt;</text>');
    expect(svg).toContain('ceiling');
  });

  test('of values that are no numbers, or of none, is refused', () => {
    const broken = { ...BARS, series: [{ name: 'real', points: [{ x: '0', y: Number.NaN }] }] };
    expect(() => drawFigure('broken', [broken])).toThrow(/finite/);
    expect(() => drawFigure('empty', [{ ...BARS, series: [] }])).toThrow(/no points/);
  });
});
