// Training runs through the API: data in, curve and figures out, a model that paints; and what bad input is told.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { describeBundle } from '../../src/main/platform.js';
import { loadBundle } from '../../src/painter/bundle.js';
import { registerModel } from '../../src/services/models.js';
import { PAINT_BY_EXAMPLE, TINY, writeTinyBundle } from '../support/tiny-bundle.js';
import {
  ended,
  LABELS,
  linkStimuli,
  picturePng,
  STIMULI,
  sessionFiles,
  startTrainingLab,
  type TrainingLab,
} from '../support/training-lab.js';

let lab: TrainingLab;

beforeAll(async () => {
  lab = await startTrainingLab();
  await lab.importSession('01', STIMULI, { seed: 1, labels: LABELS });
  await lab.importSession('02', STIMULI, { seed: 2 });
  await linkStimuli(lab);
}, 90_000);

afterAll(() => lab?.close(), 30_000);

test('a subject with sessions and stimuli gets a model that paints', async () => {
  const worker = await lab.startWorker();
  const { id, errors } = await lab.create({ name: 'mine' });
  expect(errors).toEqual([]);
  const client = createClient({
    url: `${lab.lab.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
  });
  const seen: { state: string; stage: string | null; step: number }[] = [];
  for await (const event of client.iterate<{ trainingRunUpdated: (typeof seen)[number] }>({
    query: 'subscription($id: ID!) { trainingRunUpdated(id: $id) { state stage step } }',
    variables: { id },
  }))
    seen.push(event.data!.trainingRunUpdated);
  await client.dispose();
  expect(seen.at(-1)).toMatchObject({ state: 'SUCCEEDED' });
  const run = await lab.read(id);
  expect(run.error).toBeNull();
  expect(run.heldOutStimuli).toHaveLength(3);
  expect([...run.heldOutStimuli, ...run.trainingStimuli].sort()).toEqual(STIMULI);
  for (const stage of ['pseudoBrainGenerator', 'brainAdapter', 'diffusion', 'judge']) {
    const losses = run.points.filter((point) => point.stage === stage && point.name === 'loss');
    const steps = { diffusion: 10, judge: 6 }[stage] ?? 20;
    expect(losses.map((point) => point.step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
    expect(losses.every((point) => Number.isFinite(point.value))).toBe(true);
  }
  const heldOut = run.points.filter((point) => point.name.startsWith('heldOut'));
  expect(new Set(heldOut.map((point) => point.name))).toEqual(
    new Set([
      'heldOutVoxelCorrelation',
      'heldOutRetrievalForward',
      'heldOutRetrievalBackward',
      'heldOutTwoWayIdentification',
      'heldOutLoss',
      'heldOutAccuracy',
    ]),
  );
  expect(run.metrics).toHaveLength(13);
  for (const metric of run.metrics) expect(metric.value, metric.name).toEqual(expect.any(Number));
  const correlations = run.metrics.filter((metric) => metric.name.endsWith('voxelCorrelation'));
  for (const { ceiling } of correlations) {
    expect(ceiling).toBeGreaterThan(0.5);
    expect(ceiling).toBeLessThanOrEqual(1);
  }
  // Each stimulus was told its label by the first table; the judge knows both and saw no held-out picture.
  expect(seen.some(({ stage }) => stage === 'paintings' || stage === 'judge')).toBe(true);
  const judged = run.metrics.filter((metric) => /^(painting|judge)\./.test(metric.name));
  expect(judged.map(({ name, signals, stimuli }) => [name, signals, stimuli])).toEqual([
    ['painting.fullMaskAccuracy', 'SINGLE_TRIALS', 2],
    ['painting.centreMaskAccuracy', 'SINGLE_TRIALS', 2],
    ['painting.shuffledAccuracy', 'SINGLE_TRIALS', 2],
    ['judge.heldOutAccuracy', null, 3],
  ]);
  for (const { value, low, high, chance } of judged) {
    expect(low).toBeLessThanOrEqual(value!);
    expect(high).toBeGreaterThanOrEqual(value!);
    expect(chance).toBeGreaterThanOrEqual(0.5);
  }
  expect(run.provenance).toMatchObject({
    judge: { labels: ['cat', 'dog'], trainingPictures: 5, heldOutPictures: 3, paintedTrials: 2 },
    code: { version: '0.1.0' },
    sessions: [{ label: '01', voxels: TINY.voxels }, { label: '02' }],
    baseModel: { files: { 'unet/model.onnx': expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
  expect((run.provenance!.stimuli as unknown[]).length).toBe(8);
  expect(run.model).toMatchObject({ name: 'mine' });
  await expect.poll(() => existsSync(lab.workFolder(id)), { timeout: 30_000 }).toBe(false);

  const { data } = await lab.lab.send(
    'query($id: ID!, $model: ID!) { trainingRun(id: $id) { fmriSessions { trials(first: 1) { nodes { id } } } } node(id: $model) { ... on Model { subjectLabel simulated trainingRun { id } } } }',
    { id, model: run.model!.id },
  );
  expect(data!.node).toEqual({ subjectLabel: '07', simulated: true, trainingRun: { id } });
  const sessions = (data!.trainingRun as { fmriSessions: { trials: { nodes: { id: string }[] } }[] })
    .fmriSessions;
  const imageId = await lab.uploadPicture(77);
  const mask = await lab.mutate('createMask', 'CreateMaskInput', 'mask { id }', { imageId, shape: 'FULL' });
  const job = await lab.mutate('submitPaintJob', 'SubmitPaintJobInput', 'paintJob { id }', {
    imageId,
    maskId: (mask.mask as { id: string }).id,
    modelId: run.model!.id,
    trialIds: [sessions[0]!.trials.nodes[0]!.id],
  });
  const jobId = (job.paintJob as { id: string }).id;
  await expect
    .poll(
      async () => {
        const answer = await lab.lab.send('query($id: ID!) { paintJob(id: $id) { state } }', { id: jobId });
        return (answer.data!.paintJob as { state: string }).state;
      },
      { timeout: 120_000 },
    )
    .toBe('SUCCEEDED');
  await lab.stop(worker);
}, 300_000);

test('two runs at once: the second waits; painting goes on; a queued one is cancelled at once', async () => {
  const worker = await lab.startWorker();
  const settings = {
    checkpointEvery: 1000,
    pseudoBrainGenerator: { steps: 1_000_000, batch: 4, hidden: 16, blocks: 1 },
  };
  const first = await lab.create({ settings });
  await lab.until(first.id, (run) => run.state === 'RUNNING' && run.step > 0);
  const second = await lab.create();
  await new Promise((done) => setTimeout(done, 1500));
  expect(await lab.read(second.id)).toMatchObject({ state: 'QUEUED', attempts: [] });
  expect(await lab.ask('cancel', second.id)).toEqual([]);
  expect(await lab.read(second.id)).toMatchObject({ state: 'CANCELLED', attempts: [] });
  expect(await lab.ask('cancel', first.id)).toEqual([]);
  const run = await lab.until(first.id, ended);
  expect(run).toMatchObject({ state: 'CANCELLED', attempts: [{ outcome: 'CANCELLED' }], model: null });
  await expect.poll(() => existsSync(lab.workFolder(first.id))).toBe(false);
  expect((await lab.ask('resume', first.id))[0]).toMatchObject({ code: 'CONFLICT', field: 'id' });
  await lab.stop(worker);
}, 300_000);

test('a Paint by Example export keeps its UNet; without repetitions the ceiling is undefined, and the run says why', async () => {
  const folder = join(lab.lab.folder, 'paint-by-example');
  const conventions = { ...PAINT_BY_EXAMPLE.conventions, name: 'exported' };
  await writeTinyBundle(folder, { ...PAINT_BY_EXAMPLE, conventions });
  const base = await registerModel(lab.lab.services, await describeBundle(folder));
  const sessionIds = [await lab.importSession('03', STIMULI, { repetitions: 1 })];
  const worker = await lab.startWorker();
  const { id, errors } = await lab.create({
    sessionIds,
    baseModelId: `Model_${base.id}`,
    parts: ['PSEUDO_BRAIN_GENERATOR', 'BRAIN_ADAPTER'],
  });
  expect(errors).toEqual([]);
  const run = await lab.until(id, ended);
  expect(run).toMatchObject({ state: 'SUCCEEDED', error: null });
  expect(run.points.some((point) => point.stage === 'diffusion')).toBe(false);
  const metric = (name: string, signals: string | null) =>
    run.metrics.find((one) => one.name === name && one.signals === signals);
  expect(metric('pseudoBrainGenerator.voxelCorrelation', 'SINGLE_TRIALS')).toMatchObject({
    value: expect.any(Number),
    ceiling: null,
    undefinedReason: expect.stringContaining('needs repetitions'),
  });
  expect(metric('brainAdapter.retrievalForward', 'MEAN_OF_REPETITIONS')).toMatchObject({
    value: null,
    undefinedReason: expect.stringContaining('shown twice'),
  });
  expect(metric('diffusion.loss', null)).toMatchObject({ value: null, undefinedReason: expect.any(String) });
  const bundle = await loadBundle(join(lab.lab.folder, 'models', id.replace('TrainingRun_', '')));
  expect(bundle.hash).toBe(run.model!.hash);
  const { files } = bundle.conventions;
  const given = (await loadBundle(folder)).conventions.files;
  for (const name of ['unet/model.onnx', 'mapper/model.onnx', 'uncond_vector.bin', 'vae_encoder/model.onnx'])
    expect(files[name]).toBe(given[name]);
  expect(files['brain_adapter/model.onnx']).not.toBe(given['brain_adapter/model.onnx']);
  await lab.stop(worker);
}, 300_000);

/** Runs the command line to its end. */
async function command(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args, '--json']);
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said.err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, ...said };
}

test('the command line brings files, trains, and prints the run; what it is refused for it says without a stack', async () => {
  const folder = join(lab.lab.folder, 'files');
  const pictures = join(folder, 'stimuli');
  mkdirSync(pictures, { recursive: true });
  const names = ['one', 'two', 'three', 'four', 'five'];
  for (const [i, name] of names.entries())
    writeFileSync(join(pictures, `${name}.png`), await picturePng(60 + i));
  const files = sessionFiles(names);
  writeFileSync(join(folder, 'b.npy'), files['input.betas'].bytes);
  writeFileSync(join(folder, 't.csv'), files['input.trials'].bytes);
  const worker = await lab.startWorker();
  const brain = ['steps=5', 'batch=2', 'hidden=16', 'blocks=1'];
  const sets = [
    ...brain.flatMap((pair) => [`pseudoBrainGenerator.${pair}`, `brainAdapter.${pair}`]),
    ...['diffusion.steps=2', 'diffusion.batch=2', 'diffusion.poolSize=4', 'seed=3'],
  ];
  const args = [
    ...['--server', lab.lab.url, '--subject', 'sub-08', '--base', 'tiny', '--held-out', 'one,two'],
    ...['--session', `01=${join(folder, 'b.npy')},${join(folder, 't.csv')}`, '--stimuli', pictures],
    ...sets.flatMap((pair) => ['--set', pair]),
  ];
  const done = await command('train', ...args, '--name', 'by command');
  expect(done.err).toMatch(/succeeded\n$/);
  expect(done.code).toBe(0);
  const run = JSON.parse(done.out);
  expect(run).toMatchObject({ state: 'SUCCEEDED', name: 'by command', error: null });
  const { heldOutStimuli, settings, metrics } = await lab.read(run.id);
  expect(heldOutStimuli).toEqual(['one', 'two']);
  expect(settings).toMatchObject({ seed: 3, tau: 0.07, diffusion: { steps: 2, conditionDropout: 0.12 } });
  expect(metrics.find((metric) => metric.name === 'painting.fullMaskAccuracy')).toMatchObject({
    value: null,
    undefinedReason: expect.stringContaining('no stimulus has a label'),
  });
  const refused = await command('train', ...args, '--set', 'brainAdapter.batch=9');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('settings.brainAdapter.batch: a batch of 9');
  expect(refused.err).not.toMatch(/\bat .*\.ts:\d/);
  expect((await command('watch', run.id, '--server', lab.lab.url)).out).toBe(done.out);
  const nowhere = await command('watch', run.id, '--server', 'http://127.0.0.1:4');
  expect(nowhere).toMatchObject({
    code: 5,
    err: expect.stringContaining('no server answers at http://127.0.0.1:4'),
  });
  await lab.stop(worker);
}, 300_000);
