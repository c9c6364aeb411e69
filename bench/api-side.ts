// One of the systems that bench/api.bench.ts compares, as a process of its own: `api-side.ts KIND DATABASE_URL FOLDER` prints its address.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { prepareSql } from '../src/store/sql.js';
import { uuid7 } from '../src/store/uuid7.js';
import { createBareApi } from '../test/support/bare-api.js';
import { openTestServices } from '../test/support/paint-lab.js';

/** Each side may hold as many connections as our server does by default. */
const CONNECTIONS = 12;
const [kind, url, folder] = process.argv.slice(2) as [string, string, string];

async function startOurs(): Promise<string> {
  const services = openTestServices(url, folder, CONNECTIONS);
  const api = await createBareApi(services);
  return `${await api.listen(0, '127.0.0.1')}/graphql`;
}

async function readBody(
  request: IncomingMessage,
): Promise<{ paintingId?: string; score?: number; page?: boolean }> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return JSON.parse(text);
}

/** What the page needs, in one statement. */
const PAGE = `SELECT j.id, j.state, j.created_at, i.id AS image_id, i.width, i.height, t.id AS trial_id, t.stimulus,
    s.id AS subject_id, s.label, p.id AS painting_id, p.index
  FROM (SELECT * FROM paint_job WHERE withdrawn_at IS NULL ORDER BY id DESC LIMIT 51) j
  JOIN source_image i ON i.id = j.image_id
  LEFT JOIN LATERAL (SELECT t.* FROM paint_job_trial x JOIN trial t ON t.id = x.trial_id
    WHERE x.job_id = j.id AND NOT x.shuffled ORDER BY t.id LIMIT 1) t ON true
  LEFT JOIN fmri_session f ON f.id = t.session_id LEFT JOIN subject s ON s.id = f.subject_id
  LEFT JOIN LATERAL (SELECT * FROM painting WHERE job_id = j.id ORDER BY index LIMIT 1) p ON true
  ORDER BY j.id DESC`;

/** What ratePainting runs, the audit event among it. */
const RATE = prepareSql('rate-painting');

async function rate(pool: pg.Pool, raterId: string, paintingId: string, score: number) {
  const values = [uuid7(), paintingId, raterId, score, uuid7(), raterId, null];
  const [rated] = (await pool.query(RATE, values)).rows;
  return rated;
}

async function startBare(): Promise<string> {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  const { rows } = await pool.query("SELECT id FROM lab_user WHERE name = 'local'");
  const server = createServer(async (request, response) => {
    const { page, paintingId, score } = await readBody(request);
    let answer: unknown = { data: { __typename: 'Query' } };
    if (page) answer = { data: { paintJobs: (await pool.query(PAGE)).rows.slice(0, 50) } };
    if (paintingId) answer = { data: { ratePainting: await rate(pool, rows[0].id, paintingId, score!) } };
    const body = JSON.stringify(answer);
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startPostGraphile(): Promise<string> {
  // It is written for Node 22; this is what it misses in Node 20.
  const promises = Promise as unknown as { withResolvers?: () => object };
  promises.withResolvers ??= () => {
    const parts: { resolve?: unknown; reject?: unknown } = {};
    const promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return { promise, ...parts };
  };
  const { postgraphile } = await import('postgraphile');
  const { PostGraphileAmberPreset } = await import('postgraphile/presets/amber');
  const { makePgService } = await import('postgraphile/adaptors/pg');
  const { grafserv } = await import('postgraphile/grafserv/node');
  const instance = postgraphile({
    extends: [PostGraphileAmberPreset],
    pgServices: [
      makePgService({ connectionString: url, schemas: ['public'], poolConfig: { max: CONNECTIONS } }),
    ],
    grafserv: { graphqlPath: '/graphql', watch: false, graphiql: false },
  });
  const server = createServer();
  await instance.createServ(grafserv).addTo(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

const START = { ours: startOurs, pg: startBare, postgraphile: startPostGraphile } as const;
const address = await START[kind as keyof typeof START]();
process.stdout.write(`${address}\n`);
// The bench ends its sides by closing their input.
process.stdin.on('end', () => process.exit(0)).resume();
