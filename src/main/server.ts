// `npm run server`: the API alone. Workers are programs of their own, so both need a database that both can reach.

import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { createLog } from '../log.js';
import { openServices, runUntilSignal, startApi } from './platform.js';

const config = loadConfig();
const log = createLog(config.logLevel);
await runUntilSignal(log, async () => {
  if (!config.databaseUrl)
    throw new AppError('BAD_INPUT', 'set DATABASE_URL, or use npm start for API and worker together');
  const base = await openServices(config, log);
  const api = await startApi(config, base.services, log);
  process.stdout.write(`MindPainter serves at ${api.url}/graphql\n`);
  return {
    async stop() {
      await api.stop();
      await base.stop();
    },
  };
});
