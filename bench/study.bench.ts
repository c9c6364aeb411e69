// `npm run bench:study`: the results page of 2,400 ratings; 100 raters at once who send every answer twice; the results of a million
// ratings. Over HTTP, from a server that is a process of its own; the paintings are noise, since nobody looks. Ends with one JSON
// line. `-- --raters N` makes the large study smaller: N raters give 1,000 ratings each.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openRater, plantOpinions, type RaterRun } from '../src/main/demo/simulated-rating.js';
import { prepareQueue } from '../src/queue/queue.js';
import { MindPainter } from '../src/sdk/client.js';
import { closeStudy, openStudy, pilotStudy, protocolOf, unsealStudy } from '../src/services/studies.js';
import { createStudy, type StudyOrder } from '../src/services/study-creation.js';
import { designOf } from '../src/services/study-protocol.js';
import { inviteRaters } from '../src/services/study-raters.js';
import type { StudyResults } from '../src/services/study-results.js';
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.js';
import { migrate } from '../src/store/migrate.js';
import { largeStudy } from '../test/support/large-study.js';
import { openTestServices } from '../test/support/paint-lab.js';
import { frozenBenchmark, type StudyParts } from '../test/support/study-lab.js';

const CROWD = 100;
const PAGES = 20;
const SEED = 1;
const { values } = parseArgs({ options: { raters: { type: 'string', default: '1000' } } });

const p95 = (times: readonly number[]) =>
  Math.round([...times].sort((a, b) => a - b)[Math.ceil(0.95 * times.length) - 1]!);
const say = (line: string) => process.stderr.write(`${line}\n`);

const folder = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const postgres = await startEmbeddedPostgres(join(folder, 'postgres'));
await migrate(postgres.url, 'prisma/migrations');
const services = openTestServices(postgres.url, join(folder, 'blobs'));
await prepareQueue(services.store);
const side = fork(
  fileURLToPath(new URL('./study-side.ts', import.meta.url)),
  [postgres.url, join(folder, 'blobs')],
  { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
);
const told = async <T>() => (await once(side, 'message'))[0] as T;
const ask = async () => {
  side.send('?');
  return told<{ statements: number; peakMb: number; cpuMs: number }>();
};

/** An open study whose raters have their seats, and what they will say. */
async function open(url: string, order: Omit<StudyOrder, 'seed'>) {
  const study = await createStudy(services, { ...order, seed: SEED });
  await pilotStudy(services, study.id, { seed: SEED, difference: 0.5, studies: 1 });
  await openStudy(services, study.id);
  const protocol = protocolOf(study);
  const links = await inviteRaters(services, {
    studyId: study.id,
    count: protocol.raters,
    expiresInDays: 1,
  });
  const raters: RaterRun[] = [];
  for (const { secret } of links) {
    const rater = await openRater(url, `Study_${study.id}`, `/rate#${secret}`);
    await rater.start();
    raters.push(rater);
  }
  const merits = { [protocol.arms[0]!.id]: 0.5, [protocol.arms[1]!.id]: 0 };
  const model = {
    cutPoints: [-0.5, 0.7],
    merits: Object.fromEntries(protocol.criteria.map(({ name }) => [name, merits])),
    raterBias: 0.5,
    itemEase: 0.6,
    raterByArm: 0.3,
    itemByArm: 0.3,
    noise: 1,
  };
  return { study, raters, opinion: plantOpinions(designOf(protocol, SEED), model, SEED) };
}

/** Ratings that the page shows, its milliseconds, and the statements of the server meanwhile. */
async function loadPage(url: string, studyId: string) {
  const { statements } = await ask();
  const sent = performance.now();
  const { study } = await new MindPainter({ url }).query<{ study: { results: StudyResults } }>(
    'query($id: ID!) { study(id: $id) { name state protocol chainRoot exportPath results } }',
    { id: `Study_${studyId}` },
  );
  const ms = performance.now() - sent;
  return { ratings: study.results.all.ratings, ms, statements: (await ask()).statements - statements };
}

async function measurePages(url: string, benchmarkId: string) {
  const paper = await open(url, { name: "the paper's study", preset: 'MINDPAINTER', benchmarkId });
  await Promise.all(paper.raters.map((rater, seat) => rater.rate(seat, paper.opinion, { look: false })));
  await closeStudy(services, paper.study.id);
  await unsealStudy(services, paper.study.id);
  const pages = [];
  for (let i = 0; i < PAGES; i++) pages.push(await loadPage(url, paper.study.id));
  const [first, ...kept] = pages;
  say(
    `results page of ${first!.ratings} ratings: computed in ${Math.round(first!.ms)} ms by ${first!.statements} statements, ` +
      `then kept: ${kept[0]!.statements} statements, longest ${Math.round(Math.max(...kept.map(({ ms }) => ms)))} ms`,
  );
  return {
    resultsPageStatements: Math.max(...pages.map(({ statements }) => statements)),
    resultsPageP95Ms: p95(pages.map(({ ms }) => ms)),
  };
}

async function measureCrowd(url: string, benchmarkId: string) {
  const crowd = await open(url, {
    name: 'a crowd',
    benchmarkId,
    raters: CROWD,
    // As in the paper's study, five times as many raters a pair.
    groups: 5,
    catchTrials: { instructed: 1, duplicates: 2, grossFailures: 1 },
  });
  const started = performance.now();
  const rated = (
    await Promise.all(
      crowd.raters.map((rater, seat) => rater.rate(seat, crowd.opinion, { look: false, twice: true })),
    )
  ).flat();
  const seconds = (performance.now() - started) / 1000;
  const { rows } = await services.store.pool.query<{ client_id: string; screen: string }>(
    `SELECT client_id, rater_id || ' ' || slot_id AS screen FROM study_event WHERE study_id = $1::uuid`,
    [crowd.study.id],
  );
  const stored = new Set(rows.map(({ client_id }) => client_id));
  say(`${CROWD} raters at once gave ${rated.length} answers, each sent twice, in ${seconds.toFixed(1)} s`);
  return {
    concurrentRaters: CROWD,
    ratingP95Ms: p95(rated.map(({ ms }) => ms)),
    lost: rated.filter(({ answerId }) => !stored.has(answerId)).length,
    doubled: rows.length - new Set(rows.map(({ screen }) => screen)).size,
  };
}

/** The first results page of a study of 1,000 pairs in 10 groups, each rater 100 pairs of two arms on five criteria. */
async function measureMillion(url: string, parts: StudyParts): Promise<number> {
  const raters = Number(values.raters);
  const shape = { pictures: 25, signals: 40, criteria: 5, raters, groups: 10 };
  const made = performance.now();
  const study = await largeStudy(services, shape, parts);
  say(`a study of ${raters} raters was made in ${((performance.now() - made) / 1000).toFixed(0)} s`);
  const before = await ask();
  const mp = new MindPainter({ url });
  const others: number[] = [];
  let done = false;
  const asked = loadPage(url, study.id).finally(() => {
    done = true;
  });
  while (!done) {
    const sent = performance.now();
    await mp.query('{ __typename }');
    others.push(performance.now() - sent);
    await new Promise((next) => setTimeout(next, 20));
  }
  const { ratings, ms } = await asked;
  const { peakMb, cpuMs } = await ask();
  say(
    `results of ${ratings} ratings: ${(ms / 1000).toFixed(1)} s, of the server's processor time ${((cpuMs - before.cpuMs) / 1000).toFixed(1)} s, at most ${peakMb} MB (${before.peakMb} before); ` +
      `other queries meanwhile: p95 ${p95(others)} ms`,
  );
  return Number((ms / 1000).toFixed(2));
}

try {
  const { address } = await told<{ address: string }>();
  const { benchmark, parts } = await frozenBenchmark(services, 100);
  say('100 pairs are there');
  const pages = await measurePages(address, benchmark.id);
  const { concurrentRaters, ...crowd } = await measureCrowd(address, benchmark.id);
  const millionRatingsSeconds = await measureMillion(address, parts);
  process.stdout.write(
    `${JSON.stringify({ ...pages, millionRatingsSeconds, concurrentRaters, ...crowd })}\n`,
  );
} finally {
  side.disconnect();
  await services.store.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
