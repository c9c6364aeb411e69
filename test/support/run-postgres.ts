// A program for tests that kill it: starts the embedded server on a folder, says where, and waits.

import { setInterval } from 'node:timers';
import { isAppError } from '../../src/errors.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';

try {
  const database = await startEmbeddedPostgres(process.argv[2]!);
  process.on('SIGTERM', async () => {
    await database.stop();
    process.exit(0);
  });
  setInterval(() => {}, 1000);
  process.stdout.write(`${JSON.stringify({ url: database.url })}\n`);
} catch (error) {
  process.stdout.write(
    `${JSON.stringify({ code: isAppError(error) ? error.code : 'FAULT', message: String(error) })}\n`,
  );
}
