// `npm run test:kill`: 1,000 jobs of a tiny bundle on two workers that are killed at random. `-- --jobs N --workers N`
// change the size. Ends with 1 unless every job has exactly one result and none waited longer than a minute.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareQueue } from '../src/queue/queue.js';
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.js';
import { migrate } from '../src/store/migrate.js';
import { runKills } from './support/kill-run.js';
import { openTestServices, storePaintParts } from './support/paint-lab.js';

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '1000' }, workers: { type: 'string', default: '2' } },
});
const folder = await mkdtemp(join(tmpdir(), 'mindpainter-kill-'));
const database = await startEmbeddedPostgres(join(folder, 'postgres'));
await migrate(database.url, 'prisma/migrations');
const services = openTestServices(database.url, join(folder, 'blobs'));
try {
  await prepareQueue(services.store);
  const order = { ...(await storePaintParts(services, folder)), steps: 4 };
  let said = 0;
  const result = await runKills(services, order, {
    jobs: Number(values.jobs),
    workers: Number(values.workers),
    killEveryMs: [5_000, 12_000],
    databaseUrl: database.url,
    dataDir: folder,
    timeoutMs: 60 * 60_000,
    onProgress(ended, kills) {
      if (Date.now() - said < 10_000) return;
      said = Date.now();
      process.stderr.write(`${ended} jobs have ended, ${kills} kills\n`);
    },
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  const { lost, doubled, maxRescueSeconds } = result;
  process.exitCode = lost === 0 && doubled === 0 && maxRescueSeconds <= 60 ? 0 : 1;
} finally {
  await services.store.close();
  await database.stop();
  await rm(folder, { recursive: true, force: true });
}
