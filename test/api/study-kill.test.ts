// The server is killed (kill -9) twice in the middle of 20 raters' work: every acknowledged answer is there, none twice.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Services } from '../../src/services/context.js';
import { openStudy, pilotStudy } from '../../src/services/studies.js';
import { createStudy } from '../../src/services/study-creation.js';
import { inviteRaters } from '../../src/services/study-raters.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openTestServices } from '../support/paint-lab.js';
import { frozenBenchmark } from '../support/study-lab.js';
import { answersTo, RATER_STUDY, type Shown } from '../support/study-raters.js';

const RATERS = 20;
/** Pairs, so screens of each rater. */
const PAIRS = 8;

let database: TestDatabase;
let services: Services;
let folder: string;
let server: ChildProcess | undefined;
let port: number;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: found } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return found;
}

function startServer(): void {
  server = spawn(process.execPath, ['--import', 'tsx', 'src/main/server.ts'], {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      MINDPAINTER_DATA_DIR: folder,
      // No bundle to verify at each start.
      MINDPAINTER_MODELS: join(folder, 'none'),
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'silent',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Sends until there is an answer, as a page with a queue does; the same request may arrive more than once. */
async function insist(body: object, headers: Record<string, string>): Promise<Response> {
  for (const deadline = Date.now() + 120_000; ; ) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      await response.clone().text();
      return response;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-study-kill-'));
  database = await createTestDatabase();
  // The server has no secret of its own, as on the embedded default.
  services = { ...openTestServices(database.url, join(folder, 'blobs')), secretKey: '' };
  port = await freePort();
}, 60_000);
afterAll(async () => {
  server?.kill('SIGKILL');
  await services?.store.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

test('every acknowledged answer is there after two kills, none twice', async () => {
  const { benchmark } = await frozenBenchmark(services, PAIRS);
  const { id: studyId } = await createStudy(services, {
    name: 'killed',
    benchmarkId: benchmark.id,
    raters: RATERS,
  });
  await pilotStudy(services, studyId, { seed: 1, difference: 0.5, studies: 1 });
  await openStudy(services, studyId);
  const links = await inviteRaters(services, { studyId, count: RATERS, expiresInDays: 1 });
  startServer();
  const acknowledged: string[] = [];
  const id = `Study_${studyId}`;

  const rate = async (secret: string): Promise<void> => {
    const signedIn = await insist(
      {
        query: 'mutation($secret: String!) { signIn(input: { secret: $secret }) { userErrors { code } } }',
        variables: { secret },
      },
      {},
    );
    const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!;
    const mutate = async (name: string, input: object): Promise<Shown> => {
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
      const query = `mutation($input: ${type}!) { ${name}(input: $input) { study { ${RATER_STUDY} } userErrors { code message } } }`;
      const { data } = (await (await insist({ query, variables: { input } }, { cookie })).json()) as {
        data: Record<string, { study: Shown | null; userErrors: object[] }>;
      };
      expect(data[name]!.userErrors).toEqual([]);
      return data[name]!.study!;
    };
    let shown = await mutate('startStudyRating', { studyId: id, consentVersion: '1' });
    while (shown.screen) {
      const answerId = randomUUID();
      const answers = answersTo(shown.screen);
      const input = { studyId: id, tabId: shown.tabId, slotId: shown.screen.slotId, answerId, answers };
      shown = await mutate('submitStudyAnswer', input);
      acknowledged.push(answerId);
    }
    expect(shown.state).toBe('FINISHED');
  };
  const everyone = Promise.all(links.map(({ secret }) => rate(secret)));
  everyone.catch(() => {});
  let kills = 0;
  for (const share of [0.25, 0.6]) {
    while (acknowledged.length < share * RATERS * PAIRS) await Promise.race([sleep(20), everyone]);
    const victim = server!;
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    kills += 1;
    startServer();
  }
  await everyone;
  const { rows } = await services.store.pool.query<{
    client_id: string;
    slot_id: string;
    rater_id: string;
    number: number;
  }>(
    'SELECT client_id, slot_id, rater_id, number FROM study_event WHERE study_id = $1 ORDER BY rater_id, number',
    [studyId],
  );
  expect(kills).toBe(2);
  expect(acknowledged).toHaveLength(RATERS * PAIRS);
  expect(rows.map((row) => row.client_id).sort()).toEqual([...acknowledged].sort());
  expect(new Set(rows.map((row) => `${row.rater_id} ${row.slot_id}`)).size).toBe(rows.length);
}, 300_000);
