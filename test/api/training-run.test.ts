// Training runs through the API: data in, curve and figures out, a model that paints; and what bad input is told.

import { existsSync } from 'node:fs';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { TINY } from '../support/tiny-bundle.js';
import { ended, linkStimuli, STIMULI, startTrainingLab, type TrainingLab } from '../support/training-lab.js';

let lab: TrainingLab;

beforeAll(async () => {
  lab = await startTrainingLab();
  await lab.importSession('01', STIMULI, { seed: 1 });
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
  for (const stage of ['pseudoBrainGenerator', 'brainAdapter', 'diffusion']) {
    const losses = run.points.filter((point) => point.stage === stage && point.name === 'loss');
    const steps = stage === 'diffusion' ? 10 : 20;
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
    ]),
  );
  expect(run.metrics).toHaveLength(9);
  for (const metric of run.metrics) expect(metric.value, metric.name).toEqual(expect.any(Number));
  const correlations = run.metrics.filter((metric) => metric.name.endsWith('voxelCorrelation'));
  for (const { ceiling } of correlations) {
    expect(ceiling).toBeGreaterThan(0.5);
    expect(ceiling).toBeLessThanOrEqual(1);
  }
  expect(run.provenance).toMatchObject({
    code: { version: '0.1.0' },
    sessions: [{ label: '01', voxels: TINY.voxels }, { label: '02' }],
    baseModel: { files: { 'unet/model.onnx': expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
  expect((run.provenance!.stimuli as unknown[]).length).toBe(8);
  expect(run.model).toMatchObject({ name: 'mine' });
  expect(existsSync(lab.workFolder(id))).toBe(false);

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
