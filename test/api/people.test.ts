// People, tokens, rater links, sessions and the audit: what a secret opens, when it stops, and what is written down.

import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createRaterLink } from '../../src/services/credentials.js';
import { updateUser } from '../../src/services/users.js';
import { type Answer, type Lab, startLab } from '../support/lab.js';
import { addPainting } from '../support/painting.js';
import { addPerson, addRater, addToken, type Person, signIn } from '../support/people.js';

let lab: Lab;
let local: Lab;
let admin: Person;
beforeAll(async () => {
  [lab, local] = [await startLab({ remote: true }), await startLab()];
  admin = await addPerson(lab, 'ADMIN');
}, 60_000);
afterAll(async () => {
  await lab?.close();
  await local?.close();
});

const VIEWER = '{ viewer { role scopes signedInBy user { id name } } }';
interface Viewer {
  readonly role: string;
  readonly signedInBy: string;
  readonly user: { readonly id: string; readonly name: string };
}

/** A bare request, whose Host header fetch would not let us choose. */
function raw(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; viewer?: Viewer | null }> {
  const body = JSON.stringify({ query: VIEWER });
  return new Promise((done, fail) => {
    const sent = request(`${url}/graphql`, { method: 'POST' }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      done({ status: response.statusCode!, viewer: JSON.parse(text).data?.viewer });
    });
    sent.on('error', fail);
    for (const [name, value] of Object.entries({ 'content-type': 'application/json', ...headers }))
      sent.setHeader(name, value);
    sent.end(body);
  });
}
const viewerOf = async (person: Pick<Person, 'headers'>) => (await raw(lab.url, person.headers)).viewer;
const statusOf = async (person: Pick<Person, 'headers'>) => (await raw(lab.url, person.headers)).status;

async function send<T>(person: Pick<Person, 'headers'>, query: string, variables = {}): Promise<T> {
  const { data, errors }: Answer = await lab.send(query, variables, {}, person.headers);
  expect(errors).toBeUndefined();
  return Object.values(data!)[0] as T;
}
const errors = 'userErrors { code field }';
const revoke = (who: Person, id: string) =>
  send<{ userErrors: object[] }>(
    who,
    `mutation($id: ID!) { revokeApiToken(input: { id: $id }) { apiToken { revokedAt } ${errors} } }`,
    { id: `ApiToken_${id}` },
  );

describe('tokens', () => {
  test('the secret is shown once and stored nowhere; its last use is seen', async () => {
    const { apiToken, secret } = await send<{ apiToken: { id: string; lastUsedAt: null }; secret: string }>(
      admin,
      `mutation { createApiToken(input: { name: "script", scopes: [WRITE] }) { apiToken { id lastUsedAt scopes } secret ${errors} } }`,
    );
    expect(apiToken).toMatchObject({ lastUsedAt: null, scopes: ['READ', 'WRITE'] });
    expect(secret).toMatch(/^mpt_[0-9a-f]{32}_[\w-]{43}$/);
    expect(await viewerOf({ headers: { authorization: `Bearer ${secret}` } })).toMatchObject({
      role: 'ADMIN',
      signedInBy: 'TOKEN',
      scopes: ['READ', 'WRITE'],
    });
    const { rows } = await lab.services.store.pool.query(
      'SELECT row_to_json(c)::text AS text FROM credential AS c UNION ALL SELECT row_to_json(e)::text FROM audit_event AS e',
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { text } of rows) {
      expect(text).not.toContain(secret.slice(-43));
      if (text.includes('entity_type')) expect(text).not.toMatch(/hash/i);
    }
    const { node } = (
      await lab.send(
        'query($id: ID!) { node(id: $id) { ... on ApiToken { lastUsedAt } } }',
        { id: apiToken.id },
        {},
        admin.headers,
      )
    ).data as { node: { lastUsedAt: string } };
    expect(Date.now() - Date.parse(node.lastUsedAt)).toBeLessThan(60_000);
  });

  test('401 for one that is unknown, changed, expired, revoked, of another key, or whose user is deactivated', async () => {
    const person = await addPerson(lab, 'RESEARCHER');
    const { authorization } = person.headers;
    const last = authorization!.at(-5) === 'A' ? 'B' : 'A';
    const changed = `${authorization!.slice(0, -5)}${last}${authorization!.slice(-4)}`;
    for (const wrong of ['Bearer x', 'Basic YTpi', changed, `Bearer mpt_${'0'.repeat(32)}_${'a'.repeat(43)}`])
      expect([wrong, await statusOf({ headers: { authorization: wrong } })]).toEqual([wrong, 401]);
    expect(await statusOf(person)).toBe(200);

    const { prisma } = lab.services.store;
    const expired = await addToken(lab, person.userId);
    await prisma.credential.update({ where: { id: expired.credentialId }, data: { expiresAt: new Date() } });
    expect(await statusOf(expired)).toBe(401);

    const otherKey = { ...lab, services: { ...lab.services, secretKey: 'another key' } };
    expect(await statusOf(await addToken(otherKey, person.userId))).toBe(401);

    expect(await revoke(person, person.credentialId)).toMatchObject({ userErrors: [] });
    expect(await statusOf(person)).toBe(401);

    const again = await addToken(lab, person.userId);
    await updateUser(lab.services, { id: person.userId, expectedVersion: 1, active: false });
    expect(await statusOf(again)).toBe(401);
    await updateUser(lab.services, { id: person.userId, expectedVersion: 2, active: true });
    expect(await statusOf(again)).toBe(200);
  });

  test('none is wider than its maker; one of somebody else is as unknown as one that is not there', async () => {
    const { userId } = await addPerson(lab, 'RESEARCHER');
    const narrow = await addToken(lab, userId, ['READ', 'MANAGE']);
    const made = await send<{ userErrors: object[]; secret: string | null }>(
      narrow,
      `mutation { createApiToken(input: { name: "wide", scopes: [WRITE] }) { secret ${errors} } }`,
    );
    expect(made).toEqual({ secret: null, userErrors: [{ code: 'FORBIDDEN', field: 'scopes' }] });
    const theirs = await revoke(narrow, admin.credentialId);
    expect(theirs).toEqual(await revoke(narrow, '00000000-0000-7000-8000-000000000000'));
    expect(theirs.userErrors).toEqual([{ code: 'NOT_FOUND', field: 'id' }]);
    expect(await statusOf(admin)).toBe(200);
  });

  test('an end of no or too many days is refused', async () => {
    for (const days of [0, 367, -1]) {
      const { userErrors } = await send<{ userErrors: object[] }>(
        admin,
        `mutation { createApiToken(input: { name: "x", expiresInDays: ${days} }) { ${errors} } }`,
      );
      expect(userErrors).toEqual([{ code: 'BAD_INPUT', field: 'expiresInDays' }]);
    }
  });
});

describe('users', () => {
  const UPDATE = `mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { role version active } ${errors} } }`;
  const update = (input: object) =>
    send<{ user: object | null; userErrors: object[] }>(admin, UPDATE, { input });

  test('a role changes at once for tokens in use; a change decided by an old version is refused', async () => {
    const person = await addPerson(lab, 'RESEARCHER');
    const id = `User_${person.userId}`;
    expect(await update({ id, expectedVersion: 1, role: 'RATER' })).toEqual({
      user: { role: 'RATER', version: 2, active: true },
      userErrors: [],
    });
    expect(await viewerOf(person)).toMatchObject({ role: 'RATER' });
    expect((await update({ id, expectedVersion: 1, role: 'ADMIN' })).userErrors).toEqual([
      { code: 'CONFLICT', field: 'expectedVersion' },
    ]);
  });

  test('admins cannot take their own rights, nor change the local user; a name is taken once', async () => {
    const own = { id: `User_${admin.userId}`, expectedVersion: 1, role: 'RATER' };
    expect((await update(own)).userErrors).toEqual([{ code: 'CONFLICT', field: 'id' }]);
    const { id } = await lab.services.store.prisma.user.findUniqueOrThrow({ where: { name: 'local' } });
    const change = { id: `User_${id}`, expectedVersion: 1, active: false };
    expect((await update(change)).userErrors).toEqual([{ code: 'CONFLICT', field: 'id' }]);
    const twice = await send<{ userErrors: object[] }>(
      admin,
      `mutation { createUser(input: { name: " local ", role: ADMIN }) { ${errors} } }`,
    );
    expect(twice.userErrors).toEqual([{ code: 'CONFLICT', field: 'name' }]);
  });
});

describe('rater links and sessions', () => {
  test('the cookie is out of reach of scripts and other sites, and goes over https only unless it is at this machine', async () => {
    const { secret, userId } = await addRater(lab, 'Ada');
    const here = (await signIn(lab, secret))!;
    expect(here).toMatch(/^mindpainter_session=mps_\w+.*; Path=\/; .*HttpOnly; SameSite=Lax$/);
    const query = `mutation { signIn(input: { secret: "${secret}" }) { ${errors} } }`;
    const away = await new Promise<string>((done) => {
      const sent = request(`${lab.url}/graphql`, { method: 'POST' }, (response) => {
        response.resume();
        done(String(response.headers['set-cookie']));
      });
      sent.setHeader('host', 'lab.example');
      sent.setHeader('content-type', 'application/json');
      sent.end(JSON.stringify({ query }));
    });
    expect(away).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
    const headers = { cookie: `a=b; ${here.split(';')[0]}` };
    expect(await viewerOf({ headers })).toMatchObject({
      role: 'RATER',
      signedInBy: 'SESSION',
      user: { id: `User_${userId}`, name: 'Ada' },
    });
    await send({ headers }, 'mutation { signOut { signedOut } }');
    expect(await viewerOf({ headers })).toBeNull();
  });

  test('revoked or expired, it starts no session and its sessions end', async () => {
    const [revoked, expired] = [await addRater(lab), await addRater(lab)];
    expect(await viewerOf(revoked)).toMatchObject({ role: 'RATER' });
    const link = await send<{ raterLink: { useCount: number }; userErrors: object[] }>(
      admin,
      `mutation($id: ID!) { revokeRaterLink(input: { id: $id }) { raterLink { useCount } ${errors} } }`,
      { id: `RaterLink_${revoked.credentialId}` },
    );
    expect(link).toEqual({ raterLink: { useCount: 1 }, userErrors: [] });
    await lab.services.store.prisma.credential.update({
      where: { id: expired.credentialId },
      data: { expiresAt: new Date() },
    });
    for (const rater of [revoked, expired]) {
      expect(await viewerOf(rater)).toBeNull();
      expect(await signIn(lab, rater.secret)).toBeUndefined();
    }
  });

  test('it makes a rater even of who becomes an admin, and is made for raters only', async () => {
    const rater = await addRater(lab);
    await updateUser(lab.services, { id: rater.userId, expectedVersion: 1, role: 'ADMIN' });
    expect(await viewerOf(rater)).toMatchObject({ role: 'RATER' });
    const { name } = await lab.services.store.prisma.user.findUniqueOrThrow({ where: { id: rater.userId } });
    await expect(createRaterLink(lab.services, { raterName: name, expiresInDays: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
      field: 'raterName',
    });
  });

  test('a session or link is no token, and a token no session', async () => {
    const rater = await addRater(lab);
    const session = rater.headers.cookie!.split('=')[1]!;
    for (const secret of [session, rater.secret])
      expect(await statusOf({ headers: { authorization: `Bearer ${secret}` } })).toBe(401);
    const cookie = `mindpainter_session=${admin.headers.authorization!.split(' ')[1]}`;
    expect(await viewerOf({ headers: { cookie } })).toBeNull();
  });

  test('ratings: in person, or entered for somebody without a link; nobody speaks for a rater who has one', async () => {
    const painting = `Painting_${await addPainting(lab)}`;
    const rate = (who: Person, rater?: string) =>
      send<{ rating: { rater: string } | null; userErrors: object[] }>(
        who,
        `mutation($input: RatePaintingInput!) { ratePainting(input: $input) { rating { rater } ${errors} } }`,
        { input: { paintingId: painting, score: 2, ...(rater ? { rater } : {}) } },
      );
    const grace = await addRater(lab, 'Grace');
    const [researcher, second] = [await addPerson(lab, 'RESEARCHER'), await addPerson(lab, 'RESEARCHER')];
    expect((await rate(grace)).rating).toEqual({ rater: 'Grace' });
    expect((await rate(researcher, 'on paper')).rating).toEqual({ rater: 'on paper' });
    expect((await rate(second, 'on paper')).rating).toEqual({ rater: 'on paper' });
    const refused = async (who: Person, rater: string) => (await rate(who, rater)).userErrors;
    expect(await refused(researcher, 'Grace')).toEqual([{ code: 'CONFLICT', field: 'rater' }]);
    expect(await refused(researcher, 'local')).toEqual([{ code: 'CONFLICT', field: 'rater' }]);
    expect(await refused(grace, 'on paper')).toEqual([{ code: 'FORBIDDEN', field: 'rater' }]);
    const stored = await lab.services.store.prisma.rating.findMany({
      include: { rater: true },
      orderBy: { id: 'asc' },
    });
    expect(stored.map(({ rater, revision }) => [rater.name, revision])).toEqual([
      ['Grace', 1],
      ['on paper', 2],
    ]);
  });
});

describe('the local user', () => {
  test('is admin without a token, by every name of this machine', async () => {
    const { port } = new URL(local.url);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'LOCALHOST'])
      expect([host, (await raw(local.url, { host })).viewer]).toMatchObject([
        host,
        { role: 'ADMIN', signedInBy: 'LOCAL', user: { name: 'local' } },
      ]);
  });

  test('names that others point here are refused, and so are requests of other sites', async () => {
    const { host } = new URL(local.url);
    for (const wrong of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1'])
      expect([wrong, (await raw(local.url, { host: wrong })).status]).toEqual([wrong, 403]);
    for (const origin of [
      'https://evil.example',
      'http://127.0.0.1:1',
      'null',
      `http://${host}.evil.example`,
    ])
      expect([origin, (await raw(local.url, { origin })).status]).toEqual([origin, 403]);
    expect((await raw(local.url, { origin: `http://${host}` })).viewer).toMatchObject({ role: 'ADMIN' });
    const page = await fetch(`${local.url}/files/x/y`, { headers: { origin: 'https://evil.example' } });
    expect(page.status).toBe(403);
  });

  test('is not taken for whoever comes by a proxy or is sent by another site', async () => {
    const theirs: Record<string, string>[] = [
      { 'x-forwarded-for': '10.0.0.1' },
      { forwarded: 'for=10.0.0.1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of theirs)
      expect([headers, (await raw(local.url, headers)).viewer]).toEqual([headers, null]);
    expect((await raw(local.url, { 'sec-fetch-site': 'same-origin' })).viewer).toMatchObject({
      role: 'ADMIN',
    });
  });

  test('a token that is not good is not replaced by the local user', async () => {
    expect((await raw(local.url, { authorization: 'Bearer x' })).status).toBe(401);
  });
});

test('WebSockets: a token in connectionParams; a bad one and other sites are turned away', async () => {
  const connect = (url: string, connectionParams: Record<string, unknown>, headers = {}) => {
    class Socket extends WebSocket {
      constructor(to: string, protocols: string | string[]) {
        super(to, protocols, { headers });
      }
    }
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: Socket,
      connectionParams,
      retryAttempts: 0,
    });
    return client.iterate<{ viewer: Viewer | null }>({ query: VIEWER }).next();
  };
  const { value } = await connect(lab.url, { authorization: admin.headers.authorization });
  expect(value.data.viewer).toMatchObject({ role: 'ADMIN', signedInBy: 'TOKEN' });
  expect((await connect(lab.url, {})).value.data.viewer).toBeNull();
  await expect(connect(lab.url, { authorization: 'Bearer x' })).rejects.toMatchObject({ code: 4403 });
  await expect(connect(local.url, {}, { origin: 'https://evil.example' })).rejects.toBeDefined();
  await expect(connect(local.url, {}, { host: 'evil.example' })).rejects.toBeDefined();
});

test('a stream ends when the token behind it is revoked, and another goes on', async () => {
  const { prisma } = lab.services.store;
  const painting = await prisma.painting.findUniqueOrThrow({ where: { id: await addPainting(lab) } });
  const [good, bad] = [await addToken(lab, admin.userId), await addToken(lab, admin.userId)];
  const streams = [good, bad].map(({ headers }) => {
    const client = createClient({
      url: `${lab.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: headers,
    });
    return client.iterate<{ paintJobEvents: { state: string } }>({
      query: `subscription { paintJobEvents(paintJobId: "PaintJob_${painting.jobId}") { state } }`,
    });
  });
  const next = async () => {
    const results = await Promise.all(streams.map((stream) => stream.next()));
    return results.map(({ done, value }) => (done ? 'end' : value.data?.paintJobEvents.state));
  };
  expect(await next()).toEqual(['QUEUED', 'QUEUED']);
  expect(await revoke(admin, bad.credentialId)).toMatchObject({ userErrors: [] });
  // The stream looks again after a second.
  await sleep(1100);
  await prisma.paintJob.update({ where: { id: painting.jobId }, data: { state: 'RUNNING' } });
  expect(await next()).toEqual(['RUNNING', 'end']);
  await streams[0]!.return!();
});

test('files: nobody must sign in, a rater sees no source image, uploads of both are refused unread', async () => {
  const { prisma } = lab.services.store;
  const sha256 = await lab.services.blobs.put(Buffer.from('picture'));
  const { id } = await prisma.sourceImage.create({
    data: {
      sha256,
      format: 'png',
      width: 1,
      height: 1,
      sizeBytes: 7,
      pngSha256: sha256,
      thumbnailSha256: sha256,
    },
  });
  const rater = await addRater(lab);
  const get = async (headers: Record<string, string>) =>
    (await fetch(`${lab.url}/files/source-images/${id}.png`, { headers })).status;
  expect([await get({}), await get(rater.headers), await get(admin.headers)]).toEqual([401, 404, 200]);
  const before = await lab.census();
  const query =
    'mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } } }';
  const files = { 'input.file': { name: 'a.png', bytes: new Uint8Array(1000) } };
  for (const [headers, code] of [
    [{}, 'UNAUTHENTICATED'],
    [rater.headers, 'FORBIDDEN'],
  ] as const) {
    const answer = await lab.send(query, { input: { file: null } }, files, headers);
    expect(answer.errors![0]!.extensions.code).toBe(code);
  }
  expect(await lab.census()).toEqual(before);
});

describe('the audit', () => {
  const EVENTS = `query($id: ID, $user: ID) { auditEvents(first: 10, entityId: $id, userId: $user) {
    totalCount nodes { at action entityType entityId before after user { id } } } }`;
  interface Events {
    readonly totalCount: number;
    readonly nodes: readonly Record<string, unknown>[];
  }

  test('tells who did what to what, with before and after, the newest first', async () => {
    const person = await addPerson(lab, 'RESEARCHER');
    const id = `User_${person.userId}`;
    await send(
      admin,
      `mutation($id: ID!) { updateUser(input: { id: $id, expectedVersion: 1, role: RATER }) { ${errors} } }`,
      { id },
    );
    const { nodes, totalCount } = await send<Events>(admin, EVENTS, { id });
    expect(totalCount).toBe(2);
    expect(nodes).toMatchObject([
      {
        action: 'updateUser',
        entityType: 'User',
        entityId: id,
        before: { role: 'RESEARCHER', version: 1 },
        after: { role: 'RATER', version: 2 },
        user: { id: `User_${admin.userId}` },
      },
      { action: 'createUser', before: null, after: { role: 'RESEARCHER' }, user: null },
    ]);
    const own = await send<Events>(admin, EVENTS, { user: `User_${admin.userId}` });
    expect(own.nodes.every(({ user }) => (user as { id: string }).id === `User_${admin.userId}`)).toBe(true);
  });

  test('nothing that was refused is in it, and nobody changes it', async () => {
    const { pool, prisma } = lab.services.store;
    const before = await prisma.auditEvent.count();
    const { userErrors } = await send<{ userErrors: object[] }>(
      admin,
      `mutation { createSubject(input: { label: "../x" }) { ${errors} } }`,
    );
    expect(userErrors).toHaveLength(1);
    expect(await prisma.auditEvent.count()).toBe(before);
    await expect(pool.query("UPDATE audit_event SET action = 'x'")).rejects.toThrow('append-only');
    await expect(pool.query('DELETE FROM audit_event')).rejects.toThrow('append-only');
  });

  test('a write whose event cannot be written is not done', async () => {
    const { pool, prisma } = lab.services.store;
    await pool.query('ALTER TABLE audit_event RENAME TO away');
    const answer = await lab.send(
      `mutation { createSubject(input: { label: "lost" }) { ${errors} } }`,
      {},
      {},
      admin.headers,
    );
    await pool.query('ALTER TABLE away RENAME TO audit_event');
    expect(answer.errors![0]!.extensions.code).toBe('INTERNAL');
    expect(await prisma.subject.findUnique({ where: { label: 'lost' } })).toBeNull();
  });
});
