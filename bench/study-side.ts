// The server that bench/study.bench.ts asks, as a process of its own: `study-side.ts DATABASE_URL FOLDER` tells its address, and when
// asked, how many SQL statements it has sent, how much processor time and, at most, memory it has taken.

import pg from 'pg';
import { createBareApi } from '../test/support/bare-api.js';
import { openTestServices } from '../test/support/paint-lab.js';

/** Every statement, of pool, transaction or Prisma, and those that stream, is a call of this. */
const client = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
const { query } = client;
let statements = 0;
client.query = function (...args) {
  statements += 1;
  return query.apply(this, args);
};

const [url, folder] = process.argv.slice(2) as [string, string];
const api = await createBareApi(openTestServices(url, folder, 12));
const address = await api.listen(0, '127.0.0.1');
process.on('message', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  process.send!({
    statements,
    peakMb: Math.round(maxRSS / 1024),
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
  });
});
process.on('disconnect', () => process.exit(0));
process.send!({ address });
