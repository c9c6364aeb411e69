// Webhooks from the row that changes to the receiver's door, over real HTTP: signed, retried, at least once, holding up nobody.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { postWebhook } from '../../src/jobs/post-webhook.js';
import { sendWebhooks } from '../../src/jobs/send-webhooks.js';
import { createLog } from '../../src/log.js';
import { runWorker, type Worker } from '../../src/queue/worker.js';
import { cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { submitPaintJob, submitPaintJobs } from '../../src/services/paint-job-submission.js';
import { isPrivateAddress } from '../../src/services/webhook-address.js';
import { beginAttempt, endAttempt, RETRY_SECONDS } from '../../src/services/webhook-deliveries.js';
import { type Lab, startLab } from '../support/lab.js';
import { type PaintParts, writePaintParts } from '../support/paint-lab.js';
import { type Received, type Receiver, startReceiver } from '../support/receiver.js';

let lab: Lab;
let parts: PaintParts;
const workers: Worker[] = [];
const receivers: Receiver[] = [];
const facts = { submittedBy: 'local' };

beforeAll(async () => {
  lab = await startLab();
  parts = await writePaintParts(lab.services);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
  for (const receiver of receivers.splice(0)) await receiver.close();
  for (const { id } of await lab.services.store.prisma.webhookEndpoint.findMany({
    where: { deletedAt: null },
  }))
    await mutate('deleteWebhookEndpoint', '{ id: $id }', 'deletedId', { id: `WebhookEndpoint_${id}` });
});
afterAll(async () => lab?.close());

async function mutate(name: string, input: string, selection: string, variables: object = {}) {
  const types: Record<string, string> = {
    id: 'ID!',
    url: 'String!',
    version: 'Int!',
    types: '[WebhookEventType!]',
  };
  const declared = Object.keys(variables).map((key) => `$${key}: ${types[key]}`);
  const query = `mutation${declared.length ? `(${declared})` : ''} {
    ${name}(input: ${input}) { ${selection} userErrors { code field message } } }`;
  const { data, errors } = await lab.send(query, variables);
  expect(errors).toBeUndefined();
  // biome-ignore lint/suspicious/noExplicitAny: payloads of all kinds
  return data![name] as any;
}

async function addReceiver(...answer: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...answer);
  receivers.push(receiver);
  return receiver;
}
async function addEndpoint(url: string, types?: readonly string[]): Promise<{ id: string; secret: string }> {
  const { webhookEndpoint, secret, userErrors } = await mutate(
    'createWebhookEndpoint',
    '{ url: $url, eventTypes: $types }',
    'secret webhookEndpoint { id }',
    { url, types },
  );
  expect(userErrors).toEqual([]);
  return { id: webhookEndpoint.id, secret };
}
async function startSending(): Promise<void> {
  const log = createLog('silent');
  const run = ({ endpointId }: { endpointId: string }, abort: AbortSignal) =>
    sendWebhooks(lab.services, log, endpointId, abort);
  const never = { run: async () => {}, giveUp: async () => {} };
  const options = {
    concurrency: { train: 1, measure: 1, webhooks: 4 },
    onError: () => {},
    beatMs: 200,
    deadAfterMs: 2000,
  };
  workers.push(
    await runWorker(
      lab.services.store,
      { train: never, measure: never, webhooks: { run, giveUp: async () => {} } },
      options,
    ),
  );
}

async function endJob(): Promise<string> {
  const { id } = await submitPaintJob(lab.services, parts.order, facts);
  await cancelPaintJobs(lab.services, { ids: [id] });
  return `PaintJob_${id}`;
}
async function deliveries(endpointId: string) {
  const query = `query($id: ID!) { node(id: $id) { ... on WebhookEndpoint { disabledAt disabledReason failingSince
    deliveries(first: 100) { nodes { id webhookId eventType body state nextAttemptAt attempts { number durationMs statusCode error } } } } } }`;
  const { data } = await lab.send(query, { id: endpointId });
  // biome-ignore lint/suspicious/noExplicitAny: a document of this file
  const node = data!.node as any;
  return { ...node, nodes: node.deliveries.nodes };
}
/** The check that a receiver makes, written after the convention and not after our code. */
function verifies({ headers, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const wanted = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
  return String(headers['webhook-signature']).split(' ').includes(wanted);
}

test('a job, its batch: each told once, signed, with ids and a state and nothing else', async () => {
  const receiver = await addReceiver();
  const { id, secret } = await addEndpoint(receiver.url);
  await startSending();
  const order = { common: parts.order, axes: [], runs: 2 };
  const { batch } = await submitPaintJobs(lab.services, order as never, facts);
  const jobs = await lab.services.store.prisma.paintJob.findMany({ where: { batchId: batch!.id } });
  await cancelPaintJobs(lab.services, { ids: [jobs[0]!.id] });
  await expect.poll(() => receiver.received.length).toBe(1);
  await cancelPaintJobs(lab.services, { ids: [jobs[1]!.id] });
  await expect.poll(() => receiver.received.length).toBe(3);
  const bodies = receiver.received.map(({ body }) => JSON.parse(body));
  const batchId = `PaintJobBatch_${batch!.id}`;
  expect(bodies.map(({ timestamp: _, ...rest }) => rest)).toEqual([
    { type: 'paint_job.ended', data: { id: `PaintJob_${jobs[0]!.id}`, batchId, state: 'CANCELLED' } },
    { type: 'paint_job.ended', data: { id: `PaintJob_${jobs[1]!.id}`, batchId, state: 'CANCELLED' } },
    { type: 'paint_job_batch.ended', data: { id: batchId } },
  ]);
  for (const request of receiver.received) {
    expect(verifies(request, secret)).toBe(true);
    expect(verifies({ ...request, body: `${request.body} ` }, secret)).toBe(false);
    expect(Math.abs(Number(request.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
  }
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
  const states = async () => (await deliveries(id)).nodes.map((node: { state: string }) => node.state);
  await expect.poll(states).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
  const { nodes } = await deliveries(id);
  expect(nodes[2].attempts).toEqual([
    { number: 1, durationMs: expect.any(Number), statusCode: 200, error: null },
  ]);
});

test('what is rolled back is not told; types that were not asked for are not told; no endpoint, no rows', async () => {
  const { prisma } = lab.services.store;
  const before = await prisma.webhookEvent.count();
  await endJob();
  expect(await prisma.webhookEvent.count()).toBe(before);
  await addEndpoint('http://127.0.0.1:9/hook', ['TRAINING_RUN_ENDED']);
  await endJob();
  expect(await prisma.webhookEvent.count()).toBe(before);
  await addEndpoint('http://127.0.0.1:9/hook', ['PAINT_JOB_ENDED']);
  const { id } = await submitPaintJob(lab.services, parts.order, facts);
  const rolledBack = prisma.$transaction(async (tx) => {
    await tx.paintJob.update({ where: { id }, data: { state: 'CANCELLED', finishedAt: new Date() } });
    expect(await tx.webhookEvent.count()).toBe(before + 1);
    throw new Error('rolled back');
  });
  await expect(rolledBack).rejects.toThrow('rolled back');
  expect(await prisma.webhookEvent.count()).toBe(before);
});

test('a receiver that hangs and one that is gone hold neither jobs nor other receivers', async () => {
  const hanging = await addReceiver(() => {});
  const gone = await addReceiver();
  await gone.close();
  const well = await addReceiver();
  const [first, second] = [await addEndpoint(hanging.url), await addEndpoint(gone.url)];
  await addEndpoint(well.url, ['PAINT_JOB_ENDED']);
  await startSending();
  const started = Date.now();
  for (let i = 0; i < 3; i++) await endJob();
  expect(Date.now() - started).toBeLessThan(5000);
  await expect.poll(() => well.received.length).toBe(3);
  await expect.poll(async () => (await deliveries(second.id)).failingSince).not.toBeNull();
  const refused = (await deliveries(second.id)).nodes.flatMap(
    (node: { attempts: object[] }) => node.attempts,
  );
  expect(refused[0]).toMatchObject({ statusCode: null, error: 'the connection was refused' });
  // The hanging one is asked once at a time, for 15 s.
  expect(hanging.received).toHaveLength(1);
  await expect
    .poll(async () => (await deliveries(first.id)).failingSince, { timeout: 25_000 })
    .not.toBeNull();
  const attempts = (await deliveries(first.id)).nodes.flatMap(
    (node: { attempts: object[] }) => node.attempts,
  );
  expect(attempts[0]).toMatchObject({ statusCode: null, error: 'no answer within 15 s' });
});

test('500, then 200: tried again after about five seconds, under the same id; redirects are a failure', async () => {
  const receiver = await addReceiver((response, number) => {
    response.statusCode = number === 1 ? 500 : 200;
    response.end();
  });
  const elsewhere = await addReceiver();
  const redirecting = await addReceiver((response) => {
    response.writeHead(307, { location: elsewhere.url }).end();
  });
  const { id } = await addEndpoint(receiver.url, ['PAINT_JOB_ENDED']);
  const other = await addEndpoint(redirecting.url, ['PAINT_JOB_ENDED']);
  await startSending();
  await endJob();
  await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(2);
  const [one, two] = receiver.received;
  expect(two!.headers['webhook-id']).toBe(one!.headers['webhook-id']);
  expect(two!.body).toBe(one!.body);
  await expect.poll(async () => (await deliveries(id)).nodes[0].state).toBe('SUCCEEDED');
  const { nodes, failingSince } = await deliveries(id);
  expect(failingSince).toBeNull();
  expect(nodes[0].attempts.map((a: { statusCode: number }) => a.statusCode)).toEqual([500, 200]);
  expect(nodes[0].attempts[0].error).toBe('the receiver answered 500');
  expect((await deliveries(other.id)).nodes[0].attempts[0].error).toContain('redirects are not followed');
  expect(elsewhere.received).toEqual([]);
});

test('rotation: both secrets sign; test event; redelivery under the same id', async () => {
  const receiver = await addReceiver();
  const { id, secret } = await addEndpoint(receiver.url);
  await startSending();
  const rotated = await mutate('rotateWebhookSecret', '{ id: $id }', 'secret webhookEndpoint { version }', {
    id,
  });
  expect(rotated.secret).not.toBe(secret);
  const sent = await mutate('sendTestWebhook', '{ id: $id }', 'webhookDelivery { id webhookId }', { id });
  await expect.poll(() => receiver.received.length).toBe(1);
  expect(verifies(receiver.received[0]!, secret)).toBe(true);
  expect(verifies(receiver.received[0]!, rotated.secret)).toBe(true);
  expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({ type: 'test', data: { id } });
  await expect.poll(async () => (await deliveries(id)).nodes[0].state).toBe('SUCCEEDED');
  // The time of the old one is over.
  await mutate('rotateWebhookSecret', '{ id: $id, keepOldForHours: 0 }', 'secret', { id });
  await mutate('redeliverWebhook', '{ id: $id }', 'webhookDelivery { state }', {
    id: sent.webhookDelivery.id,
  });
  await expect.poll(() => receiver.received.length).toBe(2);
  expect(receiver.received[1]!.headers['webhook-id']).toBe(sent.webhookDelivery.webhookId);
  expect(verifies(receiver.received[1]!, secret)).toBe(false);
  expect(verifies(receiver.received[1]!, rotated.secret)).toBe(false);
  // Nothing tells a secret again: not the rows of the audit either.
  const audit = JSON.stringify(await lab.services.store.prisma.auditEvent.findMany(), (_, v) =>
    typeof v === 'bigint' ? String(v) : v,
  );
  expect(audit).toContain('rotateWebhookSecret');
  expect(audit).not.toContain('whsec_');
});

test('the schedule ends: a delivery is given up, an endpoint disabled; both said, both can be taken up again', async () => {
  const { services } = lab;
  const { id } = await addEndpoint('http://127.0.0.1:9/hook', ['PAINT_JOB_ENDED']);
  const key = id.slice('WebhookEndpoint_'.length);
  await endJob();
  const failure = { durationMs: 1, statusCode: 500, error: 'the receiver answered 500' };
  for (const seconds of [...RETRY_SECONDS, undefined]) {
    const attempt = (await beginAttempt(services, key))!;
    const before = Date.now();
    await endAttempt(services, attempt, failure, 0.5);
    // Its next turn is as far away as the schedule says; nothing of this endpoint is due before.
    expect(await beginAttempt(services, key)).toBeUndefined();
    const delivery = await services.store.prisma.webhookDelivery.findFirstOrThrow({
      where: { endpointId: key },
    });
    const wait = delivery.nextAttemptAt && (delivery.nextAttemptAt.getTime() - before) / 1000;
    if (seconds === undefined) expect([delivery.state, wait]).toEqual(['FAILED', null]);
    else expect(Math.abs(wait! - seconds)).toBeLessThan(5);
    const past = new Date(Date.now() - 1000);
    if (wait)
      await services.store.prisma.webhookDelivery.updateMany({
        where: { endpointId: key },
        data: { nextAttemptAt: past },
      });
    await services.store.prisma.webhookEndpoint.update({ where: { id: key }, data: { resumeAt: past } });
  }
  const sixDaysAgo = new Date(Date.now() - 6 * 24 * 3_600_000);
  await services.store.prisma.webhookEndpoint.update({
    where: { id: key },
    data: { failingSince: sixDaysAgo },
  });
  await endJob();
  await endAttempt(services, (await beginAttempt(services, key))!, failure);
  const disabled = await deliveries(id);
  expect(disabled.disabledReason).toContain('nothing could be delivered since');
  expect(disabled.disabledAt).not.toBeNull();
  const told = disabled.nodes.length;
  await endJob();
  expect((await deliveries(id)).nodes).toHaveLength(told);
  const refused = await mutate('sendTestWebhook', '{ id: $id }', 'webhookDelivery { id }', { id });
  expect(refused.userErrors[0].code).toBe('CONFLICT');
  const { version } = await services.store.prisma.webhookEndpoint.findUniqueOrThrow({ where: { id: key } });
  const input = '{ id: $id, expectedVersion: $version, enabled: true }';
  const enabled = await mutate('updateWebhookEndpoint', input, 'webhookEndpoint { disabledAt }', {
    id,
    version,
  });
  expect(enabled).toEqual({ webhookEndpoint: { disabledAt: null }, userErrors: [] });
  const stale = await mutate('updateWebhookEndpoint', input, 'webhookEndpoint { id }', { id, version });
  expect(stale.userErrors[0]).toMatchObject({ code: 'CONFLICT', field: 'expectedVersion' });
});

test('addresses that are none, hold a password or are private are refused', async () => {
  const remote = { ...lab.services, privateWebhooks: false };
  const { createWebhookEndpoint } = await import('../../src/services/webhooks.js');
  const bad = ['ftp://x.example', 'not an address', 'https://a:b@x.example', 'http://x.example/hook'];
  const inside = [
    'https://localhost/',
    'https://127.1/',
    'https://2130706433/',
    'https://[::1]/',
    'https://10.1.2.3/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest',
  ];
  for (const url of [...bad, ...inside])
    await expect(createWebhookEndpoint(remote, { url }), url).rejects.toMatchObject({
      code: 'BAD_INPUT',
      field: 'url',
    });
  expect(['8.8.8.8', '2606:4700::1111'].map(isPrivateAddress)).toEqual([false, false]);
  expect(['172.31.0.1', 'fd00::1', 'fe80::1', '::', '2002:7f00:1::'].map(isPrivateAddress)).toEqual(
    Array(5).fill(true),
  );
  const empty = await mutate('createWebhookEndpoint', '{ url: $url, eventTypes: $types }', 'secret', {
    url: 'http://127.0.0.1/',
    types: ['TEST'],
  });
  expect(empty.userErrors[0]).toMatchObject({ code: 'BAD_INPUT', field: 'eventTypes' });
});

test('a public name that points to a private address is refused when it is resolved', async () => {
  const receiver = await addReceiver();
  const abort = new AbortController().signal;
  const post = (url: string, allowPrivate: boolean) =>
    postWebhook(url, '{}', {}, { allowPrivate, timeoutMs: 5000, abort });
  // As any name would; this one resolves everywhere.
  const url = receiver.url.replace('127.0.0.1', 'localhost');
  expect((await post(url, false)).error).toContain('private');
  expect((await post(receiver.url, false)).error).toContain('private');
  expect(receiver.received).toEqual([]);
  expect((await post(url, true)).error).toBeNull();
});

test('kill -9 in the middle of a delivery: it arrives again, under the same id', {
  timeout: 120_000,
}, async () => {
  const receiver = await addReceiver((response, number) => {
    if (number > 1) response.end();
  });
  // These workers paint: what other tests have left would end, and be told, too.
  await cancelPaintJobs(lab.services, { submittedBy: 'local' });
  const { id } = await addEndpoint(receiver.url, ['PAINT_JOB_ENDED']);
  const start = () =>
    spawn(process.execPath, ['--import', 'tsx', 'src/main/worker.ts'], {
      env: {
        ...process.env,
        DATABASE_URL: lab.databaseUrl,
        MINDPAINTER_DATA_DIR: lab.folder,
        WEBHOOK_PRIVATE_ADDRESSES: 'allow',
        LOG_LEVEL: 'silent',
      },
      stdio: 'ignore',
    });
  await endJob();
  const first = start();
  await expect.poll(() => receiver.received.length, { timeout: 40_000 }).toBe(1);
  first.kill('SIGKILL');
  await once(first, 'exit');
  const second = start();
  await expect.poll(() => receiver.received.length, { timeout: 60_000 }).toBe(2);
  const [one, two] = receiver.received.map(({ headers }) => headers['webhook-id']);
  expect(two).toBe(one);
  await expect.poll(async () => (await deliveries(id)).nodes[0].state).toBe('SUCCEEDED');
  const { attempts } = (await deliveries(id)).nodes[0];
  expect(attempts.map((a: { error: string | null }) => a.error)).toEqual([
    expect.stringContaining('the worker was lost'),
    null,
  ]);
  second.kill('SIGTERM');
  await once(second, 'exit');
});

test('the receiver of docs/guides/webhooks.md, as it stands there', async () => {
  const guide = readFileSync('docs/guides/webhooks.md', 'utf8');
  const program = join(lab.folder, 'receiver.mts');
  writeFileSync(program, /```ts\n([\s\S]*?)```/.exec(guide)![1]!);
  // A port that was free a moment ago.
  const taken = await startReceiver();
  await taken.close();
  const { id, secret } = await addEndpoint(taken.url);
  const { port } = new URL(taken.url);
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    env: { ...process.env, PORT: port, WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const forge = () =>
    fetch(taken.url, { method: 'POST', body: '{"type":"test","data":{"id":"forged"}}' }).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(forge, { timeout: 20_000 }).toBe(401);
  await startSending();
  const sent = await mutate('sendTestWebhook', '{ id: $id }', 'webhookDelivery { id }', { id });
  await expect.poll(async () => (await deliveries(id)).nodes[0].attempts[0]?.statusCode).toBe(204);
  await mutate('redeliverWebhook', '{ id: $id }', 'webhookDelivery { id }', { id: sent.webhookDelivery.id });
  await expect.poll(async () => (await deliveries(id)).nodes[0].attempts[1]?.statusCode).toBe(204);
  expect(output).toBe(`test ${id} \n`);
  child.kill();
  await once(child, 'exit');
});
