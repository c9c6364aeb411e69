// The simulated subject: single trials are noisy, means of repetitions are not, and the sessions are laid out rightly.

import { describe, expect, test } from 'vitest';
import { meanOfRows, zScoreSession } from '../../src/fmri/normalise.js';
import { estimateNoiseCeilingSnr, noiseCeilingPercent } from '../../src/metrics/noise-ceiling.js';
import { createRng } from '../../src/random.js';
import { KINDS } from '../../src/toy/kinds.js';
import { COLOUR_NAMES, type SceneSpec, sampleScene } from '../../src/toy/scene.js';
import {
  createSimulatedSubject,
  SUBJECT_DEFAULTS,
  sceneFeatures,
  simulateSessions,
  voxelNoiseLimit,
} from '../../src/toy/subject.js';

const SMALL = { ...SUBJECT_DEFAULTS, voxels: 300 };

function stimuli(count: number, seed: number): SceneSpec[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => sampleScene(rng));
}

describe('the encoding', () => {
  test('is fixed by the seed and says that it is simulated', () => {
    const spec = stimuli(1, 9)[0]!;
    const [a, b, c] = [5, 5, 6].map((seed) => createSimulatedSubject(createRng(seed), '01', SMALL));
    expect(a!.simulated).toBe(true);
    const respond = (subject: typeof a) => [...subject!.respond(sceneFeatures(spec))];
    expect(respond(a)).toEqual(respond(b));
    expect(respond(a)).not.toEqual(respond(c));
  });

  // The trained bundle depends on these numbers. Rounded: the last bit of tanh may differ between builds of V8.
  test('of the default subject stays what it is', () => {
    const subject = createSimulatedSubject(createRng(20261));
    const response = subject.respond(sceneFeatures(stimuli(1, 9)[0]!));
    expect(response.length).toBe(3200);
    expect([0, 1, 2, 3199].map((v) => response[v]!.toFixed(3))).toMatchInlineSnapshot(`
      [
        "1.406",
        "-0.887",
        "-1.469",
        "-0.648",
      ]
    `);
  });

  test('is standardised over scenes, voxel by voxel', () => {
    const subject = createSimulatedSubject(createRng(5), '01', SMALL);
    const responses = stimuli(400, 10).map((spec) => subject.respond(sceneFeatures(spec)));
    const stds = Array.from({ length: SMALL.voxels }, (_, v) => {
      const mean = responses.reduce((sum, r) => sum + r[v]!, 0) / responses.length;
      expect(Math.abs(mean)).toBeLessThan(0.3);
      return Math.sqrt(responses.reduce((sum, r) => sum + (r[v]! - mean) ** 2, 0) / responses.length);
    });
    expect(Math.min(...stds)).toBeGreaterThan(0.6);
    expect(Math.max(...stds)).toBeLessThan(1.5);
  });

  test('tells kind, colour and place apart', () => {
    const subject = createSimulatedSubject(createRng(5), '01', SMALL);
    const spec = stimuli(1, 9)[0]!;
    const object = spec.objects[0]!;
    const base = subject.respond(sceneFeatures(spec));
    const other = <T>(items: readonly T[], not: T) => items.find((item) => item !== not)!;
    const changes = [
      { kind: other(KINDS, object.kind) },
      { colour: other(COLOUR_NAMES, object.colour) },
      { centreX: 1 - object.centreX, centreY: 0.9 },
    ];
    for (const change of changes) {
      const response = subject.respond(sceneFeatures({ ...spec, objects: [{ ...object, ...change }] }));
      const distance = Math.sqrt(response.reduce((sum, x, v) => sum + (x - base[v]!) ** 2, 0) / SMALL.voxels);
      expect(distance).toBeGreaterThan(0.3);
    }
  });
});

describe('sessions', () => {
  const subject = createSimulatedSubject(createRng(5), '01', SMALL);
  const specs = stimuli(40, 12);
  const sessions = simulateSessions(subject, specs, 3, createRng(13));

  test('show every stimulus once each, the repetitions in different sessions, in another order', () => {
    expect(sessions.map(({ label }) => label)).toEqual(['01', '02', '03']);
    for (const [i, { trials, betas }] of sessions.entries()) {
      expect(betas.length).toBe(40 * SMALL.voxels);
      expect(trials.map(({ stimulus }) => stimulus).sort((a, b) => a - b)).toEqual(specs.map((_, k) => k));
      expect(new Set(trials.map(({ repetition }) => repetition))).toEqual(new Set([i + 1]));
    }
    const orders = sessions.map(({ trials }) => trials.map(({ stimulus }) => stimulus).join());
    expect(new Set(orders).size).toBe(3);
    expect(orders[0]).not.toBe(specs.map((_, k) => k).join());
  });

  test('are repeatable, and finite', () => {
    const again = simulateSessions(subject, specs, 3, createRng(13));
    expect(again).toEqual(sessions);
    expect(sessions.every(({ betas }) => betas.every(Number.isFinite))).toBe(true);
    expect(simulateSessions(subject, specs, 3, createRng(14))[0]!.betas).not.toEqual(sessions[0]!.betas);
  });

  test('differ by an offset that z-scoring each session removes', () => {
    const gap = (matrices: readonly Float32Array[]) => {
      const rows = specs.map((_, i) => i);
      const [a, b] = matrices.map((data) => meanOfRows(data, SMALL.voxels, rows));
      return a!.reduce((sum, x, v) => sum + Math.abs(x - b![v]!), 0) / SMALL.voxels;
    };
    expect(gap(sessions.map(({ betas }) => betas))).toBeGreaterThan(0.4);
    expect(gap(sessions.map(({ betas }) => zScoreSession(betas, SMALL.voxels).data))).toBeLessThan(1e-4);
  });
});

describe('the noise', () => {
  const subject = createSimulatedSubject(createRng(20261));
  const { voxels } = subject.settings;
  const [trainCount, testCount] = [300, 150];
  const specs = stimuli(trainCount + testCount, 21);
  const sessions = simulateSessions(subject, specs, 3, createRng(22)).map(({ betas, trials }) => ({
    trials,
    betas: zScoreSession(betas, voxels).data,
  }));
  const trialsOf = specs.map((_, stimulus) =>
    sessions.map(({ trials, betas }) => {
      const row = trials.findIndex((trial) => trial.stimulus === stimulus);
      return betas.subarray(row * voxels, (row + 1) * voxels);
    }),
  );

  /** Held-out accuracy of the nearest of the class means (correlation-like), per number of repetitions averaged. */
  function readout(labels: readonly number[], classes: number): number[] {
    const centroids = Array.from({ length: classes }, (_, k) => {
      const members = trialsOf.slice(0, trainCount).flatMap((trials, i) => (labels[i] === k ? trials : []));
      const mean = new Float32Array(voxels);
      for (const trial of members) for (let v = 0; v < voxels; v++) mean[v]! += trial[v]! / members.length;
      const norm = Math.sqrt(mean.reduce((sum, x) => sum + x * x, 0));
      return mean.map((x) => x / norm);
    });
    const classify = (trials: readonly Float32Array[]) => {
      const scores = centroids.map((centroid) => {
        let score = 0;
        for (const trial of trials) for (let v = 0; v < voxels; v++) score += centroid[v]! * trial[v]!;
        return score;
      });
      return scores.indexOf(Math.max(...scores));
    };
    const held = trialsOf.map((trials, i) => ({ trials, label: labels[i]! })).slice(trainCount);
    return [1, 2, 3].map(
      (n) => held.filter(({ trials, label }) => classify(trials.slice(0, n)) === label).length / testCount,
    );
  }

  test('lets kind be read from four single trials in five, and from nearly every mean of three', () => {
    const [one, two, three] = readout(
      specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind)),
      KINDS.length,
    );
    expect(one).toBeGreaterThan(0.7);
    expect(one).toBeLessThan(0.92);
    expect(two).toBeGreaterThan(one!);
    expect(three).toBeGreaterThan(0.93);
  }, 60_000);

  test('lets colour be read too, better from the mean', () => {
    const [one, , three] = readout(
      specs.map((spec) => COLOUR_NAMES.indexOf(spec.objects[0]!.colour)),
      COLOUR_NAMES.length,
    );
    expect(one).toBeGreaterThan(0.7);
    expect(three).toBeGreaterThan(Math.max(0.93, one!));
  }, 60_000);

  test('leaves nothing to read when labels are shuffled', () => {
    const labels = createRng(23).shuffle(specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind)));
    expect(readout(labels, KINDS.length)[2]).toBeLessThan(0.2);
  }, 60_000);

  test('differs by voxel, most of them weak, as in measured data', () => {
    const ncsnr = estimateNoiseCeilingSnr(sessions, voxels).sort();
    const [low, middle, high] = [0.05, 0.5, 0.95].map((q) => ncsnr[Math.floor(q * voxels)]!);
    expect(low).toBeLessThan(0.25);
    expect(middle).toBeGreaterThan(0.2);
    expect(middle).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.45);
    const limit = voxelNoiseLimit(subject);
    expect(Math.min(...limit)).toBeGreaterThan(0.19);
    expect(Math.max(...limit)).toBeLessThanOrEqual(1.001);
  });
});

describe('the noise ceiling', () => {
  test('finds the ratio that the data were made with', () => {
    const rng = createRng(31);
    const ratios = [0, 0.25, 0.5, 1, 2];
    const [count, repetitions] = [1500, 3];
    const signal = Array.from({ length: count }, () => ratios.map((ratio) => ratio * rng.normal()));
    const sessions = Array.from({ length: repetitions }, (_, r) => ({
      trials: signal.map((_, stimulus) => ({ stimulus, repetition: r + 1 })),
      betas: Float32Array.from(signal.flatMap((row) => row.map((x) => x + rng.normal()))),
    }));
    const found = estimateNoiseCeilingSnr(sessions, ratios.length);
    for (const [v, ratio] of ratios.entries())
      expect(Math.abs(found[v]! - ratio)).toBeLessThan(ratio === 0 ? 0.2 : 0.07);
  });

  test('in percent follows 100 ncsnr^2 / (ncsnr^2 + 1/n)', () => {
    expect(noiseCeilingPercent(1, 1)).toBe(50);
    expect(noiseCeilingPercent(1, 3)).toBe(75);
    expect(noiseCeilingPercent(0.5, 3)).toBeCloseTo(42.857, 3);
    expect(noiseCeilingPercent(0, 3)).toBe(0);
  });

  test('refuses data without repetitions, and betas of another size', () => {
    const trials = [0, 1].map((stimulus) => ({ stimulus, repetition: 1 }));
    const betas = new Float32Array(4);
    expect(() => estimateNoiseCeilingSnr([{ trials, betas }], 2)).toThrow(
      expect.objectContaining({ field: 'sessions' }),
    );
    expect(() => estimateNoiseCeilingSnr([{ trials, betas }], 3)).toThrow(
      expect.objectContaining({ field: 'betas' }),
    );
  });
});
