// Every field of the schema as everybody, held against the table in docs/rights.md.

import { readFileSync } from 'node:fs';
import type { GraphQLField, GraphQLInterfaceType, GraphQLObjectType } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createSchema } from '../../src/api/schema.js';
import type { Lab } from '../support/lab.js';
import { type RightsWorld, startRightsWorld, WHO, type Who } from '../support/rights-world.js';

const schema = createSchema();
/** By name, since the tests and the schema may load the library's classes twice. */
const namedType = (field: { readonly type: unknown }) =>
  schema.getType(String(field.type).replace(/[[\]!]/g, ''))!;
type Cell = 'yes' | 'own' | 'none' | 'refused' | 'sign in';

/** The rows of both tables of docs/rights.md. */
const table = new Map(
  [...readFileSync('docs/rights.md', 'utf8').matchAll(/^\| ([A-Za-z]+(?:\.[A-Za-z]+)?) \|(.+)\|$/gm)].map(
    (match) => [match[1]!, match[2]!.split('|').map((cell) => cell.trim()) as Cell[]],
  ),
);
table.delete('read');
table.delete('do');

let lab: Lab;
let people: RightsWorld['people'];
let ids: RightsWorld['ids'];
let calls: RightsWorld['calls'];
const first = (type: string) => ids[type]![0]!;

interface Answered {
  readonly data: Record<string, unknown> | undefined;
  /** What was said against it, at the top or in a payload. */
  readonly codes: string[];
}

async function ask(who: Who, query: string, variables = {}, files = {}): Promise<Answered> {
  const { data, errors = [] } = await lab.send(query, variables, files, people[who].headers);
  const payload = data && (Object.values(data)[0] as { userErrors?: { code: string }[] } | null);
  const codes = [...errors.map((e) => e.extensions.code), ...(payload?.userErrors ?? []).map((e) => e.code)];
  return { data: data ?? undefined, codes };
}

function document(name: string, selection = '__typename'): string {
  const field = schema.getMutationType()!.getFields()[name]!;
  const variables = field.args[0] ? `($input: ${field.args[0].type})` : '';
  const argument = field.args[0] ? '(input: $input)' : '';
  return `mutation${variables} { ${name}${argument} { ${selection} userErrors { code field message } } }`;
}

beforeAll(async () => {
  ({ lab, people, ids, calls } = await startRightsWorld());
}, 120_000);
afterAll(async () => lab?.close());

/** Fields and cells that differ from the table are listed with both sides; nothing else is. */
function compare(row: string, cells: readonly Cell[], from = row): void {
  const wanted = table.get(from);
  if (!wanted) throw new Error(`docs/rights.md has no row ${row}`);
  expect(Object.fromEntries(WHO.map((who, i) => [`${row} as ${who}`, cells[i]]))).toEqual(
    Object.fromEntries(WHO.map((who, i) => [`${row} as ${who}`, wanted[i]])),
  );
}

const nodes = [...schema.getPossibleTypes(schema.getType('Node') as GraphQLInterfaceType)];

test('each row of the table is about a field or type that exists', () => {
  const mutations = Object.keys(schema.getMutationType()!.getFields());
  const unknown = [...table.keys()].filter((row) => {
    const [type, field] = row.split('.');
    if (!field) return !mutations.includes(row) && !nodes.some(({ name }) => name === row);
    return !(field in ((schema.getType(type!) as GraphQLObjectType | undefined)?.getFields() ?? {}));
  });
  expect(unknown).toEqual([]);
});

const has = (codes: readonly string[], code: string) => codes.includes(code);
const isConnection = (field: GraphQLField<unknown, unknown>) => namedType(field).name.endsWith('Connection');

/** Ids that a value holds. */
function idsIn(value: unknown): string[] {
  return [...JSON.stringify(value ?? null).matchAll(/"id":"([^"]+)"/g)].map((match) => match[1]!);
}

/** A selection of ids: of what a field gives, or else of the first thing that hangs on it. */
function selectId(field: GraphQLField<unknown, unknown>): string {
  if (isConnection(field)) return 'nodes { id }';
  const fields = (namedType(field) as GraphQLObjectType).getFields();
  if ('id' in fields) return 'id';
  const [inner] = Object.values(fields).filter((one) =>
    nodes.some(({ name }) => name === namedType(one).name),
  );
  return `${inner!.name} { id }`;
}

const queries = Object.values(schema.getQueryType()!.getFields());
test.each(queries.map((field) => [field.name, field] as const))('Query.%s', async (name, field) => {
  // Arguments by name: an id of what the field gives, or the one label.
  const takes = (argument: string) => field.args.some((arg) => arg.name === argument);
  const type = name === 'node' ? undefined : namedType(field).name;
  const targets = field.args.some((arg) => arg.name === 'id' && String(arg.type).endsWith('!'))
    ? type
      ? ids[type]!
      : Object.values(ids).flat()
    : [undefined];
  const selection = selectId(field);
  const seen: Record<string, { found: string[]; codes: string[] }> = {};
  for (const who of WHO) {
    const [found, codes]: [string[], string[]] = [[], []];
    for (const id of targets) {
      const args = [
        ...(id === undefined ? [] : [`id: "${id}"`]),
        ...(takes('first') ? ['first: 100'] : []),
        ...(takes('label') ? ['label: "01"'] : []),
        ...(takes('subjectId') ? [`subjectId: "${first('Subject')}"`] : []),
      ].join(', ');
      const answer = await ask(who, `{ ${name}${args && `(${args})`} { ${selection} } }`);
      found.push(...idsIn(answer.data?.[name]));
      codes.push(...answer.codes);
    }
    seen[who] = { found, codes };
  }
  const all = seen.admin!.found;
  const cells = WHO.map((who): Cell => {
    const { found, codes } = seen[who]!;
    if (has(codes, 'UNAUTHENTICATED')) return 'sign in';
    expect(codes).toEqual([]);
    if (found.length === 0) return 'none';
    return name === 'viewer' || found.length === all.length ? 'yes' : 'own';
  });
  compare(`Query.${name}`, cells);
  const others = ids.User!.filter((id) => id !== `User_${people.rater.userId}`);
  expect(seen.rater!.found.filter((id) => others.includes(id))).toEqual([]);
});

/** A selection that shows a field's value, with ids where it has some. */
function select(field: GraphQLField<unknown, unknown>): string {
  const type = namedType(field);
  if (!('getFields' in type)) return field.name;
  if (isConnection(field)) return `${field.name}(first: 100) { totalCount nodes { id } }`;
  const inner = 'id' in type.getFields() ? 'id' : '__typename';
  return `${field.name} { ${inner} }`;
}

test.each(nodes.map((type) => [type.name, type] as const))('each field of %s', async (name, type) => {
  const fields = Object.values(type.getFields());
  const query = `query($id: ID!) { node(id: $id) { ... on ${name} { ${fields.map(select).join(' ')} } } }`;
  type Seen = { node: Record<string, unknown> | null; codes: string[] };
  const seen = {} as Record<Who, Seen[]>;
  for (const who of WHO) {
    seen[who] = [];
    for (const id of ids[name]!) {
      const { data, codes } = await ask(who, query, { id });
      seen[who].push({ node: (data?.node ?? null) as Seen['node'], codes });
    }
  }
  const ofType = WHO.map((who): Cell => {
    const codes = seen[who].flatMap((each) => each.codes);
    if (has(codes, 'UNAUTHENTICATED')) return 'sign in';
    expect([name, who, codes]).toEqual([name, who, []]);
    const found = seen[who].filter(({ node }) => node).length;
    return found === 0 ? 'none' : found === ids[name]!.length ? 'yes' : 'own';
  });
  expect(ofType[WHO.indexOf('admin')]).toBe('yes');
  compare(name, ofType);
  for (const field of fields) {
    const cells = WHO.map((who, column): Cell => {
      const usual = ofType[column]!;
      if (usual === 'none' || usual === 'sign in') return usual;
      const pairs = seen[who].flatMap(({ node }, i) =>
        node ? [[node[field.name], seen.admin[i]!.node![field.name]]] : [],
      );
      if (pairs.every(([own, full]) => JSON.stringify(own) === JSON.stringify(full))) return usual;
      return pairs.every(([own]) => own === null || idsIn(own).length === 0) ? 'none' : 'own';
    });
    const row = `${name}.${field.name}`;
    compare(row, cells, table.has(row) ? row : name);
  }
});

const subscriptions = Object.values(schema.getSubscriptionType()!.getFields());
test.each(
  subscriptions.map((field) => [field.name, field] as const),
)('Subscription.%s', async (name, field) => {
  const type = namedType(field).name;
  const id = field.args.some((arg) => arg.name === 'id') ? `(id: "${first(type)}")` : '';
  const cells: Cell[] = [];
  for (const who of WHO) {
    const { headers } = people[who];
    class Socket extends WebSocket {
      constructor(url: string, protocols: string | string[]) {
        super(url, protocols, { headers });
      }
    }
    const client = createClient({ url: `${lab.url.replace('http', 'ws')}/graphql`, webSocketImpl: Socket });
    const query = `subscription { ${name}${id} { ${selectId(field)} } }`;
    for await (const { data, errors } of client.iterate<Record<string, unknown>>({ query })) {
      const code = errors?.[0]?.extensions?.code;
      cells.push(code === 'UNAUTHENTICATED' ? 'sign in' : code === 'NOT_FOUND' ? 'none' : 'yes');
      if (!code) expect(idsIn(data?.[name])).toEqual([first(id ? type : 'PaintJob')]);
      break;
    }
    await client.dispose();
  }
  compare(`Subscription.${name}`, cells);
});

const FILES = { paintings: 'Painting', 'source-images': 'SourceImage', masks: 'Mask', previews: 'PaintJob' };
test.each(Object.entries(FILES))('/files/%s follow %s', async (kind, type) => {
  const name = `${first(type).slice(type.length + 1)}.${kind === 'previews' ? 'webp' : 'png'}`;
  const statuses: Record<number, Cell> = { 200: 'yes', 401: 'sign in', 404: 'none' };
  const cells: Cell[] = [];
  for (const who of WHO) {
    const { status } = await fetch(`${lab.url}/files/${kind}/${name}`, { headers: people[who].headers });
    cells.push(statuses[status]!);
  }
  compare(type, cells);
});

// Last, since signOut ends the rater's session.
const mutations = Object.keys(schema.getMutationType()!.getFields());
test.each(mutations)('%s', async (name) => {
  const call = calls[name];
  if (!call)
    throw new Error(`test/support/rights-world.ts cannot call ${name}; add how, and a row to docs/rights.md`);
  const { prisma } = lab.services.store;
  const cells: Cell[] = [];
  for (const who of WHO) {
    const outcomes: Cell[] = [];
    for (const { input, files } of await call(who)) {
      const [before, events] = [
        await lab.census(),
        await prisma.auditEvent.count({ where: { action: name } }),
      ];
      const { codes } = await ask(who, document(name), { input }, files);
      const done = codes.length === 0;
      if (has(codes, 'UNAUTHENTICATED')) outcomes.push('sign in');
      else if (has(codes, 'FORBIDDEN')) outcomes.push('refused');
      else if (has(codes, 'NOT_FOUND')) outcomes.push('none');
      else {
        expect([name, who, codes]).toEqual([name, who, []]);
        outcomes.push('yes');
      }
      const written = (await prisma.auditEvent.count({ where: { action: name } })) - events;
      // Who came with a token has no session to end.
      const writes = done && !(name === 'signOut' && who !== 'rater');
      expect([name, who, written]).toEqual([name, who, writes ? 1 : 0]);
      if (!done) expect(await lab.census()).toEqual(before);
    }
    const [own, other = own] = outcomes;
    cells.push(own === 'yes' && other !== 'yes' ? 'own' : own!);
  }
  compare(name, cells);
});
