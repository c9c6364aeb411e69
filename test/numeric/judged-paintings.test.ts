// Painting accuracy of a training run: which stimuli are judged by whom, that a stop in between changes nothing, and that the
// judge learns nothing of what is held out.

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RgbImage } from '../../src/imaging/types.js';
import { trainBundle } from '../../src/jobs/train-bundle.js';
import { accuracyMetric, planJudge } from '../../src/jobs/training-judge.js';
import type { HeldOutMetric, TrainEvent, TrainMessage } from '../../src/jobs/training-messages.js';
import { planPaintings } from '../../src/jobs/training-paintings.js';
import { wilsonInterval } from '../../src/metrics/brain.js';
import { type Bundle, loadBundle } from '../../src/painter/bundle.js';
import { createRng } from '../../src/random.js';
import { openSession } from '../../src/runtime/session.js';
import { fillSettings } from '../../src/services/training-settings.js';
import { type Blobs, openBlobs } from '../../src/store/blobs.js';
import { type JudgeSize, judgeNetwork, judgeObjective, judgeViews, wholeOf } from '../../src/train/judge.js';
import { judgeBatch } from '../../src/train/judge-batch.js';
import { trainStage } from '../../src/train/stage.js';
import { TINY, writeTinyBundle } from '../support/tiny-bundle.js';
import { picturePng, SMALL } from '../support/training-lab.js';

const folder = mkdtempSync(join(tmpdir(), 'mindpainter-judged-'));
afterAll(() => rmSync(folder, { recursive: true }));

let base: Bundle;
let blobs: Blobs;
beforeAll(async () => {
  await writeTinyBundle(join(folder, 'base'), { trainable: true });
  base = await loadBundle(join(folder, 'base'));
  blobs = openBlobs(join(folder, 'blobs'));
});

const SETTINGS = fillSettings(
  { ...SMALL, judge: { steps: 12, batch: 4, leastPictures: 2, paintedTrials: 3 } },
  {
    trainingStimuli: 6,
    prediction: 'epsilon',
    voxels: TINY.voxels,
    embeddingSize: 16,
    poolSampleBytes: 4,
    quickPainter: true,
  },
);

/** Stimuli as a message has them: `labels` of the training side, then of the held-out side; - for none. */
function stimuli(training: string, heldOut: string): TrainMessage['stimuli'] {
  const side = (labels: string, held: boolean) =>
    [...labels].map((label) => ({ pngSha256: '', heldOut: held, ...(label === '-' ? {} : { label }) }));
  return [...side(training, false), ...side(heldOut, true)];
}

test("Wilson's interval gives the published limits", () => {
  // Newcombe (1998), Statistics in Medicine 17: 857-872, table I, method 3.
  for (const [right, n, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilsonInterval(right / n, n);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  }
});

test('an accuracy counts what was judged right, and guessing is the commonest label', () => {
  const labelled = [0, 1, 1, 1].map((label, row) => ({ row, label }));
  const { low, high } = wilsonInterval(0.5, 4);
  expect(accuracyMetric('x', labelled, [0, 1, 0, 2])).toEqual({
    ...{ name: 'x', value: 0.5, low, high },
    ...{ chance: 0.75, stimuli: 4 },
  });
});

test('labels need enough training pictures; held-out ones do not count, and the reason is told', () => {
  const plan = (training: string, heldOut: string, paintedTrials = 3) =>
    planJudge({
      stimuli: stimuli(training, heldOut),
      settings: { ...SETTINGS, judge: { ...SETTINGS.judge, paintedTrials } },
    });
  expect(plan('bbaac-', 'acb-')).toEqual({
    labels: ['a', 'b'],
    training: [
      { row: 0, label: 1 },
      { row: 1, label: 1 },
      { row: 2, label: 0 },
      { row: 3, label: 0 },
    ],
    heldOut: [
      { row: 6, label: 0 },
      { row: 8, label: 1 },
    ],
  });
  expect(plan('aabc', 'bbbc')).toEqual({
    reason: expect.stringMatching(/2 training pictures each .* the largest have a: 2, b: 1, c: 1$/),
  });
  expect(plan('----', '--')).toEqual({ reason: expect.stringContaining('no stimulus has a label') });
  expect(plan('aabb', 'a-')).toEqual({ reason: expect.stringContaining('of the held-out stimuli 1 have') });
  expect(plan('aabb', 'ab', 0)).toEqual({ reason: 'settings.judge.paintedTrials is 0' });
  expect(plan('aabb', 'ab', 1)).toEqual({
    reason: expect.stringContaining('paintedTrials is 1; a shuffled'),
  });
});

test('as many of each label are painted as there are; donors differ, places are of other labels', () => {
  const heldOut = [...'aaaaaaabbc'].map((label, row) => ({ row, label: 'abc'.indexOf(label) }));
  const painted = planPaintings(heldOut, 6, 5);
  const count = (label: number) => painted.filter((trial) => trial.label === label).length;
  expect([count(0), count(1), count(2)]).toEqual([3, 2, 1]);
  const rows = painted.map((trial) => trial.row).sort();
  expect(new Set(rows).size).toBe(6);
  expect(painted.map((trial) => trial.donor).sort()).toEqual(rows);
  for (const { row, label, donor, source } of painted) {
    expect(donor).not.toBe(row);
    expect(heldOut[source]!.label).not.toBe(label);
  }
  expect(planPaintings(heldOut, 6, 5)).toEqual(painted);
  expect(planPaintings(heldOut, 48, 5)).toHaveLength(10);
});

test('a judge tells two kinds of picture apart, in views that it never saw', async () => {
  const size: JudgeSize = {
    ...{ widths: [8, 16], neck: 8, embeddingSize: 16 },
    ...{ sidePx: 16, classes: 2, head: 'label' },
  };
  /** Stripes along x or y, in noise. */
  const picture = (seed: number, label: number): RgbImage => {
    const rng = createRng(seed);
    const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      const along = label === 0 ? pixel % 32 : Math.floor(pixel / 32);
      return (Math.floor(along / 4) % 2 ? 180 : 60) + rng.int(60);
    });
    return { width: 32, height: 32, data };
  };
  const pictures = [0, 1].map((label) => [1, 2, 3, 4].map((seed) => ({ seed, label })));
  const { weights } = await trainStage(
    'judge',
    { steps: 60, batch: 16, learningRate: 5e-3, emaDecay: 0.9 },
    (b) => judgeObjective(b, size, 16),
    (rng) => judgeBatch(rng, 16, size, pictures, async ({ seed, label }) => picture(seed, label)),
    { folder: join(folder, 'stripes'), seed: 1, threads: 1 },
  );
  const judge = await openSession(judgeNetwork(weights, size), { threads: 1 });
  const truth = [0, 1, 1, 0, 1, 0];
  const views = truth.map((label, i) => wholeOf(picture(100 + i, label)));
  expect(await judgeViews(judge, views, size)).toEqual(truth);
  await judge.close();
});

interface Told {
  readonly points: string[];
  readonly stages: string[];
  readonly metrics: readonly HeldOutMetric[];
  readonly hash: string;
  readonly stopped: boolean;
}

/** Trains on six training and three held-out pictures, stopping at a step of the paintings if told to. */
async function train(
  name: string,
  heldOutPictures: readonly number[],
  stopAt = Number.POSITIVE_INFINITY,
): Promise<Told> {
  const pictures = [1, 2, 3, 4, 5, 6, ...heldOutPictures];
  const hashes: string[] = [];
  for (const seed of pictures) hashes.push(await blobs.put(await picturePng(seed)));
  const stimulusOfTrial = Int32Array.from({ length: 18 }, (_, i) => i % 9);
  const betas = createRng(9).fillNormal(new Float32Array(18 * TINY.voxels));
  const workFolder = join(folder, name);
  const message: TrainMessage = {
    name: 'judged',
    subject: { label: '01', simulated: true },
    base: { folder: base.folder, hash: base.hash },
    parts: ['PSEUDO_BRAIN_GENERATOR', 'BRAIN_ADAPTER', 'DIFFUSION'],
    settings: SETTINGS,
    voxels: TINY.voxels,
    sessions: [{ label: '01', betasSha256: await blobs.put(Buffer.from(betas.buffer)), stimulusOfTrial }],
    stimuli: stimuli('ababab', 'aba').map((stimulus, i) => ({ ...stimulus, pngSha256: hashes[i]! })),
    pictures: [],
    blobFolder: join(folder, 'blobs'),
    workFolder,
    bundleFolder: join(folder, `${name}-bundle`),
    threads: 1,
    provenance: {},
  };
  const points: string[] = [];
  const stages: string[] = [];
  const abort = new AbortController();
  let done: Extract<TrainEvent, { type: 'bundle' }> | undefined;
  const tell = (event: TrainEvent) => {
    if (event.type === 'point') points.push(JSON.stringify(event));
    if (event.type === 'bundle') done = event;
    if (event.type !== 'progress') return;
    if (stages.at(-1) !== event.stage) stages.push(event.stage);
    if (event.stage === 'paintings' && event.step >= stopAt) abort.abort();
  };
  await trainBundle(message, blobs, tell, abort.signal).catch((error) => {
    expect(error).toMatchObject({ code: 'CANCELLED' });
  });
  return { points, stages, metrics: done?.metrics ?? [], hash: done?.hash ?? '', stopped: !done };
}

test('a stop between two paintings and a torn line change no figure; what was painted is not painted again', async () => {
  const whole = await train('whole', [7, 8, 9]);
  expect(whole.stages.slice(-5)).toEqual(['diffusion', 'judge', 'paintings', 'metrics', 'bundle']);
  const figures = whole.metrics.filter(({ name }) => /^(painting|judge)\./.test(name));
  expect(figures.map(({ name, stimuli }) => [name, stimuli])).toEqual([
    ['painting.fullMaskAccuracy', 3],
    ['painting.centreMaskAccuracy', 3],
    ['painting.shuffledAccuracy', 3],
    ['judge.heldOutAccuracy', 3],
  ]);
  for (const { value, low, high, chance } of figures) {
    expect([0, 1 / 3, 2 / 3, 1]).toContain(value);
    expect(low).toBeLessThanOrEqual(value!);
    expect(high).toBeGreaterThanOrEqual(value!);
    expect(chance).toBe(2 / 3);
  }
  const lines = join(folder, 'stopped/paintings.jsonl');
  expect((await train('stopped', [7, 8, 9], 4)).stopped).toBe(true);
  const before = readFileSync(lines, 'utf8');
  expect(before.trim().split('\n')).toHaveLength(4);
  expect(existsSync(join(folder, 'stopped-bundle'))).toBe(false);
  appendFileSync(lines, '{"kind":"centr');
  const resumed = await train('stopped', [7, 8, 9]);
  expect(readFileSync(lines, 'utf8').startsWith(before)).toBe(true);
  expect(readFileSync(lines, 'utf8')).toBe(readFileSync(join(folder, 'whole/paintings.jsonl'), 'utf8'));
  expect(resumed).toMatchObject({ points: whole.points, metrics: whole.metrics, hash: whole.hash });

  // Other held-out pictures: the judge's losses are the same to the last bit, its answers need not be.
  const other = await train('other', [17, 18, 19], 0);
  const ofJudge = ({ points }: typeof other) =>
    points.filter((point) => point.includes('"judge"') && point.includes('"loss"'));
  expect(ofJudge(whole)).toHaveLength(12);
  expect(ofJudge(other)).toEqual(ofJudge(whole));
}, 180_000);
