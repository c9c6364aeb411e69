// `npm start`: API and worker with the embedded Postgres, in one process tree.

import { runUntilSignal, startPlatform } from './platform.js';

await runUntilSignal(async (config, log) => {
  const platform = await startPlatform(config, log);
  const query =
    '{ models(first: 10) { nodes { name subjectLabel simulated voxels } } paintJobs(first: 10) { nodes { id state } } }';
  process.stdout.write(`MindPainter serves at ${platform.url}/graphql

Open ${platform.url}/ in a browser, or paste this:
  curl ${platform.url}/graphql -H 'content-type: application/json' -d '{"query":"${query}"}'

Ctrl-C stops it.
`);
  return platform;
});
