// Our API, the same SQL behind a bare Node server, and PostGraphile, over one database: requests a second and p99, in turn.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { median, type NextBody, quantile, run } from './api-load.js';

const KINDS = ['ours', 'pg', 'postgraphile'] as const;
type Kind = (typeof KINDS)[number];
const SCENARIOS = ['trivial query', 'page of 50 jobs', 'rating'] as const;
type Scenario = (typeof SCENARIOS)[number];

const CLIENTS = 8;
const ROUNDS = 3;
const SECONDS = 1.5;
const JOBS = 1000;
const MIXED_ROUNDS = 2;
const MIXED_SECONDS = 8;
const THINK_MS = 1000;

/** Subjects with sessions and trials, pictures, and ended jobs with a painting each. */
async function fill(pool: pg.Pool): Promise<string[]> {
  await pool.query(`WITH s AS (INSERT INTO subject (id, label) SELECT uuidv7(), 'b' || n FROM generate_series(1, 20) n RETURNING id),
      f AS (INSERT INTO fmri_session (id, subject_id, label, voxels, constant_voxels, normalisation, upload_sha256, betas_sha256)
        SELECT uuidv7(), id, '01', 4, 0, 'none', '', '' FROM s RETURNING id)
    INSERT INTO trial (id, session_id, index, stimulus, repetition)
      SELECT uuidv7(), f.id, n, 'stimulus ' || n, 1 FROM f, generate_series(0, 49) n`);
  await pool.query(`WITH i AS (INSERT INTO source_image (id, sha256, format, width, height, size_bytes, png_sha256, thumbnail_sha256)
      SELECT uuidv7(), 'bench ' || n, 'png', 640, 480, 1, 'x', 'x' FROM generate_series(1, 50) n RETURNING id)
    INSERT INTO mask (id, image_id, sha256, png_sha256, coverage) SELECT uuidv7(), id, 'x', 'x', 0.5 FROM i`);
  await pool.query(
    `INSERT INTO paint_job (id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count, state, steps_done, steps_total,
       started_at, finished_at)
     SELECT uuidv7(), m.image_id, m.id, (SELECT id FROM model LIMIT 1), n, 10, 2, 1, 'SUCCEEDED', 10, 10, now(), now()
     FROM generate_series(1, $1::int) n
     JOIN (SELECT *, row_number() OVER () - 1 AS k FROM mask) m ON m.k = n % (SELECT count(*) FROM mask)`,
    [JOBS],
  );
  await pool.query(`INSERT INTO paint_job_trial (job_id, trial_id)
    SELECT j.id, t.id FROM (SELECT id, row_number() OVER () AS k FROM paint_job) j
    JOIN (SELECT id, row_number() OVER () - 1 AS k, count(*) OVER () AS n FROM trial) t ON t.k = (j.k * 37) % t.n`);
  const { rows } =
    await pool.query(`INSERT INTO painting (id, job_id, index, png_sha256, thumbnail_sha256, outside_mask_different_pixels)
    SELECT uuidv7(), id, 0, 'x', 'x', 0 FROM paint_job RETURNING id`);
  await pool.query('VACUUM ANALYZE');
  return rows.map(({ id }) => id);
}

const PAGE = `{ paintJobs(first: 50) { nodes { id state createdAt sourceImage { id widthPx heightPx } paintings { id index }
  trials { id stimulus fmriSession { subject { id label } } } } } }`;
const POSTGRAPHILE_PAGE = `{ allPaintJobs(first: 50, orderBy: ROW_ID_DESC) { nodes { id: rowId state createdAt
  sourceImageByImageId { rowId width height } paintingsByJobId(first: 1, orderBy: INDEX_ASC) { nodes { rowId index } }
  paintJobTrialsByJobId(first: 1) { nodes { trialByTrialId { rowId stimulus fmriSessionBySessionId { subjectBySubjectId { rowId label } } } } } } } }`;
const RATE =
  'mutation($id: ID!, $score: Int!) { ratePainting(input: { paintingId: $id, score: $score }) { rating { id score revision } userErrors { message } } }';

/** The bodies of each scenario for each side. PostGraphile's rating is an update of one row, without revision and audit. */
function bodies(
  paintings: readonly string[],
  ratings: readonly string[],
  updateMutation: string,
): Record<Kind, Record<Scenario, NextBody>> {
  const any = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)]!;
  const score = () => 1 + Math.floor(Math.random() * 3);
  const trivial = () => ({ query: '{ __typename }' });
  return {
    ours: {
      'trivial query': trivial,
      'page of 50 jobs': () => ({ query: PAGE }),
      rating: () => ({ query: RATE, variables: { id: `Painting_${any(paintings)}`, score: score() } }),
    },
    pg: {
      'trivial query': () => ({}),
      'page of 50 jobs': () => ({ page: true }),
      rating: () => ({ paintingId: any(paintings), score: score() }),
    },
    postgraphile: {
      'trivial query': trivial,
      'page of 50 jobs': () => ({ query: POSTGRAPHILE_PAGE }),
      rating: () => ({ query: updateMutation, variables: { id: any(ratings), score: score() } }),
    },
  };
}

async function startSide(kind: Kind, url: string, folder: string) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', new URL('./api-side.ts', import.meta.url).pathname, kind, url, folder],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_ENV: 'production', GRAPHILE_ENV: 'production' },
    },
  );
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    once(child, 'exit').then(() => {
      throw new Error(`the side ${kind} did not start`);
    }),
  ]);
  return {
    url: first,
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

export interface Comparison {
  readonly jobsPageVsPostGraphile: number;
  readonly ratingVsBarePg: number;
  readonly mixedRatingP95Ratio: number;
}

/** Prints the table and gives the ratios: medians over rounds of requests a second, and of p95 of a rating beside others over alone. */
export async function compareSides(url: string, folder: string): Promise<Comparison> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  const paintings = await fill(pool);
  await pool.query(`INSERT INTO rating (id, painting_id, rater_id, score, updated_at)
    SELECT uuidv7(), p.id, u.id, 1, now() FROM painting p, lab_user u WHERE u.name = 'local'`);
  await pool.query('INSERT INTO rating_revision (rating_id, number, score) SELECT id, 1, 1 FROM rating');
  const ratings = (await pool.query('SELECT id FROM rating')).rows.map(({ id }) => id as string);
  await pool.end();
  const update = `mutation($id: UUID!, $score: Int!) {
    updateRatingByRowId(input: { rowId: $id, ratingPatch: { score: $score } }) { rating { rowId score revision } } }`;
  const next = bodies(paintings, ratings, update);
  const sides = Object.fromEntries(
    await Promise.all(KINDS.map(async (kind) => [kind, await startSide(kind, url, folder)] as const)),
  ) as Record<Kind, Awaited<ReturnType<typeof startSide>>>;
  try {
    const perSecond: Record<string, number[]> = {};
    const p99: Record<string, number[]> = {};
    for (let round = -1; round < ROUNDS; round++) {
      for (const scenario of SCENARIOS) {
        for (const kind of KINDS) {
          const start = performance.now();
          const times = await run(sides[kind].url, {
            clients: CLIENTS,
            seconds: SECONDS,
            next: next[kind][scenario],
          });
          if (round < 0) continue;
          const key = `${scenario} ${kind}`;
          perSecond[key] = [...(perSecond[key] ?? []), times.length / ((performance.now() - start) / 1000)];
          p99[key] = [...(p99[key] ?? []), quantile(times, 0.99)];
        }
      }
    }
    process.stdout.write('| | side | requests/s | p99 ms |\n|---|---|---|---|\n');
    for (const scenario of SCENARIOS)
      for (const kind of KINDS) {
        const key = `${scenario} ${kind}`;
        process.stdout.write(
          `| ${scenario} | ${kind} | ${median(perSecond[key]!).toFixed(0)} | ${median(p99[key]!).toFixed(1)} |\n`,
        );
      }
    const ratioOf = (scenario: Scenario, other: Kind) =>
      Number(
        median(
          perSecond[`${scenario} ours`]!.map((ours, i) => ours / perSecond[`${scenario} ${other}`]![i]!),
        ).toFixed(2),
      );

    const { rating, 'page of 50 jobs': page } = next.ours;
    const load = { seconds: MIXED_SECONDS, thinkMs: THINK_MS };
    const [idle, mixed]: [number[], number[]] = [[], []];
    for (let round = 0; round < MIXED_ROUNDS; round++) {
      idle.push(...(await run(sides.ours.url, { ...load, clients: 1, thinkMs: 100, next: rating })));
      const [ratingTimes] = await Promise.all([
        run(sides.ours.url, { ...load, clients: 20, next: rating }),
        run(sides.ours.url, { ...load, clients: 5, next: page }),
      ]);
      mixed.push(...ratingTimes);
    }
    const [idleMs, mixedMs] = [quantile(idle, 0.95), quantile(mixed, 0.95)];
    process.stdout.write(
      `\nA rating's p95: ${idleMs.toFixed(1)} ms of one rater alone (${idle.length}), ${mixedMs.toFixed(1)} ms of 20 raters beside 5 dashboards (${mixed.length}), each asking every ${THINK_MS} ms on average.\n\n`,
    );
    return {
      jobsPageVsPostGraphile: ratioOf('page of 50 jobs', 'postgraphile'),
      ratingVsBarePg: ratioOf('rating', 'pg'),
      mixedRatingP95Ratio: Number((mixedMs / idleMs).toFixed(2)),
    };
  } finally {
    for (const kind of KINDS) await sides[kind].stop();
  }
}
