// Batches, keys, retries, cancels, events, devices and withdrawals through the API; no worker runs here but the test's own.

import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { takeDevice } from '../../src/services/devices.js';
import { claimPaintJob, finishPaintJob } from '../../src/services/paint-job-attempts.js';
import { type Lab, startLab } from '../support/lab.js';
import { type PaintParts, writePaintParts } from '../support/paint-lab.js';

let lab: Lab;
let parts: PaintParts;
let common: object;
const worker = randomUUID();

interface UserError {
  readonly code: string;
  readonly field: string | null;
  readonly index: number | null;
}
interface Job {
  readonly id: string;
  readonly state: string;
}
interface Batch {
  readonly id: string;
  readonly jobCount: number;
  readonly stateCounts: { state: string; count: number }[];
  readonly paintJobs: { nodes: Job[]; totalCount: number | null };
}
const BATCH =
  'batch { id jobCount stateCounts { state count } paintJobs(first: 100) { totalCount nodes { id state } } } userErrors { code field index }';

async function ask<T>(query: string, variables: object = {}): Promise<T> {
  const { data, errors } = await lab.send(query, variables);
  expect(errors).toBeUndefined();
  return Object.values(data!)[0] as T;
}
const submit = (input: object) =>
  ask<{ batch: Batch | null; userErrors: UserError[] }>(
    `mutation($input: SubmitPaintJobsInput!) { submitPaintJobs(input: $input) { ${BATCH} } }`,
    { input: { common, ...input } },
  );
const eventsOf = (batchId: string, after: string) =>
  ask<{ sequence: string; state: string; paintJob: Job }[]>(
    'query($b: ID!, $a: String!) { paintJobEvents(batchId: $b, after: $a) { sequence state paintJob { id } } }',
    { b: batchId, a: after },
  );

beforeAll(async () => {
  lab = await startLab();
  parts = await writePaintParts(lab.services);
  const { imageId, maskId, modelId, trialIds } = parts.order;
  common = {
    imageId: `SourceImage_${imageId}`,
    maskId: `Mask_${maskId}`,
    modelId: `Model_${modelId}`,
    trialIds: trialIds.map((id) => `Trial_${id}`),
  };
  await takeDevice(lab.services, worker);
});
afterAll(async () => lab?.close());

test('a batch with its key; its faults by index; its events, live and again; cancel and retry', async () => {
  const wrong = await submit({ axes: [[{ seed: 1 }, { seed: -1 }, { maskId: 'nonsense' }]] });
  expect(wrong).toEqual({ batch: null, userErrors: [{ code: 'BAD_INPUT', field: 'seed', index: 1 }] });
  const missing = await submit({ axes: [[{ seed: 1 }, { maskId: 'nonsense' }]] });
  expect(missing.userErrors).toEqual([{ code: 'NOT_FOUND', field: 'maskId', index: 1 }]);
  const { batch } = await submit({ axes: [[{ steps: 5 }, { steps: 6 }]], runs: 2, idempotencyKey: 'k' });
  expect(batch).toMatchObject({ jobCount: 4, stateCounts: [{ state: 'QUEUED', count: 4 }] });
  expect(batch!.paintJobs).toMatchObject({ totalCount: 4 });
  const again = await submit({ axes: [[{ steps: 5 }, { steps: 6 }]], runs: 2, idempotencyKey: 'k' });
  expect(again.batch!.id).toBe(batch!.id);
  const other = await submit({ axes: [[{ steps: 5 }]], idempotencyKey: 'k' });
  expect(other.userErrors).toEqual([{ code: 'CONFLICT', field: 'idempotencyKey', index: null }]);

  const events = await eventsOf(batch!.id, '0');
  expect(events.map((event) => event.state)).toEqual(Array(4).fill('QUEUED'));
  const client = createClient({ url: `${lab.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
  const live: string[] = [];
  const watching = (async () => {
    for await (const { data } of client.iterate<{ paintJobEvents: { state: string } }>({
      query:
        'subscription($b: ID!, $a: String!) { paintJobEvents(batchId: $b, after: $a) { sequence state } }',
      variables: { b: batch!.id, a: events.at(-1)!.sequence },
    })) {
      live.push(data!.paintJobEvents.state);
      if (live.length === 5) break;
    }
  })();
  const job = (await claimPaintJob(lab.services, worker))!;
  await finishPaintJob(lab.services, job, {
    state: 'FAILED',
    errorCode: 'UNAVAILABLE',
    errorMessage: 'no luck',
  });
  const cancelled = await ask(
    'mutation($input: CancelPaintJobsInput!) { cancelPaintJobs(input: $input) { cancelledCount stoppingCount userErrors { code } } }',
    { input: { batchId: batch!.id, mine: true } },
  );
  expect(cancelled).toEqual({ cancelledCount: 3, stoppingCount: 0, userErrors: [] });
  await watching;
  await client.dispose();
  expect(live).toEqual(['RUNNING', 'FAILED', 'CANCELLED', 'CANCELLED', 'CANCELLED']);

  const retried = await ask<{ batch: Batch }>(
    `mutation($input: RetryPaintJobsInput!) { retryPaintJobs(input: $input) { ${BATCH} } }`,
    { input: { ids: [`PaintJob_${job.id}`] } },
  );
  const old = await ask(
    'query($id: ID!) { paintJob(id: $id) { attempts { outcome error } retries { id retriedFrom { id } } estimate { queuePosition } } }',
    { id: `PaintJob_${job.id}` },
  );
  expect(old).toEqual({
    attempts: [{ outcome: 'FAILED', error: 'no luck' }],
    retries: [{ id: retried.batch.paintJobs.nodes[0]!.id, retriedFrom: { id: `PaintJob_${job.id}` } }],
    estimate: null,
  });
});

test('a device is paused and resumed; a queued job says where it stands', async () => {
  const [device] = await ask<{ id: string; state: string }[]>('{ devices(first: 10) { id state } }');
  expect(device!.state).toBe('ONLINE');
  const paused = await ask(
    'mutation($input: PauseDeviceInput!) { pauseDevice(input: $input) { device { state pauseReason } userErrors { code } } }',
    { input: { id: device!.id, reason: 'a new fan' } },
  );
  expect(paused).toEqual({ device: { state: 'PAUSED', pauseReason: 'a new fan' }, userErrors: [] });
  const { nodes } = await ask<{ nodes: { estimate: object; submittedBy: string; priority: number }[] }>(
    '{ paintJobs(state: QUEUED, first: 9) { nodes { submittedBy priority estimate { queuePosition startsInSeconds } } } }',
  );
  expect(nodes).toEqual([
    { submittedBy: 'local', priority: 0, estimate: { queuePosition: 1, startsInSeconds: null } },
  ]);
  const resumed = await ask(
    'mutation($input: ResumeDeviceInput!) { resumeDevice(input: $input) { device { state } userErrors { code } } }',
    { input: { id: device!.id } },
  );
  expect(resumed).toEqual({ device: { state: 'ONLINE' }, userErrors: [] });
});

test('what a subject withdraws is reported first, and then answers as if it did not exist', async () => {
  const subjectId = `Subject_${parts.subjectId}`;
  const job = (await claimPaintJob(lab.services, worker))!;
  await finishPaintJob(lab.services, job, {
    state: 'SUCCEEDED',
    paintings: [{ index: 0, pngSha256: 'p', thumbnailSha256: 't', outsideMaskDifferentPixels: 0 }],
  });
  const painting = await lab.services.store.prisma.painting.findFirstOrThrow();
  const report = await ask<{ digest: string; paintingCount: number }>(
    'query($id: ID!) { subjectWithdrawalReport(subjectId: $id) { digest paintJobCount paintingCount ratingCount subject { label } } }',
    { id: subjectId },
  );
  expect(report).toMatchObject({
    paintJobCount: 5,
    paintingCount: 1,
    ratingCount: 0,
    subject: { label: '01' },
  });
  const withdraw = (digest: string) =>
    ask<{ report: object | null; userErrors: UserError[] }>(
      'mutation($input: WithdrawSubjectInput!) { withdrawSubject(input: $input) { report { paintingCount } userErrors { code field } } }',
      { input: { subjectId, reason: 'asked by letter', digest } },
    );
  expect((await withdraw('old')).userErrors).toEqual([{ code: 'CONFLICT', field: 'digest' }]);
  expect(await withdraw(report.digest)).toEqual({ report: { paintingCount: 1 }, userErrors: [] });
  const ids = [
    subjectId,
    `Trial_${parts.trialIds[0]}`,
    `PaintJob_${job.id}`,
    `Painting_${painting.id}`,
    `Model_${parts.order.modelId}`,
  ];
  for (const id of ids)
    expect([id, await ask('query($id: ID!) { node(id: $id) { id } }', { id })]).toEqual([id, null]);
  expect(await ask('{ paintJobs(first: 9) { totalCount nodes { id } } }')).toEqual({
    totalCount: 0,
    nodes: [],
  });
  const label = await ask(
    'mutation { createSubject(input: { label: "01" }) { subject { id } userErrors { code field } } }',
  );
  expect(label).toEqual({ subject: null, userErrors: [{ code: 'CONFLICT', field: 'label' }] });
});
