// What is refused for its size, number or origin, over HTTP and WebSocket, and that our own documents never are.

import { Kind, parse, print, separateOperations } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { clientDocuments, guideDocuments } from '../../scripts/own-documents.js';
import { LIMITS, prepareOperation } from '../../src/api/limits.js';
import { createRateLimit } from '../../src/api/rate-limit.js';
import { createSchema } from '../../src/api/schema.js';
import { createManifest } from '../../src/api/trusted-documents.js';
import { type Lab, startLab } from '../support/lab.js';
import { addPerson } from '../support/people.js';

const KNOWN = '{ viewer { role } }';
const manifest = createManifest([`query A { models(first: 1) { nodes { id } } } query B ${KNOWN}`, KNOWN]);
const [hash] = Object.entries(manifest).find(([, text]) => text === '{viewer{role}}')!;

const schema = createSchema();
let lab: Lab;
let strict: Lab;
beforeAll(async () => {
  lab = await startLab({
    remote: true,
    api: { requestsPerMinute: 60, trustedDocuments: { manifest, only: false } },
  });
  strict = await startLab({ api: { introspection: false, trustedDocuments: { manifest, only: true } } });
}, 120_000);
afterAll(async () => {
  // The later one first: each puts the folder for temporary files back that it found.
  await strict?.close();
  await lab?.close();
});

async function post(at: Lab, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${at.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: { code: string; retryAfterSeconds?: number } }[];
  };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...answer };
}

const own = [...guideDocuments(), ...clientDocuments()].flatMap(({ place, text }) =>
  Object.entries(separateOperations(parse(text))).map(([name, document]) => ({ place, name, document })),
);

test('there are documents in the guides, and in the programs', () => {
  expect(guideDocuments().length).toBeGreaterThan(15);
  expect(clientDocuments().length).toBeGreaterThan(1);
});

test.each(own)('the defaults let $place $name through', ({ document }) => {
  // Without variables: each that a page's size hangs on counts as the most it may be.
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  const query = print(document);
  const prepared = prepareOperation(schema, { query, operationName: operation?.name?.value });
  expect(Array.isArray(prepared) ? prepared.map(({ message }) => message) : []).toEqual([]);
});

const nested = (depth: number) => {
  let text = 'id';
  for (let i = 0; i < depth; i++) text = `paintings { job { ${text} } }`;
  return `{ paintJobs(first: 1) { nodes { ${text} } } }`;
};
const bomb = (levels: number) => {
  const fragments = Array.from(
    { length: levels },
    (_, i) =>
      `fragment F${i} on PaintJob { ${i === levels - 1 ? 'a: id' : `...F${i + 1} b: retriedFrom { ...F${i + 1} }`} }`,
  );
  return `{ paintJobs(first: 1) { nodes { ...F0 } } } ${fragments.join(' ')}`;
};
const HOSTILE: Readonly<Record<string, string>> = {
  'a document without end': `{ ${'viewer { role } '.repeat(5000)} }`,
  'deep nesting': nested(8),
  'fragments that double at each level': bomb(40),
  'a page of pages of pages': `{ subjects(first: 100) { nodes { fmriSessions(first: 100) { nodes { trials(first: 100) { nodes { fmriSession { id } } } } } } } }`,
  'one expensive field many times': `{ ${Array.from({ length: 60 }, (_, i) => `a${i}: viewer { role }`).join(' ')} }`,
  'many fields at the root': `{ ${Array.from({ length: 21 }, (_, i) => `a${i}: viewer { role }`).join(' ')} }`,
  'many directives': `{ viewer { role ${'@include(if: true) '.repeat(1)} ${Array.from({ length: 60 }, (_, i) => `a${i}: role @include(if: true)`).join(' ')} } }`,
};

test.each(Object.entries(HOSTILE))('%s is refused, and fast', async (_, query) => {
  const start = performance.now();
  const { status, errors, data } = await post(strict, { query });
  // The strict lab refuses it as unknown; measured is the other, which takes any document.
  expect([status, errors?.[0]?.extensions.code, data]).toEqual([400, expect.any(String), undefined]);
  const person = await addPerson(lab, 'ADMIN');
  const answer = await post(lab, { query }, person.headers);
  // What only repeats itself through fragments is refused by Apollo, when it validates.
  const code = query.includes('fragment') ? 'GRAPHQL_VALIDATION_FAILED' : 'TOO_LARGE';
  expect([answer.status, answer.errors?.[0]?.extensions.code, answer.data]).toEqual([400, code, undefined]);
  expect(performance.now() - start).toBeLessThan(5000);
});

test('the limits hold over WebSocket as well', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const client = createClient({
    url: `${lab.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: headers.authorization },
    retryAttempts: 0,
    lazyCloseTimeout: 10_000,
  });
  const ask = (query: string) =>
    new Promise<unknown>((done) => {
      client.subscribe({ query }, { next: done, error: done, complete() {} });
    });
  expect(await ask(HOSTILE['a page of pages of pages']!)).toMatchObject([
    { extensions: { code: 'TOO_LARGE' } },
  ]);
  expect(await ask(HOSTILE['a document without end']!)).toMatchObject([
    { extensions: { code: 'TOO_LARGE' } },
  ]);
  expect(await ask(KNOWN)).toMatchObject({ data: { viewer: { role: 'ADMIN' } } });
  let last: unknown;
  for (let i = 0; i < 200 && !Array.isArray(last); i++) last = await ask(KNOWN);
  expect(last).toMatchObject([{ extensions: { code: 'LIMIT_REACHED' } }]);
  await client.dispose();
});

test('the cost of a page counts what its variable says', () => {
  const query = 'query($n: Int!) { paintJobs(first: $n) { nodes { paintings { ratings { id } } } } }';
  const costOf = (n: number) =>
    prepareOperation(schema, { query, variables: { n } }, { limits: { ...LIMITS, cost: 2000 } });
  expect(costOf(1)).toMatchObject({ variableValues: { n: 1 } });
  expect(costOf(100)).toMatchObject([{ extensions: { code: 'TOO_LARGE' } }]);
});

test('batches and bodies over the limit are refused', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const batch = await post(lab, [{ query: KNOWN }, { query: KNOWN }], headers);
  expect([batch.status, batch.data]).toEqual([400, undefined]);
  const large = await post(lab, { query: KNOWN, variables: { text: 'x'.repeat(5_000_000) } }, headers);
  expect([large.status, large.data]).toEqual([413, undefined]);
});

test('one token over its rate is asked to wait; another is not', async () => {
  const [busy, other] = [await addPerson(lab, 'RESEARCHER'), await addPerson(lab, 'RESEARCHER')];
  const statuses = new Map<number, number>();
  let refused: Awaited<ReturnType<typeof post>> | undefined;
  for (let i = 0; i < 200 && !refused; i++) {
    const answer = await post(lab, { query: KNOWN }, busy.headers);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    if (answer.status === 429) refused = answer;
  }
  expect(statuses.get(200)).toBeGreaterThanOrEqual(60);
  expect(refused!.errors![0]!.extensions).toEqual({ code: 'LIMIT_REACHED', retryAfterSeconds: 1 });
  expect(refused!.retryAfter).toBe('1');
  expect((await post(lab, { query: KNOWN }, other.headers)).status).toBe(200);
});

test('a bucket fills up evenly and no further than a minute', () => {
  const limit = createRateLimit(2);
  expect([limit.take('a', 0), limit.take('a', 0), limit.take('a', 0)]).toEqual([undefined, undefined, 30]);
  expect([limit.take('a', 30_000), limit.take('a', 30_000)]).toEqual([undefined, 30]);
  expect([1, 2, 3].map(() => limit.take('a', 10_000_000))).toEqual([undefined, undefined, 30]);
});

test('documents go by their hash, by POST and by GET', async () => {
  const { headers } = await addPerson(lab, 'ADMIN');
  const answer = { status: 200, data: { viewer: { role: 'ADMIN' } } };
  expect(await post(lab, { documentId: `sha256:${hash}` }, headers)).toMatchObject(answer);
  const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };
  expect(await post(lab, { extensions }, headers)).toMatchObject(answer);
  const get = await fetch(`${lab.url}/graphql?documentId=sha256:${hash}`, { headers });
  expect(await get.json()).toMatchObject({ data: answer.data });
  expect(await post(lab, { documentId: `sha256:${'0'.repeat(64)}` }, headers)).toMatchObject({
    status: 400,
    errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
  });
  // Whoever sends a document first does not make it known.
  const unknown = {
    query: '{ viewer { scopes } }',
    extensions: { persistedQuery: { version: 1, sha256Hash: hash } },
  };
  await post(lab, unknown, headers);
  expect(await post(lab, { documentId: hash }, headers)).toMatchObject(answer);
});

test('a server for its own documents only takes no others, however they are laid out', async () => {
  expect(await post(strict, { query: '{\n  viewer {\n    role\n  }\n}' })).toMatchObject({ status: 200 });
  for (const query of ['{ viewer { scopes } }', '{ __schema { types { name } } }'])
    expect(await post(strict, { query })).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'UNTRUSTED_DOCUMENT' } }],
    });
});

test('introspection can be turned off', async () => {
  const query = '{ __schema { types { name } } }';
  expect(prepareOperation(schema, { query })).not.toBeInstanceOf(Array);
  expect(prepareOperation(schema, { query }, { introspection: false })).toBeInstanceOf(Array);
  const quiet = await startLab({ api: { introspection: false } });
  const { status, data } = await post(quiet, { query });
  await quiet.close();
  expect([status, data]).toEqual([400, undefined]);
});
