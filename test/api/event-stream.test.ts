// Subscriptions over server-sent events, with a real client and with bare HTTP.

import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { submitPaintJob, submitPaintJobs } from '../../src/services/paint-job-submission.js';
import { type Lab, startLab } from '../support/lab.js';
import { type PaintParts, writePaintParts } from '../support/paint-lab.js';
import { addPerson, addRater } from '../support/people.js';

let lab: Lab;
let parts: PaintParts;
beforeAll(async () => {
  lab = await startLab({ remote: true });
  parts = await writePaintParts(lab.services);
});
afterAll(async () => lab?.close());

const facts = { submittedBy: 'local' };
const address = () => `${lab.url}/graphql/stream`;
const SSE = { accept: 'text/event-stream', 'content-type': 'application/json' };
const post = (body: object, headers: Record<string, string>) =>
  fetch(address(), { method: 'POST', headers: { ...SSE, ...headers }, body: JSON.stringify(body) });
const EVENTS = 'subscription($after: String) { paintJobEvents(after: $after) { sequence state } }';

interface Events {
  readonly paintJobEvents: { readonly sequence: string; readonly state: string };
}

test('a client that was cut off goes on after the last event it saw', async () => {
  const { headers } = await addPerson(lab, 'RESEARCHER');
  const client = createClient({ url: address(), headers: { ...headers }, retryAttempts: 0 });
  const { id } = await submitPaintJob(lab.services, parts.order, facts);
  const seen: Events['paintJobEvents'][] = [];
  const follow = async (count: number) => {
    const events = client.iterate<Events>({
      query: EVENTS,
      variables: { after: seen.at(-1)?.sequence ?? '0' },
    });
    for await (const { data, errors } of events) {
      expect(errors).toBeUndefined();
      seen.push(data!.paintJobEvents);
      if (seen.length === count) break;
    }
  };
  await follow(1);
  await cancelPaintJobs(lab.services, { ids: [id] });
  const second = follow(3);
  await submitPaintJob(lab.services, parts.order, facts);
  await second;
  expect(seen.map(({ state }) => state)).toEqual(['QUEUED', 'CANCELLED', 'QUEUED']);
  const numbers = seen.map(({ sequence }) => Number(sequence));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  client.dispose();
});

test('a job is told until its end, and the stream is then complete; GET serves EventSource', async () => {
  const { headers } = await addPerson(lab, 'RESEARCHER');
  const { id } = await submitPaintJob(lab.services, parts.order, facts);
  const query = `subscription { paintJobProgress(id: "PaintJob_${id}") { state } }`;
  const url = `${address()}?query=${encodeURIComponent(query)}`;
  const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' } });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-cache');
  await cancelPaintJobs(lab.services, { ids: [id] });
  const text = await response.text();
  // The first bytes come at once, before any event.
  expect(text.startsWith(':\n\n')).toBe(true);
  expect(text).toContain('"state":"CANCELLED"');
  expect(text.endsWith('event: complete\ndata:\n\n')).toBe(true);
});

test('the rules are the same as over WebSocket', async () => {
  const ask = async (headers: Record<string, string>) => (await post({ query: EVENTS }, headers)).text();
  expect(await ask({})).toContain('UNAUTHENTICATED');
  expect(await ask((await addRater(lab)).headers)).toContain('NOT_FOUND');
  expect((await post({ query: EVENTS }, { authorization: 'Bearer x' })).status).toBe(401);
  expect((await post({ query: EVENTS }, { origin: 'https://elsewhere.example' })).status).toBe(403);
});

test('what is no subscription, no document or no SSE is refused', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const status = async (body: object, more = {}) => (await post(body, { ...headers, ...more })).status;
  expect(await status({ query: '{ viewer { role } }' })).toBe(400);
  expect(await status({ query: 'mutation { signOut { signedOut } }' })).toBe(400);
  expect(await status({ query: 'subscription {' })).toBe(400);
  expect(await status({})).toBe(400);
  expect(await status({ query: `subscription { ${'a '.repeat(5000)} }` })).toBe(400);
  expect(await status({ query: EVENTS }, { accept: 'application/json' })).toBe(406);
  const unknown = await (await post({ query: 'subscription { nothing }' }, headers)).text();
  expect(unknown).toContain('Cannot query field');
  expect(unknown).not.toMatch(/\.ts:\d/);
});

test('a client that reads nothing is waited for, not queued for', async () => {
  const { headers } = await addPerson(lab, 'RESEARCHER');
  const order = { common: parts.order, axes: [], runs: 5000 };
  const { batch } = await submitPaintJobs(lab.services, order as never, facts);
  let pages = 0;
  const { prisma } = lab.services.store;
  const findMany = prisma.paintJobEvent.findMany.bind(prisma.paintJobEvent);
  prisma.paintJobEvent.findMany = ((args: never) => {
    pages++;
    return findMany(args);
  }) as never;
  // Wide events, so that the kernel's buffers are full within a page.
  const fields = Array.from({ length: 20 }, (_, i) => `${'a'.repeat(2000)}${i}: sequence`).join(' ');
  const query = `subscription { paintJobEvents(batchId: "PaintJobBatch_${batch!.id}") { ${fields} } }`;
  const response = await post({ query }, headers);
  const reader = response.body!.getReader();
  await reader.read();
  await expect.poll(() => pages, { timeout: 20_000 }).toBeGreaterThan(0);
  await new Promise((done) => setTimeout(done, 2000));
  expect(pages).toBeLessThan(4);
  await reader.cancel();
  prisma.paintJobEvent.findMany = findMany as never;
});

test('a watcher ends when its client goes, though no event comes', async () => {
  const { headers } = await addPerson(lab, 'RESEARCHER');
  const { id } = await submitPaintJob(lab.services, parts.order, facts);
  let looks = 0;
  const { prisma } = lab.services.store;
  const findUnique = prisma.paintJob.findUnique.bind(prisma.paintJob);
  prisma.paintJob.findUnique = ((args: never) => {
    looks++;
    return findUnique(args);
  }) as never;
  const response = await post(
    { query: `subscription { paintJobProgress(id: "PaintJob_${id}") { state } }` },
    headers,
  );
  const reader = response.body!.getReader();
  await reader.read();
  await expect.poll(() => looks).toBeGreaterThan(2);
  await reader.cancel();
  await new Promise((done) => setTimeout(done, 1000));
  const after = looks;
  await new Promise((done) => setTimeout(done, 1000));
  expect(looks).toBe(after);
  prisma.paintJob.findUnique = findUnique as never;
});

test('a server that stops ends its streams without delay and without "complete"', async () => {
  const other = await startLab();
  const response = await fetch(`${other.url}/graphql/stream`, {
    method: 'POST',
    headers: SSE,
    body: JSON.stringify({ query: EVENTS }),
  });
  const text = response.text();
  const started = Date.now();
  const closing = other.close();
  expect(await text).not.toContain('complete');
  // The server's patience with requests that do not end is 10 s.
  expect(Date.now() - started).toBeLessThan(5000);
  await closing;
});
