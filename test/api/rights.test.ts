// Every field of the schema as everybody, held against the table in docs/rights.md.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { GraphQLField, GraphQLInterfaceType, GraphQLObjectType } from 'graphql';
import { createClient } from 'graphql-ws';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createSchema } from '../../src/api/schema.js';
import { writeNpy } from '../../src/fmri/npy.js';
import { NOBODY } from '../../src/services/access.js';
import { createUser } from '../../src/services/users.js';
import { type Lab, startLab, type UploadFile } from '../support/lab.js';
import { addPerson, addRater, addToken, type Person } from '../support/people.js';

const schema = createSchema();
/** By name, since the tests and the schema may load the library's classes twice. */
const namedType = (field: { readonly type: unknown }) =>
  schema.getType(String(field.type).replace(/[[\]!]/g, ''))!;
const WHO = ['nobody', 'rater', 'researcher', 'admin', 'reader'] as const;
type Who = (typeof WHO)[number];
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
let people: Record<Who, Person>;
/** Ids of everything there is, by type. */
const ids: Record<string, string[]> = {};
const facts = {
  folder: '/models/there',
  name: 'tiny',
  voxels: 4,
  imageSizePx: 16,
  subject: { label: '01', simulated: true },
  defaults: { steps: 2, guidanceScale: 1 },
};
let masks = 0;
const first = (type: string) => ids[type]![0]!;
const unique = () => randomBytes(8).toString('hex');
const file = (bytes: Uint8Array): UploadFile => ({ name: 'file', bytes });
const picture = () =>
  sharp(randomBytes(32 * 32 * 3), { raw: { width: 32, height: 32, channels: 3 } })
    .png()
    .toBuffer();

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

interface Call {
  readonly input?: object;
  readonly files?: Record<string, UploadFile>;
}
const call = (input: object, files: Record<string, UploadFile> = {}): Call => ({ input, files });
const tokenOf = async (userId: string) => `ApiToken_${(await addToken(lab, userId)).credentialId}`;

/** How to call each mutation; the second call, where there is one, is about what belongs to somebody else. */
const CALLS: Record<string, (who: Who) => Promise<Call[]>> = {
  createSubject: async () => [call({ label: unique() })],
  importFmriSession: async () => [
    call(
      { subjectId: first('Subject'), label: unique(), betas: null, trials: null },
      {
        'input.betas': file(writeNpy(Float32Array.from([1, 5, 2, 3, 4, 4, 9, 7]), [2, 4])),
        'input.trials': file(Buffer.from('stimulus\na\nb')),
      },
    ),
  ],
  uploadSourceImage: async () => [call({ file: null }, { 'input.file': file(await picture()) })],
  createMask: async () => {
    // Never the same pixels twice: the same mask again is no write.
    masks += 1;
    const box = { left: masks / 32, top: 0, width: 0.25, height: 0.25 };
    return [call({ imageId: first('SourceImage'), shape: 'RECTANGLE', ...box })];
  },
  uploadMask: async () => {
    const pixels = Buffer.alloc(32 * 32 * 3);
    for (let i = 0; i < 32 * 32; i++) pixels.fill(randomBytes(1)[0]! > 127 ? 255 : 0, i * 3, i * 3 + 3);
    const png = await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
      .png()
      .toBuffer();
    return [call({ imageId: first('SourceImage'), file: null }, { 'input.file': file(png) })];
  },
  registerModel: async () => [call({ folder: facts.folder })],
  submitPaintJob: async () => [call(jobInput())],
  cancelPaintJob: async () => {
    const { data } = await ask('admin', document('submitPaintJob', 'paintJob { id }'), { input: jobInput() });
    return [
      call({ id: (data as { submitPaintJob: { paintJob: { id: string } } }).submitPaintJob.paintJob.id }),
    ];
  },
  ratePainting: async () => [
    call({ paintingId: first('Painting'), score: 2 }),
    call({ paintingId: first('Painting'), score: 2, rater: `paper ${unique()}` }),
  ],
  createUser: async () => [call({ name: unique(), role: 'RESEARCHER' })],
  updateUser: async () => {
    const { id } = await createUser(lab.services, { name: unique(), role: 'RATER' });
    return [call({ id: `User_${id}`, expectedVersion: 1, role: 'RESEARCHER' })];
  },
  createApiToken: async () => {
    const { id } = await createUser(lab.services, { name: unique(), role: 'RATER' });
    return [call({ name: 'own' }), call({ name: 'for another', userId: `User_${id}` })];
  },
  revokeApiToken: async (who) => [
    call({ id: await tokenOf(people[who].userId || people.admin.userId) }),
    call({ id: await tokenOf((await addPerson(lab, 'RESEARCHER')).userId) }),
  ],
  createRaterLink: async () => [call({ raterName: unique() })],
  revokeRaterLink: async () => [call({ id: `RaterLink_${(await addRater(lab)).credentialId}` })],
  signIn: async () => [call({ secret: (await addRater(lab)).secret })],
  signOut: async () => [{}],
};

const jobInput = () => ({
  imageId: first('SourceImage'),
  maskId: first('Mask'),
  modelId: first('Model'),
  trialIds: [first('Trial')],
});

function document(name: string, selection = '__typename'): string {
  const field = schema.getMutationType()!.getFields()[name]!;
  const variables = field.args[0] ? `($input: ${field.args[0].type})` : '';
  const argument = field.args[0] ? '(input: $input)' : '';
  return `mutation${variables} { ${name}${argument} { ${selection} userErrors { code field message } } }`;
}

beforeAll(async () => {
  // A new hash at each reading, so that each registration is a new model.
  lab = await startLab({
    remote: true,
    bundle: {
      ...facts,
      get hash() {
        return unique();
      },
    },
  });
  const [admin, researcher, rater] = [
    await addPerson(lab, 'ADMIN'),
    await addPerson(lab, 'RESEARCHER'),
    await addRater(lab),
  ];
  people = {
    nobody: { headers: {}, userId: NOBODY.userId ?? '', credentialId: '' },
    rater,
    researcher,
    admin,
    reader: await addToken(lab, researcher.userId, ['READ']),
  };
  for (const [name, type] of [
    ['createSubject', 'Subject'],
    ['uploadSourceImage', 'SourceImage'],
    ['importFmriSession', 'FmriSession'],
    ['createMask', 'Mask'],
    ['registerModel', 'Model'],
  ] as const) {
    const field = type[0]!.toLowerCase() + type.slice(1);
    const [made] = await CALLS[name]!('admin');
    // Subject 01 is the model's.
    const input = name === 'createSubject' ? { label: '01', simulated: true } : made!.input;
    const { data, codes } = await ask('admin', document(name, `${field} { id }`), { input }, made!.files);
    expect([name, codes]).toEqual([name, []]);
    ids[type] = [(data as Record<string, Record<string, { id: string }>>)[name]![field]!.id];
    if (type === 'FmriSession') {
      const trials = await lab.services.store.prisma.trial.findMany();
      ids.Trial = trials.map(({ id }) => `Trial_${id}`);
    }
  }
  const { prisma } = lab.services.store;
  await ask('admin', document('submitPaintJob'), { input: jobInput() });
  const job = await prisma.paintJob.findFirstOrThrow();
  const { id } = await prisma.painting.create({
    data: { jobId: job.id, index: 0, pngSha256: '', thumbnailSha256: '', outsideMaskDifferentPixels: 0 },
  });
  Object.assign(ids, { PaintJob: [`PaintJob_${job.id}`], Painting: [`Painting_${id}`] });
  for (const who of ['rater', 'admin'] as const)
    await ask(who, document('ratePainting'), { input: { paintingId: first('Painting'), score: 3 } });
  const keys = async (type: string, rows: Promise<{ id: string }[]>) => {
    ids[type] = (await rows).map((row) => `${type}_${row.id}`);
  };
  await keys('Rating', prisma.rating.findMany());
  await keys('User', prisma.user.findMany());
  await keys('ApiToken', prisma.credential.findMany({ where: { kind: 'TOKEN' } }));
  await keys('RaterLink', prisma.credential.findMany({ where: { kind: 'RATER_LINK' } }));
  await keys('AuditEvent', prisma.auditEvent.findMany({ take: 3 }));
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

const queries = Object.values(schema.getQueryType()!.getFields());
test.each(queries.map((field) => [field.name, field] as const))('Query.%s', async (name, field) => {
  // Arguments by name: an id of what the field gives, or the one label.
  const type = name === 'node' ? undefined : namedType(field).name;
  const targets = field.args.some((arg) => arg.name === 'id' && String(arg.type).endsWith('!'))
    ? type
      ? ids[type]!
      : Object.values(ids).flat()
    : [undefined];
  const selection = isConnection(field) ? 'nodes { id }' : name === 'viewer' ? 'user { id }' : 'id';
  const seen: Record<string, { found: string[]; codes: string[] }> = {};
  for (const who of WHO) {
    const [found, codes]: [string[], string[]] = [[], []];
    for (const id of targets) {
      const args = [
        ...(id === undefined ? [] : [`id: "${id}"`]),
        ...(isConnection(field) ? ['first: 100'] : []),
        ...(name === 'subjectByLabel' ? ['label: "01"'] : []),
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
  const cells: Cell[] = [];
  for (const who of WHO) {
    const { headers } = people[who];
    class Socket extends WebSocket {
      constructor(url: string, protocols: string | string[]) {
        super(url, protocols, { headers });
      }
    }
    const client = createClient({ url: `${lab.url.replace('http', 'ws')}/graphql`, webSocketImpl: Socket });
    for await (const { data, errors } of client.iterate<Record<string, { id: string }>>({
      query: `subscription($id: ID!) { ${name}(id: $id) { id } }`,
      variables: { id: first(type) },
    })) {
      const code = errors?.[0]?.extensions?.code;
      cells.push(code === 'UNAUTHENTICATED' ? 'sign in' : code === 'NOT_FOUND' ? 'none' : 'yes');
      if (!code) expect(data?.[name]?.id).toBe(first(type));
      break;
    }
    await client.dispose();
  }
  compare(`Subscription.${name}`, cells);
});

// Last, since signOut ends the rater's session.
const mutations = Object.keys(schema.getMutationType()!.getFields());
test.each(mutations)('%s', async (name) => {
  const calls = CALLS[name];
  if (!calls)
    throw new Error(`CALLS in this test has no ${name}; add how to call it, and a row to docs/rights.md`);
  const { prisma } = lab.services.store;
  const cells: Cell[] = [];
  for (const who of WHO) {
    const outcomes: Cell[] = [];
    for (const { input, files } of await calls(who)) {
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
