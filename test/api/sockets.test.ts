// What operations over WebSocket and event streams have in common with those over HTTP: measures, spans, an id in the logs,
// errors that tell nothing, limits.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type Client, createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { MAX_OPEN } from '../../src/api/execution.js';
import { createLog } from '../../src/log.js';
import { cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { submitPaintJob } from '../../src/services/paint-job-submission.js';
import { startTracing } from '../../src/telemetry/tracing.js';
import { type Lab, startLab } from '../support/lab.js';
import { type PaintParts, writePaintParts } from '../support/paint-lab.js';
import { addPerson, type Person } from '../support/people.js';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly status: { readonly code?: number };
  readonly attributes: { readonly key: string; readonly value: Record<string, unknown> }[];
}

let lab: Lab;
let parts: PaintParts;
let admin: Person;
const spans: Span[] = [];
let stopTracing: () => Promise<void>;
/** What was logged, as lines for people. */
const lines: string[] = [];
const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  lines.push(String(text));
  return true;
});
const receiver = createServer(async (request, response) => {
  // biome-ignore lint/suspicious/noExplicitAny: the protocol's JSON
  const body = (await json(request)) as any;
  for (const resource of body.resourceSpans)
    for (const scope of resource.scopeSpans) spans.push(...scope.spans);
  response.end('{}');
});
beforeAll(async () => {
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  stopTracing = await startTracing(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}`, 'test');
  lab = await startLab({ remote: true, api: { log: createLog('debug', true) } });
  parts = await writePaintParts(lab.services);
  admin = await addPerson(lab, 'ADMIN');
});
afterAll(async () => {
  stderr.mockRestore();
  await lab?.close();
  await stopTracing();
  receiver.close();
});

/** A socket of its own with headers of its own; `ids` fills with what the server calls it. */
function connect(headers: Record<string, string> = {}, who = admin): Client & { ids: string[] } {
  const ids: string[] = [];
  class Socket extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      super(url, protocols, { headers });
      this.on('upgrade', (response) => ids.push(String(response.headers['x-request-id'])));
    }
  }
  const client = createClient({
    url: `${lab.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: Socket,
    connectionParams: { authorization: who.headers.authorization },
    retryAttempts: 0,
    // One socket for all that is asked over a client.
    lazy: false,
    onNonLazyError: () => {},
  });
  return Object.assign(client, { ids });
}
async function stream(query: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${lab.url}/graphql/stream`, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...admin.headers,
      ...headers,
    },
    body: JSON.stringify({ query }),
  });
  return response;
}
const submit = async () => (await submitPaintJob(lab.services, parts.order, { submittedBy: 'local' })).id;
const progress = (id: string) => `subscription { paintJobProgress(id: "PaintJob_${id}") { state } }`;

/** The values of one metric by its labels. */
async function read(name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${lab.url}/metrics`, { headers: admin.headers })).text();
  const found = [...text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'))];
  return Object.fromEntries(found.map(([, labels = '', value]) => [labels, Number(value)]));
}
const open = async (transport: string) =>
  (await read('mindpainter_subscriptions'))[`{transport="${transport}",operation="paintJobProgress"}`] ?? 0;
const counted = async (operation: string, outcome: string) =>
  (await read('mindpainter_graphql_operation_seconds_count'))[
    `{operation="${operation}",outcome="${outcome}"}`
  ] ?? 0;

interface Told {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { message: string; extensions?: { code?: string; errorId?: string } }[];
}
/** All that an operation over a socket answers. */
async function ask(client: Client, query: string, extensions?: Record<string, unknown>): Promise<Told[]> {
  const told: Told[] = [];
  try {
    for await (const result of client.iterate({ query, extensions })) told.push(result as Told);
  } catch (errors) {
    told.push({ errors: errors as Told['errors'] });
  }
  return told;
}

test('open subscriptions are a gauge, by transport; all operations are measured, and sockets counted', async () => {
  const id = await submit();
  const before = {
    opened: await counted('paintJobProgress', 'ok'),
    refused: await counted('paintJobProgress', 'error'),
    models: await counted('models', 'ok'),
    invalid: await counted('invalid', 'error'),
    events: (await read('mindpainter_subscription_events_total'))['{operation="paintJobProgress"}'] ?? 0,
  };
  expect(await open('websocket')).toBe(0);
  const client = connect();
  const watching = ask(client, progress(id));
  await expect.poll(() => open('websocket')).toBe(1);
  expect((await read('mindpainter_websockets'))['']).toBe(1);
  const response = await stream(progress(id));
  await expect.poll(() => open('sse')).toBe(1);
  // One that leaves is counted out, though no event comes.
  const left = await stream(progress(id));
  await expect.poll(() => open('sse')).toBe(2);
  await left.body!.cancel();
  await expect.poll(() => open('sse')).toBe(1);

  expect(await ask(client, '{ models(first: 1) { totalCount } }')).toEqual([
    { data: { models: { totalCount: 1 } } },
  ]);
  await ask(client, `subscription { paintJobProgress(id: "PaintJob_${crypto.randomUUID()}") { state } }`);
  for (const query of ['{ made_up }', 'subscription {']) await ask(client, query);
  expect((await stream('subscription { made_up }')).status).toBe(400);

  await cancelPaintJobs(lab.services, { ids: [id] });
  const told = await watching;
  expect(told.at(-1)).toEqual({ data: { paintJobProgress: { state: 'CANCELLED' } } });
  expect(await response.text()).toContain('CANCELLED');
  expect([await open('websocket'), await open('sse')]).toEqual([0, 0]);
  await client.dispose();
  await expect.poll(async () => (await read('mindpainter_websockets'))['']).toBe(0);
  expect({
    opened: await counted('paintJobProgress', 'ok'),
    refused: await counted('paintJobProgress', 'error'),
    models: await counted('models', 'ok'),
    invalid: await counted('invalid', 'error'),
  }).toEqual({
    opened: before.opened + 3,
    refused: before.refused + 1,
    models: before.models + 1,
    invalid: before.invalid + 3,
  });
  const events = (await read('mindpainter_subscription_events_total'))['{operation="paintJobProgress"}']!;
  expect(events - before.events).toBeGreaterThanOrEqual(5);
  const text = await (await fetch(`${lab.url}/metrics`, { headers: admin.headers })).text();
  expect(text).not.toContain('made_up');
});

/** Lets a watched job's row be read `times`, and then breaks. */
async function breaking<T>(times: number, work: () => Promise<T>): Promise<T> {
  const { prisma } = lab.services.store;
  const findUnique = prisma.paintJob.findUnique.bind(prisma.paintJob);
  let reads = 0;
  prisma.paintJob.findUnique = ((args: never) => {
    reads += 1;
    if (reads > times) throw new Error('secret of the database');
    return findUnique(args);
  }) as never;
  try {
    return await work();
  } finally {
    prisma.paintJob.findUnique = findUnique as never;
  }
}

test('a fault within a stream is masked, logged under the id of its socket, and closes nothing else', async () => {
  const [id, other] = [await submit(), await submit()];
  const client = connect({ 'x-request-id': 'my-socket:1' });
  lines.length = 0;
  const told = await breaking(2, () => ask(client, progress(id)));
  expect(client.ids).toEqual(['my-socket:1']);
  expect(told[0]).toEqual({ data: { paintJobProgress: { state: 'QUEUED' } } });
  const [error] = told.at(-1)!.errors!;
  expect(error!.extensions).toMatchObject({ code: 'INTERNAL', errorId: expect.any(String) });
  expect(JSON.stringify(told)).not.toContain('secret');
  const line = lines.find((one) => one.includes(`errorId=${error!.extensions!.errorId}`));
  expect(line).toMatch(/requestId=my-socket:1/);
  expect(line).toMatch(/operationId=[\w-]+/);
  expect(line).toContain('secret of the database');
  const ended = lines.find((one) => one.includes('an operation ended'));
  expect(ended).toMatch(/requestId=my-socket:1.*operation=paintJobProgress.*outcome=failed/);
  // The same socket goes on.
  const watching = ask(client, progress(other));
  await cancelPaintJobs(lab.services, { ids: [other] });
  expect((await watching).at(-1)).toEqual({ data: { paintJobProgress: { state: 'CANCELLED' } } });
  expect(client.ids).toHaveLength(1);
  await client.dispose();
});

test('the same over an event stream, under the id of its request', async () => {
  const id = await submit();
  lines.length = 0;
  const text = await breaking(2, async () => {
    const response = await stream(progress(id), { 'x-request-id': 'my-stream.1' });
    expect(response.headers.get('x-request-id')).toBe('my-stream.1');
    return response.text();
  });
  expect(text).toMatch(/"code":"INTERNAL","errorId":"/);
  expect(text).toContain('event: complete');
  expect(text).not.toContain('secret');
  const [, errorId] = /"errorId":"([^"]+)"/.exec(text)!;
  expect(lines.find((one) => one.includes(`errorId=${errorId}`))).toMatch(/requestId=my-stream\.1/);
  expect(lines.find((one) => one.includes('an operation ended'))).toMatch(
    /requestId=my-stream\.1.*outcome=failed/,
  );
});

test('what is withdrawn while it is watched ends as what does not exist', async () => {
  const id = await submit();
  const client = connect();
  const { prisma } = lab.services.store;
  const watching = ask(client, progress(id));
  await expect.poll(() => open('websocket')).toBe(1);
  await prisma.paintJob.update({ where: { id }, data: { withdrawnAt: new Date() } });
  const told = await watching;
  expect(told.at(-1)!.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND', field: 'id' } }]);
  await client.dispose();
});

test('a fault while it is found out who asks tells nothing, and clients may come again', async () => {
  const { prisma } = lab.services.store;
  const { findUnique } = prisma.credential;
  const client = connect();
  expect(await ask(client, '{ viewer { role } }')).toEqual([{ data: { viewer: { role: 'ADMIN' } } }]);
  prisma.credential.findUnique = (() => Promise.reject(new Error('secret of the database'))) as never;
  try {
    const told = await ask(client, '{ viewer { role } }');
    expect(told).toMatchObject([{ errors: [{ extensions: { code: 'INTERNAL' } }] }]);
    expect(JSON.stringify(told)).not.toContain('secret');
    const socket = new WebSocket(`${lab.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    const closed = once(socket, 'close');
    socket.send(
      JSON.stringify({ type: 'connection_init', payload: { authorization: admin.headers.authorization } }),
    );
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1013, '']);
  } finally {
    prisma.credential.findUnique = findUnique;
  }
  expect(await ask(client, '{ viewer { role } }')).toEqual([{ data: { viewer: { role: 'ADMIN' } } }]);
  await client.dispose();
});

test('one person has so many subscriptions open, over both transports', async () => {
  const other = await addPerson(lab, 'RESEARCHER');
  const id = await submit();
  const client = connect({}, other);
  const watching = Array.from({ length: MAX_OPEN }, () => ask(client, progress(id)));
  await expect.poll(() => open('websocket'), { timeout: 30_000 }).toBe(MAX_OPEN);
  const [over] = await ask(client, progress(id));
  expect(over!.errors).toMatchObject([{ extensions: { code: 'LIMIT_REACHED' } }]);
  // Of somebody else, and of other kinds, there may be more.
  const mine = connect();
  const another = ask(mine, progress(id));
  await expect.poll(() => open('websocket')).toBe(MAX_OPEN + 1);
  expect(await ask(client, '{ models(first: 1) { totalCount } }')).toMatchObject([{ data: {} }]);
  await cancelPaintJobs(lab.services, { ids: [id] });
  await Promise.all([...watching, another]);
  expect(await open('websocket')).toBe(0);
  expect((await ask(client, progress(id))).at(-1)).toMatchObject({ data: {} });
  for (const one of [client, mine]) await one.dispose();
});

test('operations are spans: over a socket of the trace that the client names, else within the request', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319d';
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  const { imageId, maskId, modelId, trialIds } = parts.order;
  const input = `{ imageId: "SourceImage_${imageId}", maskId: "Mask_${maskId}", modelId: "Model_${modelId}", trialIds: ["Trial_${trialIds[0]}"] }`;
  const client = connect();
  const [told] = await ask(client, `mutation { submitPaintJob(input: ${input}) { paintJob { id } } }`, {
    traceparent,
  });
  const { paintJob } = told!.data!.submitPaintJob as { paintJob: { id: string } };
  const id = paintJob.id.slice('PaintJob_'.length);
  const watching = ask(client, progress(id), { traceparent });
  await expect.poll(() => open('websocket')).toBe(1);
  const response = await stream(progress(id), { traceparent });
  await cancelPaintJobs(lab.services, { ids: [id] });
  await Promise.all([watching, response.text()]);
  await ask(client, `subscription { paintJobProgress(id: "PaintJob_${crypto.randomUUID()}") { state } }`, {
    traceparent,
  });
  await client.dispose();
  const job = await lab.services.store.prisma.paintJob.findUniqueOrThrow({
    where: { id },
    include: { batch: true },
  });
  const of = (name: string) => spans.filter((span) => span.name === name && span.traceId === traceId);
  await expect.poll(() => of('GraphQL paintJobProgress').length).toBe(3);
  await expect.poll(() => of('HTTP POST').length).toBe(1);
  const [mutation] = of('GraphQL submitPaintJob');
  expect(mutation!.parentSpanId).toBe('b7ad6b7169203331');
  // The job's attempt will join the trace of its submission.
  expect(job.batch!.traceParent).toContain(`${traceId}-${mutation!.spanId}`);
  const facts = of('GraphQL paintJobProgress').map((span) => {
    const attribute = (key: string) => span.attributes.find((one) => one.key === key)?.value;
    return {
      transport: attribute('graphql.transport')?.stringValue,
      outcome: attribute('outcome')?.stringValue,
      parent: span.parentSpanId,
      failed: span.status.code === 2,
    };
  });
  expect(facts).toHaveLength(3);
  expect(facts).toEqual(
    expect.arrayContaining([
      { transport: 'websocket', outcome: 'ended', parent: 'b7ad6b7169203331', failed: false },
      { transport: 'sse', outcome: 'ended', parent: of('HTTP POST')[0]!.spanId, failed: false },
      { transport: 'websocket', outcome: undefined, parent: 'b7ad6b7169203331', failed: true },
    ]),
  );
});

test('the limits of a document hold', async () => {
  const client = connect();
  const level = 'subject { fmriSessions(first: 1) { nodes { ';
  const deep = `{ subjects(first: 1) { nodes { fmriSessions(first: 1) { nodes { ${level.repeat(4)} id ${'} } } '.repeat(4)} } } } } }`;
  for (const query of [deep, `{ ${'a '.repeat(5000)} }`]) {
    const told = await ask(client, query);
    expect(told).toMatchObject([{ errors: [{ extensions: { code: 'TOO_LARGE' } }] }]);
  }
  await client.dispose();
});
