// Rounding to half precision over its whole range, and the random numbers: exact restore, golden values, moments.

import { describe, expect, test } from 'vitest';
import { toFloat16 } from '../../src/graph/onnx.js';
import { createRng } from '../../src/random.js';
import { halfValue } from '../support/half.js';

const LARGEST = 0x7bff;
const round = (...values: number[]) => Array.from(toFloat16(Float32Array.from(values)));
/** The float32 next to x, away from zero or towards it. */
function neighbour(x: number, by: 1 | -1): number {
  const array = Float32Array.of(x);
  new Uint32Array(array.buffer)[0]! += by;
  return array[0]!;
}

describe('toFloat16', () => {
  test('every finite half keeps its bits, both signs', () => {
    const bits = [0, 0x8000].flatMap((sign) => Array.from({ length: LARGEST + 1 }, (_, i) => sign | i));
    expect(round(...bits.map(halfValue))).toEqual(bits);
  });

  test('between two halves the nearer is taken, and the even one in the middle', () => {
    const lower = Array.from({ length: LARGEST }, (_, i) => i);
    const middle = lower.map((i) => (halfValue(i) + halfValue(i + 1)) / 2);
    expect(round(...middle)).toEqual(lower.map((i) => i + (i & 1)));
    expect(round(...middle.map((x) => neighbour(x, -1)))).toEqual(lower);
    expect(round(...middle.map((x) => neighbour(x, 1)))).toEqual(lower.map((i) => i + 1));
    expect(round(...middle.map((x) => -x))).toEqual(lower.map((i) => 0x8000 | (i + (i & 1))));
  });

  test('beyond the largest half comes infinity; NaN and the sign of zero stay', () => {
    expect(round(65519, 65520, 1e30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)).toEqual([
      0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00,
    ]);
    expect(halfValue(round(Number.NaN)[0]!)).toBeNaN();
    expect(round(-0, 1e-30, -1e-30)).toEqual([0x8000, 0, 0x8000]);
  });

  test('reads a view into the middle of a buffer', () => {
    expect(Array.from(toFloat16(Float32Array.of(9, 1, -2, 9).subarray(1, 3)))).toEqual([0x3c00, 0xc000]);
  });
});

describe('random numbers', () => {
  const draw = (rng: ReturnType<typeof createRng>) => [
    rng.uniform(),
    rng.normal(),
    rng.int(1000),
    ...rng.fillNormal(new Float32Array(7)),
    ...rng.shuffle([...Array(20).keys()]),
    rng.uniform(),
  ];

  test('a restored state, also through JSON, continues the sequence exactly', () => {
    const rng = createRng(42);
    draw(rng);
    const state = JSON.parse(JSON.stringify(rng.state()));
    const expected = draw(rng);
    const other = createRng(1);
    other.restore(state);
    expect(draw(other)).toEqual(expected);
    // The saved state is a copy: drawing did not change it.
    rng.restore(state);
    expect(draw(rng)).toEqual(expected);
  });

  test('seeds decide: equal seeds agree, neighbours do not', () => {
    expect(draw(createRng(5))).toEqual(draw(createRng(5)));
    const firsts = new Set(Array.from({ length: 200 }, (_, seed) => createRng(seed).uniform()));
    expect(firsts.size).toBe(200);
  });

  test('xoshiro128** from the state 1, 2, 3, 4 gives the first values worked out by hand', () => {
    const rng = createRng(0);
    rng.restore([1, 2, 3, 4]);
    // rotl(2 * 5, 7) * 9 = 11520. Then the words mix: 1 ^ (4 ^ 2), 2 ^ (3 ^ 1), (3 ^ 1) ^ (2 << 9), rotl(4 ^ 2, 11).
    expect(rng.uniform() * 2 ** 32).toBe(11520);
    expect(rng.state()).toEqual([7, 0, 1026, 12288]);
    expect(rng.uniform()).toBe(0);
  });

  test('moments and ranges', () => {
    const rng = createRng(3);
    const sample = rng.fillNormal(new Float32Array(100_000));
    const moment = (k: number) => sample.reduce((sum, x) => sum + x ** k, 0) / sample.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.015);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.15);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[rng.int(7)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    expect(rng.shuffle([...Array(50).keys()]).sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
  });
});
