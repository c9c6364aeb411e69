// `npm run bench:api`: our API beside bare pg and PostGraphile; 10,000 jobs submitted in one call; and the first page of the job
// list of a table of 1,000,000 rows over that of one of 1,000, in turn. `-- --rows N` makes the large table smaller, 0 leaves it out.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.js';
import { migrate } from '../src/store/migrate.js';
import { createBareApi } from '../test/support/bare-api.js';
import { openTestServices, type PaintParts, writePaintParts } from '../test/support/paint-lab.js';
import { compareSides } from './api-compare.js';
import { median } from './api-load.js';

const SUBMISSIONS = 3;
const ROUNDS = 80;
const SMALL = 1000;
const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
const LARGE = Number(values.rows);

const folder = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const postgres = await startEmbeddedPostgres(join(folder, 'postgres'));

/** A migrated database of its own with its API. */
async function openLab(name: string) {
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const url = new URL(postgres.url);
  url.pathname = name;
  await migrate(url.href, 'prisma/migrations');
  const services = { ...openTestServices(url.href, join(folder, 'blobs'), 4), maxUnfinishedJobs: 1_000_000 };
  const parts = await writePaintParts(services, '01', 100);
  const api = await createBareApi(services);
  const address = await api.listen(0, '127.0.0.1');
  return {
    url: url.href,
    services,
    parts,
    /** Sends a document and gives the answer's first field with the milliseconds that it took. */
    async send<T>(query: string, variables: object = {}): Promise<{ data: T; ms: number }> {
      const start = performance.now();
      const response = await fetch(`${address}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const answer = (await response.json()) as { data?: Record<string, T>; errors?: unknown };
      const ms = performance.now() - start;
      if (answer.errors || !answer.data) throw new Error(JSON.stringify(answer.errors));
      return { data: Object.values(answer.data)[0]!, ms };
    },
    async close() {
      await api.close();
      await services.store.close();
    },
  };
}
type Lab = Awaited<ReturnType<typeof openLab>>;

/** 100 trials x 100 seeds, the benchmark's cross product, in one call. */
async function submit10k({ send, parts }: Lab): Promise<number> {
  const { imageId, maskId, modelId } = parts.order;
  const input = {
    common: { imageId: `SourceImage_${imageId}`, maskId: `Mask_${maskId}`, modelId: `Model_${modelId}` },
    axes: [parts.trialIds.map((id) => ({ trialIds: [`Trial_${id}`] }))],
    runs: 100,
  };
  const { data, ms } = await send<{ batch: { jobCount: number } | null; userErrors: unknown[] }>(
    'mutation($input: SubmitPaintJobsInput!) { submitPaintJobs(input: $input) { batch { id jobCount } userErrors { message } } }',
    { input },
  );
  if (data.batch?.jobCount !== 10_000) throw new Error(JSON.stringify(data.userErrors));
  return ms / 1000;
}

/** Ended jobs, written without triggers: only their number matters here. */
async function fill({ services }: Lab, parts: PaintParts, count: number): Promise<void> {
  await services.store.transaction(async (client) => {
    await client.query('SET LOCAL session_replication_role = replica');
    await client.query('SET LOCAL statement_timeout = 0');
    await client.query(
      `INSERT INTO paint_job (id, image_id, mask_id, model_id, seed, steps, guidance_scale, painting_count, state, steps_done,
         steps_total, started_at, finished_at)
       SELECT uuidv7(), $1, $2, $3, n, 10, 2, 1, 'SUCCEEDED', 10, 10, now(), now() FROM generate_series(1, $4::int) AS n`,
      [parts.order.imageId, parts.order.maskId, parts.order.modelId, count],
    );
  });
  await services.store.pool.query('ANALYZE paint_job');
}

const LIST = `{ paintJobs(first: 50) { totalCount pageInfo { hasNextPage endCursor }
  nodes { id state stepsDone stepsTotal createdAt sourceImage { id thumbnailUrl } model { name } } } }`;

/** Jobs a second of submissions, and the ratio of first pages. */
async function measureSizes(): Promise<object> {
  const [small, large] = [await openLab('small'), await openLab('large')];
  const submissions: number[] = [];
  for (let i = 0; i < SUBMISSIONS; i++) {
    submissions.push(await submit10k(small));
    process.stderr.write(`10,000 jobs in ${submissions.at(-1)!.toFixed(2)} s\n`);
  }
  await small.services.store.pool.query('TRUNCATE paint_job, paint_job_event CASCADE');
  await fill(small, small.parts, SMALL);
  await fill(large, large.parts, LARGE);
  const times: { small: number[]; large: number[] } = { small: [], large: [] };
  for (let round = -5; round < ROUNDS; round++) {
    const [a, b] = [(await small.send(LIST)).ms, (await large.send(LIST)).ms];
    if (round < 0) continue;
    times.small.push(a);
    times.large.push(b);
  }
  const [listSmallMs, listLargeMs] = [median(times.small), median(times.large)];
  process.stderr.write(
    `first page: ${listSmallMs.toFixed(1)} ms of ${SMALL} rows, ${listLargeMs.toFixed(1)} ms of ${LARGE}\n`,
  );
  await small.close();
  await large.close();
  return {
    submit10kSeconds: Number(median(submissions).toFixed(2)),
    jobListMillionRatio: Number((listLargeMs / listSmallMs).toFixed(2)),
    rows: LARGE,
  };
}

try {
  const compared = await openLab('compared');
  await compared.close();
  const result = {
    ...(await compareSides(compared.url, join(folder, 'blobs'))),
    ...(LARGE > 0 ? await measureSizes() : {}),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
