// `npm run worker`: paints, and serves nothing. It needs the server's database and its data folder.

import { openServices, runUntilSignal, startMetrics, startWorker } from './platform.js';

await runUntilSignal(async (config, log) => {
  const base = await openServices(config, log, { join: true });
  const worker = await startWorker(config, base.services, log);
  const metrics = await startMetrics(config, base.services);
  if (metrics.url) process.stdout.write(`metrics at ${metrics.url}/metrics\n`);
  process.stdout.write('the worker waits for paint jobs\n');
  return {
    lost: base.lost!,
    async stop() {
      await metrics.stop();
      await worker.stop();
      await base.stop();
    },
  };
});
