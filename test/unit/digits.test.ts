// The digits benchmark's parts that need no data of anyone: folds, the balanced null, labels by half a turn, scores.

import { describe, expect, test } from 'vitest';
import type { RgbImage } from '../../src/imaging/types.js';
import { readDigits } from '../../src/main/digits/dataset.js';
import type { HeldOutTrial } from '../../src/main/digits/fold.js';
import { balancedDerangement, stratifiedFolds } from '../../src/main/digits/folds.js';
import { labelByAxis, nameAxis, turnAxis } from '../../src/main/digits/judge.js';
import { scoreTrials } from '../../src/main/digits/scores.js';
import { createRng } from '../../src/random.js';
import { leaveOneOutRidge } from '../../src/train/ridge.js';

const LABELS = Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : 1));

test('folds hold each trial out once, five of each digit', () => {
  const folds = stratifiedFolds(LABELS, 10, createRng(1));
  expect(folds.flat().sort((a, b) => a - b)).toEqual(LABELS.map((_, i) => i));
  for (const fold of folds) expect(fold.filter((trial) => LABELS[trial] === 1)).toHaveLength(5);
});

test('donors are a derangement with as many of the same digit as asked for', () => {
  const rng = createRng(2);
  const [fold] = stratifiedFolds(LABELS, 10, rng);
  for (const same of [4, 6]) {
    const donors = balancedDerangement(fold!, LABELS, same, rng);
    expect([...donors].sort()).toEqual([...fold!].sort());
    expect(donors.some((donor, i) => donor === fold![i])).toBe(false);
    expect(donors.filter((donor, i) => LABELS[donor] === LABELS[fold![i]!])).toHaveLength(same);
  }
});

/** A ring with a tail above (as a six) or, turned, below (as a nine), shaken a little. */
function drawn(nine: boolean, seed: number): RgbImage {
  const rng = createRng(seed);
  const [radius, tail] = [4 + rng.uniform() * 2, 8 + rng.uniform() * 4];
  const data = new Uint8Array(32 * 32 * 3);
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 32; x++) {
      const [u, v] = nine ? [31 - x, 31 - y] : [x, y];
      const ring = Math.abs(Math.hypot(u - 16, v - 20) - radius) < 1.5;
      const stroke = Math.abs(u - 11) < 1.5 && v < 20 && v > 20 - tail;
      if (ring || stroke) data.fill(200 + rng.int(56), (y * 32 + x) * 3, (y * 32 + x) * 3 + 3);
    }
  }
  return { width: 32, height: 32, data };
}

test('half a turn parts sixes from nines without a label, and one label names the sides', () => {
  const digits = Array.from({ length: 60 }, (_, i) => drawn(i % 3 === 0, i));
  const axis = turnAxis(digits, createRng(3));
  for (const start of [axis, axis.map((x) => -x)]) {
    const named = nameAxis(start, [drawn(true, 900)], [1]);
    const labelled = labelByAxis(digits, named);
    expect(labelled).toHaveLength(57);
    for (const { image, label } of labelled) expect(label).toBe(digits.indexOf(image) % 3 === 0 ? 1 : 0);
  }
});

describe('scores', () => {
  const embeddings = Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1);
  const labels = [0, 0, 1, 1];
  const trial = (index: number, adapted: number[], judged: number, shuffled: number): HeldOutTrial => ({
    trial: index,
    donor: (index + 2) % 4,
    judged: { full: judged, half: judged, centre: labels[index]!, shuffled },
    adapted,
    outsideMaskDifferentPixels: 0,
  });

  test('each figure counts what it says', () => {
    const results = [
      trial(0, [1, 0.1], 0, 1),
      trial(1, [0.1, 1], 0, 1),
      trial(2, [-1, 0.1], 1, 0),
      trial(3, [1, 0.1], 0, 1),
    ];
    const scores = scoreTrials(results, labels, embeddings);
    expect(scores).toMatchObject({
      trials: 4,
      fullMaskAccuracy: 0.75,
      halfMaskAccuracy: 0.75,
      centreMaskAccuracy: 1,
      shuffledAccuracy: 0.25,
      shuffledFollowsDonor: 0.75,
      shuffledSameDigitDonors: 0,
    });
    // Trial 3 is nearer to stimuli 0 and 1 than to its own; it beats stimulus 2 alone.
    expect(scores.retrievalTwoWay).toBeCloseTo(10 / 12, 10);
    expect(scores.retrievalTwoWaySameDigit).toBe(1);
  });
});

test('leave-one-out ridge is what fitting without each row gives', () => {
  const rng = createRng(4);
  const [n, p] = [7, 3];
  const x = rng.fillNormal(new Float32Array(n * p));
  const y = rng.fillNormal(new Float32Array(n));
  const mean = x.reduce((sum, v) => sum + v * v, 0) / n;
  const predicted = leaveOneOutRidge(x, y, n, 0.5);
  for (let out = 0; out < n; out++) {
    // Gradient descent on the ridge loss without row `out`: slow, and nothing of the closed form in it.
    const w = new Float64Array(p);
    for (let step = 0; step < 20_000; step++) {
      const slope = Float64Array.from(w, (value) => 0.5 * mean * value);
      for (let i = 0; i < n; i++) {
        if (i === out) continue;
        const miss = w.reduce((sum, value, k) => sum + value * x[i * p + k]!, 0) - y[i]!;
        for (let k = 0; k < p; k++) slope[k]! += miss * x[i * p + k]!;
      }
      for (let k = 0; k < p; k++) w[k]! -= 0.02 * slope[k]!;
    }
    expect(predicted[out]).toBeCloseTo(
      w.reduce((sum, value, k) => sum + value * x[out * p + k]!, 0),
      4,
    );
  }
});

test('a file that is no digits file says which variable is missing', () => {
  const head = Buffer.alloc(128, ' ');
  head.write('MATLAB 5.0 MAT-file');
  head.write('\x00\x01IM', 124, 'latin1');
  expect(() => readDigits(head)).toThrow('the file has no variable Y; it has no variables');
});
