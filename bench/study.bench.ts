// `npm run bench:study`: the results page of 2,400 ratings, and 100 raters at once who send every answer twice. Over HTTP, on a
// database of its own; the paintings are noise, since nobody looks. Ends with one JSON line.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config.js';
import { createLog } from '../src/log.js';
import { openRater, plantOpinions, type RaterRun } from '../src/main/demo/simulated-rating.js';
import { openServices, startApi } from '../src/main/platform.js';
import { MindPainter } from '../src/sdk/client.js';
import { closeStudy, openStudy, pilotStudy, protocolOf, unsealStudy } from '../src/services/studies.js';
import { createStudy, type StudyOrder } from '../src/services/study-creation.js';
import { designOf } from '../src/services/study-protocol.js';
import { inviteRaters } from '../src/services/study-raters.js';
import { frozenBenchmark } from '../test/support/study-lab.js';

const RATERS = 100;
const PAGES = 20;
const SEED = 1;

const p95 = (values: readonly number[]) =>
  Math.round([...values].sort((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1]!);
const say = (line: string) => process.stderr.write(`${line}\n`);

const dataDir = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const config = { ...loadConfig(), dataDir, host: '127.0.0.1', secret: undefined, port: 0, modelFolders: [] };
const log = createLog('warn');
const base = await openServices(config, log);
const { services } = base;
const api = await startApi(config, services, log);
try {
  const { benchmark } = await frozenBenchmark(services, 100);
  say('100 pairs are there');

  /** An open study whose raters have their seats. */
  const open = async (order: Omit<StudyOrder, 'benchmarkId' | 'seed'>) => {
    const study = await createStudy(services, { ...order, benchmarkId: benchmark.id, seed: SEED });
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
      const rater = await openRater(api.url, `Study_${study.id}`, `/rate#${secret}`);
      await rater.start();
      raters.push(rater);
    }
    const model = {
      cutPoints: [-0.5, 0.7],
      merits: Object.fromEntries(
        protocol.criteria.map(({ name }) => [
          name,
          { [protocol.arms[0]!.id]: 0.5, [protocol.arms[1]!.id]: 0 },
        ]),
      ),
      raterBias: 0.5,
      itemEase: 0.6,
      raterByArm: 0.3,
      itemByArm: 0.3,
      noise: 1,
    };
    return { study, raters, opinion: plantOpinions(designOf(protocol, SEED), model, SEED) };
  };

  const paper = await open({ name: "the paper's study", preset: 'MINDPAINTER' });
  await Promise.all(paper.raters.map((rater, seat) => rater.rate(seat, paper.opinion, { look: false })));
  await closeStudy(services, paper.study.id);
  await unsealStudy(services, paper.study.id);
  const { pool } = services.store;
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown;
  let statements = 0;
  pool.query = ((...args: unknown[]) => {
    statements += 1;
    return query(...args);
  }) as typeof pool.query;
  const mp = new MindPainter({ url: api.url });
  const pages: number[] = [];
  for (let i = 0; i < PAGES; i++) {
    const before = performance.now();
    await mp.query(
      'query($id: ID!) { study(id: $id) { name state protocol chainRoot exportPath results } }',
      {
        id: `Study_${paper.study.id}`,
      },
    );
    pages.push(performance.now() - before);
  }
  const resultsPageStatements = statements / PAGES;
  pool.query = query as typeof pool.query;
  say(`results page: ${resultsPageStatements} statements, p95 ${p95(pages)} ms`);

  const crowd = await open({
    name: 'a crowd',
    raters: RATERS,
    // Few screens for each: what is asked is how they stand each other.
    groups: 25,
    catchTrials: { instructed: 1, duplicates: 0, grossFailures: 1 },
  });
  const times = await Promise.all(
    crowd.raters.map((rater, seat) => rater.rate(seat, crowd.opinion, { look: false, twice: true })),
  );
  const acknowledged = times.flat().length;
  const { rows } = await pool.query<{ events: number; screens: number }>(
    `SELECT count(*)::int AS events, count(DISTINCT (rater_id, slot_id))::int AS screens FROM study_event
     WHERE study_id = $1::uuid`,
    [crowd.study.id],
  );
  const { events, screens } = rows[0]!;
  process.stdout.write(
    `${JSON.stringify({
      resultsPageStatements,
      resultsPageP95Ms: p95(pages),
      millionRatingsSeconds: null,
      concurrentRaters: RATERS,
      ratingP95Ms: p95(times.flat()),
      lost: acknowledged - screens,
      doubled: events - screens,
    })}\n`,
  );
} finally {
  await api.stop();
  await base.stop();
  await rm(dataDir, { recursive: true, force: true });
}
