// `npm run server`: the API alone. Workers are programs of their own, on the same database and data folder.

import { openServices, runUntilSignal, startApi } from './platform.js';

await runUntilSignal(async (config, log) => {
  const base = await openServices(config, log, { join: true });
  const api = await startApi(config, base.services, log);
  process.stdout.write(`MindPainter serves at ${api.url}/graphql\n`);
  return {
    lost: base.lost!,
    async stop() {
      await api.stop();
      await base.stop();
    },
  };
});
