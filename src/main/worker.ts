// `npm run worker`: paints, and serves nothing. It needs the server's database and its data folder.

import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { createLog } from '../log.js';
import { openServices, runUntilSignal, startWorker } from './platform.js';

const config = loadConfig();
const log = createLog(config.logLevel);
await runUntilSignal(log, async () => {
  if (!config.databaseUrl)
    throw new AppError('BAD_INPUT', 'set DATABASE_URL, or use npm start for API and worker together');
  const base = await openServices(config, log);
  const worker = await startWorker(base.services, log);
  process.stdout.write('the worker waits for paint jobs\n');
  return {
    async stop() {
      await worker.stop();
      await base.stop();
    },
  };
});
