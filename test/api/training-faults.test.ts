// What happens to training runs when things go wrong: real kills, pauses, a loss that is not finite, a full disk.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { floats, openSession } from '../../src/runtime/session.js';
import { tinySignal } from '../support/tiny-bundle.js';
import {
  ended,
  LABELS,
  linkStimuli,
  type Run,
  SMALL,
  STIMULI,
  startTrainingLab,
  type TrainingLab,
} from '../support/training-lab.js';

let lab: TrainingLab;
const CONSTANT = [3, 17];

beforeAll(async () => {
  lab = await startTrainingLab();
  await lab.importSession('01', STIMULI, { seed: 1, constant: CONSTANT, labels: LABELS });
  await lab.importSession('02', STIMULI, { seed: 2 });
  await linkStimuli(lab);
}, 90_000);

afterAll(() => lab?.close(), 30_000);

/** The training child of a worker, by its parent: /proc knows both. */
function childOf(worker: number): number {
  const found = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const parent = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1];
      return (
        Number(parent) === worker && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('training-child')
      );
    } catch {
      return false;
    }
  });
  expect(found).toHaveLength(1);
  return Number(found[0]);
}

function checkpoints(id: string): Record<string, string> {
  const folder = lab.workFolder(id);
  const names = readdirSync(folder).filter((name) => name.includes('.ckpt'));
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}

/** The adapter of a bundle answers the same whatever these voxels say, and not whatever another one says. */
async function expectBlindTo(voxels: readonly number[], bundle: string): Promise<void> {
  const session = await openSession(join(bundle, 'brain_adapter/model.onnx'), { threads: 1 });
  const answer = async (changed: readonly number[]) => {
    const signal = tinySignal();
    for (const v of changed) signal[v]! += 5;
    return (await session.run({ signal: floats(signal, [1, signal.length]) })).brain_embeds!.data;
  };
  expect(await answer(voxels)).toEqual(await answer([]));
  expect(await answer([voxels[0]! + 1])).not.toEqual(await answer([]));
  await session.close();
}

const outcomes = (run: Run) => run.attempts.map((attempt) => attempt.outcome);

test('a pause, a killed child and a killed worker change neither losses nor figures nor the model', async () => {
  const settings = {
    checkpointEvery: 7,
    pseudoBrainGenerator: { steps: 150, batch: 4, hidden: 16, blocks: 1 },
    brainAdapter: { steps: 20, batch: 4, hidden: 16, blocks: 1 },
    diffusion: { steps: 100, batch: 4, poolSize: 8 },
    judge: { steps: 60, batch: 4, leastPictures: 1, paintedTrials: 3 },
  };
  let worker = await lab.startWorker();
  const { id, errors } = await lab.create({ settings });
  expect(errors).toEqual([]);
  await lab.until(id, (run) => run.points.length > 3);
  expect(await lab.ask('pause', id)).toEqual([]);
  const paused = await lab.until(id, (run) => run.state === 'PAUSED');
  expect(outcomes(paused)).toEqual(['PAUSED']);
  expect(Object.keys(checkpoints(id))).toContain('pseudoBrainGenerator.ckpt');

  // The device is free: another run goes through while this one waits.
  const reference = await lab.until((await lab.create({ settings })).id, ended);
  expect(reference.error).toBeNull();
  expect(outcomes(reference)).toEqual(['SUCCEEDED']);
  expect((await lab.read(id)).state).toBe('PAUSED');

  expect(await lab.ask('resume', id)).toEqual([]);
  const before = paused.points.length;
  await lab.until(id, (run) => run.state === 'RUNNING' && run.points.length > before);
  process.kill(childOf(worker.pid!), 'SIGKILL');
  const second = await lab.until(id, (run) => run.attempts.length === 3);
  await lab.until(id, (run) => run.stage === 'diffusion' && run.points.length > second.points.length);
  await lab.stop(worker, 'SIGKILL');
  worker = await lab.startWorker();
  await lab.until(id, ({ stage, step }) => (stage === 'judge' && step > 1) || stage === 'paintings');
  process.kill(childOf(worker.pid!), 'SIGKILL');
  const run = await lab.until(id, ended);
  expect(run.error).toBeNull();
  expect(outcomes(run)).toEqual(['PAUSED', 'LOST', 'LOST', 'LOST', 'SUCCEEDED']);
  expect(run.points).toEqual(reference.points);
  expect(run.metrics).toEqual(reference.metrics);
  expect(run.model!.hash).toBe(reference.model!.hash);
  expect(run.excludedVoxels).toBe(CONSTANT.length);
  await expectBlindTo(CONSTANT, join(lab.lab.folder, 'models', id.replace('TrainingRun_', '')));
  await lab.stop(worker);
}, 600_000);

test('the last attempt of a run that has moved on since is not its last', async () => {
  const settings = {
    ...SMALL,
    checkpointEvery: 3,
    pseudoBrainGenerator: { steps: 400, batch: 4, hidden: 16, blocks: 1 },
  };
  const { id, errors } = await lab.create({ settings });
  expect(errors).toEqual([]);
  // As after four kills.
  await lab.lab.services.store.pool.query('UPDATE graphile_worker._private_jobs SET attempts = 4');
  const worker = await lab.startWorker();
  await lab.until(id, (run) => run.stage === 'pseudoBrainGenerator' && run.step > 20);
  process.kill(childOf(worker.pid!), 'SIGKILL');
  const run = await lab.until(id, ended);
  expect(run).toMatchObject({ state: 'SUCCEEDED', error: null });
  expect(outcomes(run)).toEqual(['LOST', 'SUCCEEDED']);
  await lab.stop(worker);
}, 300_000);

test('a loss that is not finite ends the run with its step and cause, and the last good checkpoint stays', async () => {
  const worker = await lab.startWorker();
  const brain = { ...SMALL.pseudoBrainGenerator, learningRate: 1e9 };
  const { id } = await lab.create({
    settings: { ...SMALL, checkpointEvery: 1, pseudoBrainGenerator: brain },
  });
  const run = await lab.until(id, ended);
  expect(run).toMatchObject({
    state: 'FAILED',
    error: {
      code: 'BAD_INPUT',
      field: 'settings.pseudoBrainGenerator.learningRate',
      stage: 'pseudoBrainGenerator',
    },
  });
  expect(run.error!.message).toMatch(/the (loss|gradient's norm) is (NaN|-?Infinity) at step \d+; lower/);
  expect(run.error!.step).toBeGreaterThan(1);
  expect(run.points.filter((point) => point.name === 'loss')).toHaveLength(run.error!.step! - 1);
  expect(Object.keys(checkpoints(id))).toEqual(['pseudoBrainGenerator.ckpt']);
  expect(await lab.ask('cancel', id)).toEqual([]);
  await expect.poll(() => readdirSync(join(lab.workFolder(id), '..')), { timeout: 30_000 }).toEqual([]);
  expect((await lab.read(id)).state).toBe('CANCELLED');
  await lab.stop(worker);
}, 300_000);

test.skipIf(process.platform === 'win32')(
  'a full disk ends the run with a clear message; the older checkpoint stays whole, and the run goes on from it',
  async () => {
    let worker = await lab.startWorker();
    const settings = { ...SMALL, pseudoBrainGenerator: { ...SMALL.pseudoBrainGenerator, steps: 400 } };
    const { id } = await lab.create({ settings });
    await lab.until(id, (run) => run.step > 10);
    expect(await lab.ask('pause', id)).toEqual([]);
    await lab.until(id, (run) => run.state === 'PAUSED');
    await lab.stop(worker);
    const kept = checkpoints(id);
    expect(Object.keys(kept).length).toBeGreaterThan(0);
    // The system's limit on a file's size stands for the full disk: a write over it fails within a checkpoint.
    worker = await lab.startWorker('ulimit -f 12');
    expect(await lab.ask('resume', id)).toEqual([]);
    const failed = await lab.until(id, ended);
    expect(failed).toMatchObject({ state: 'FAILED', error: { code: 'UNAVAILABLE', field: null } });
    expect(failed.error!.message).toContain('the disk is full');
    expect(failed.error!.stage).toEqual(expect.any(String));
    expect(checkpoints(id)).toEqual(kept);
    await lab.stop(worker);
    worker = await lab.startWorker();
    expect(await lab.ask('resume', id)).toEqual([]);
    expect(await lab.until(id, ended)).toMatchObject({ state: 'SUCCEEDED', error: null });
    await lab.stop(worker);
  },
  400_000,
);
