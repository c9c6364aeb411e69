// What Relay expects, of every connection and every Node that the schema has: both are found by walking it, so that a new one
// cannot be forgotten.

import type { GraphQLField, GraphQLInterfaceType, GraphQLObjectType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { uuid7 } from '../../src/store/uuid7.js';
import type { Lab } from '../support/lab.js';
import { type RightsWorld, startRightsWorld } from '../support/rights-world.js';

const schema = createSchema();
const fieldsOf = (type: unknown) => Object.values((type as GraphQLObjectType).getFields?.() ?? {});
const connections = Object.values(schema.getTypeMap()).flatMap((type) =>
  type.name.startsWith('__')
    ? []
    : fieldsOf(type)
        .filter((field: GraphQLField<unknown, unknown>) => String(field.type).endsWith('Connection!'))
        .map(({ name }) => [`${type.name}.${name}`, type.name, name] as const),
);
const nodeTypes = schema.getPossibleTypes(schema.getType('Node') as GraphQLInterfaceType);

let lab: Lab;
let people: RightsWorld['people'];
let ids: RightsWorld['ids'];
let calls: RightsWorld['calls'];
beforeAll(async () => {
  ({ lab, people, ids, calls } = await startRightsWorld());
}, 120_000);
afterAll(async () => lab?.close());

const keyOf = (type: string) => ids[type]![0]!.slice(type.length + 1);
const send = (query: string, variables = {}) => lab.send(query, variables, {}, people.admin.headers);

/** Adds what a mutation makes. */
async function make(name: string): Promise<void> {
  const { input, files } = (await calls[name]!('admin'))[0]!;
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
  const query = `mutation($input: ${type}) { ${name}(input: $input) { userErrors { message } } }`;
  const { data, errors } = await lab.send(query, { input }, files, people.admin.headers);
  expect(errors).toBeUndefined();
  expect((data![name] as { userErrors: unknown[] }).userErrors).toEqual([]);
}

/** How each list gets one row more. */
const GROW: Readonly<Record<string, () => Promise<unknown>>> = {
  'Query.subjects': () => make('createSubject'),
  'Query.sourceImages': () => make('uploadSourceImage'),
  'Query.models': () => make('registerModel'),
  'Query.paintJobs': () => make('submitPaintJob'),
  'Query.stimuli': () => make('linkStimuli'),
  'Query.trainingRuns': () => make('createTrainingRun'),
  'Query.users': () => make('createUser'),
  'Query.apiTokens': () => make('createApiToken'),
  'Query.raterLinks': () => make('createRaterLink'),
  'Query.auditEvents': () => make('createSubject'),
  'Query.benchmarks': () => make('createBenchmark'),
  'Query.studies': () => make('createStudy'),
  'Query.webhookEndpoints': () => make('createWebhookEndpoint'),
  'Subject.fmriSessions': () => make('importFmriSession'),
  'SourceImage.masks': () => make('createMask'),
  'FmriSession.trials': async () => {
    const { prisma } = lab.services.store;
    const sessionId = keyOf('FmriSession');
    const index = await prisma.trial.count({ where: { sessionId } });
    await prisma.trial.create({ data: { sessionId, index, stimulus: 'more', repetition: 1 } });
  },
  // No batch grows either.
  'PaintJobBatch.paintJobs': () =>
    lab.services.store.pool.query(
      `INSERT INTO paint_job (id, batch_id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count)
       SELECT $2, batch_id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count
       FROM paint_job WHERE batch_id = $1 LIMIT 1`,
      [keyOf('PaintJobBatch'), uuid7()],
    ),
  'WebhookEndpoint.deliveries': async () => {
    const query = 'mutation($id: ID!) { sendTestWebhook(input: { id: $id }) { userErrors { message } } }';
    expect((await send(query, { id: ids.WebhookEndpoint![0] })).errors).toBeUndefined();
  },
};

/** Of lists that are longer than a page by now. */
const ONLY: Readonly<Record<string, string>> = { 'Query.auditEvents': 'action: "createSubject"' };

interface PageArguments {
  readonly first?: number;
  readonly after?: string | null;
  readonly last?: number;
  readonly before?: string | null;
}
interface Page {
  readonly ids: string[];
  readonly totalCount: number;
  readonly pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}

const SELECTION = `{ totalCount nodes { id } edges { cursor node { id } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`;

function ask(type: string, name: string, args: PageArguments, more = ONLY[`${type}.${name}`] ?? '') {
  const field = `${name}(first: $first, after: $after, last: $last, before: $before ${more}) ${SELECTION}`;
  const head = 'query($first: Int, $after: String, $last: Int, $before: String';
  if (type === 'Query') return send(`${head}) { list: ${field} }`, args);
  const query = `${head}, $id: ID!) { node(id: $id) { ... on ${type} { list: ${field} } } }`;
  return send(query, { ...args, id: ids[type]![0] });
}

/** A page, and that what it says of itself is so. */
async function read(type: string, name: string, args: PageArguments, more?: string): Promise<Page> {
  const { data, errors } = await ask(type, name, args, more);
  expect([args, errors]).toEqual([args, undefined]);
  const list = (type === 'Query' ? data : (data!.node as Record<string, unknown>))!.list as Page & {
    nodes: { id: string }[];
    edges: { cursor: string; node: { id: string } }[];
  };
  expect(list.edges.map(({ node }) => node)).toEqual(list.nodes);
  expect(list.pageInfo.startCursor).toBe(list.edges[0]?.cursor ?? null);
  expect(list.pageInfo.endCursor).toBe(list.edges.at(-1)?.cursor ?? null);
  return { ...list, ids: list.nodes.map(({ id }) => id) };
}

/** All pages of two from one end to the other, `between` them whatever the caller does. */
async function walk(type: string, name: string, forward: boolean, between = async () => {}): Promise<Page[]> {
  const pages: Page[] = [];
  for (;;) {
    const cursor = forward ? pages.at(-1)?.pageInfo.endCursor : pages.at(-1)?.pageInfo.startCursor;
    const args = forward ? { first: 2, after: cursor } : { last: 2, before: cursor };
    const page = await read(type, name, args as PageArguments);
    pages.push(page);
    if (!(forward ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage)) return pages;
    await between();
  }
}

test('the walk finds the connections', () => {
  expect(connections.length).toBeGreaterThan(12);
  expect(Object.keys(GROW).filter((place) => !connections.some(([known]) => known === place))).toEqual([]);
});

test.each(connections)('%s', async (place, type, name) => {
  const grow = GROW[place];
  if (!grow) throw new Error(`say above how ${place} grows`);
  while ((await read(type, name, { first: 100 })).ids.length < 5) await grow();
  const all = (await read(type, name, { first: 100 })).ids;
  expect(new Set(all).size).toBe(all.length);
  expect((await read(type, name, { last: 100 })).ids).toEqual(all);
  expect((await read(type, name, { first: 100 })).totalCount).toBe(all.length);

  const forward = await walk(type, name, true);
  expect(forward.flatMap((page) => page.ids)).toEqual(all);
  expect(forward.map(({ pageInfo }) => pageInfo.hasPreviousPage)).toEqual(forward.map((_, i) => i > 0));
  const backward = await walk(type, name, false);
  expect(backward.reverse().flatMap((page) => page.ids)).toEqual(all);
  expect(backward.map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual(
    backward.map((_, i) => i < backward.length - 1),
  );
  // Behind the last entry there is nothing, and it says so.
  const { endCursor } = forward.at(-1)!.pageInfo;
  const empty = await read(type, name, { first: 2, after: endCursor });
  expect([empty.ids, empty.pageInfo.hasNextPage, empty.pageInfo.hasPreviousPage]).toEqual([[], false, true]);

  const cursor = forward[0]!.pageInfo.endCursor;
  const refused: [PageArguments, string][] = [
    [{}, 'first'],
    [{ first: 1, last: 1 }, 'first'],
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ last: 0 }, 'last'],
    [{ last: 101 }, 'last'],
    [{ first: 1, before: cursor }, 'first'],
    [{ last: 1, after: cursor }, 'last'],
    [{ first: 1, after: 'nonsense' }, 'after'],
    [{ last: 1, before: '' }, 'before'],
    [{ last: 1, before: Buffer.from('id').toString('base64url') }, 'before'],
  ];
  for (const [args, field] of refused) {
    const { errors } = await ask(type, name, args);
    expect([args, errors?.[0]?.extensions]).toEqual([args, { code: 'BAD_INPUT', field }]);
  }

  // Rows that come while somebody reads move none of those that were there.
  for (const direction of [true, false]) {
    const there = (await read(type, name, { first: 100 })).ids;
    let grown = 0;
    const pages = await walk(type, name, direction, async () => {
      if (grown++ < 3) await grow();
    });
    const seen = (direction ? pages : pages.reverse()).flatMap((page) => page.ids);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => there.includes(id))).toEqual(there);
  }
});

test('an entry that leaves the list takes none of the next page with it', async () => {
  for (let i = 0; i < 4; i++) await make('submitPaintJob');
  const queued = 'state: QUEUED';
  const all = (await read('Query', 'paintJobs', { first: 100 }, queued)).ids;
  const page = await read('Query', 'paintJobs', { first: 2 }, queued);
  const gone = page.ids[1]!;
  await send('mutation($id: ID!) { cancelPaintJob(input: { id: $id }) { userErrors { code } } }', {
    id: gone,
  });
  const next = await read('Query', 'paintJobs', { first: 2, after: page.pageInfo.endCursor }, queued);
  expect(next.ids).toEqual(all.slice(2, 4));
  const back = await read('Query', 'paintJobs', { last: 1, before: page.pageInfo.endCursor }, queued);
  expect(back.ids).toEqual(all.slice(0, 1));
});

test("a trial's cursor holds for its session only", async () => {
  const elsewhere = Buffer.from(uuid7()).toString('base64url');
  for (const args of [
    { first: 1, after: elsewhere },
    { last: 1, before: elsewhere },
  ]) {
    const field = 'first' in args ? 'after' : 'before';
    const { errors } = await ask('FmriSession', 'trials', args);
    expect(errors?.[0]?.extensions).toEqual({ code: 'BAD_INPUT', field });
  }
});

const NODE = 'query($id: ID!) { node(id: $id) { __typename id } }';
const NOTHING = { data: { node: null } };
/** What a rater may not see of the types of which raters see their own. */
const OTHERS: Readonly<Record<string, (id: string) => boolean>> = {
  User: (id) => id !== `User_${people.rater.userId}`,
  Rating: (id) => !ratedByRater.includes(id),
};
let ratedByRater: string[] = [];

test.each(nodeTypes.map(({ name }) => [name]))('node(id) of %s', async (name) => {
  const rows = await lab.services.store.prisma.rating.findMany({ where: { raterId: people.rater.userId } });
  ratedByRater = rows.map(({ id }) => `Rating_${id}`);
  expect(ids[name]?.length, `test/support/rights-world.ts has no ${name}`).toBeGreaterThan(0);
  for (const id of ids[name]!)
    expect(await send(NODE, { id })).toEqual({ data: { node: { __typename: name, id } } });
  const key = keyOf(name);
  const other = nodeTypes.find(
    (type) => type.name !== name && !ids[type.name]?.includes(`${type.name}_${key}`),
  );
  const strange = [
    `${name}_${uuid7()}`,
    `${other!.name}_${key}`,
    `Nothing_${key}`,
    `${name}_`,
    `${name}_${key}x`,
    `${name}_${key.toUpperCase()}`.replace(/[0-9]/g, 'A'),
    key,
    `_${key}`,
    '',
  ];
  for (const id of strange) expect([id, await send(NODE, { id })]).toEqual([id, NOTHING]);

  // What may not be seen answers as what does not exist.
  const hidden = name === 'Painting' ? undefined : ids[name]!.find(OTHERS[name] ?? (() => true));
  if (hidden !== undefined)
    expect(await lab.send(NODE, { id: hidden }, {}, people.rater.headers)).toEqual(NOTHING);
  const stranger = await lab.send(NODE, { id: ids[name]![0] });
  expect(stranger.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
