// A child whose work takes the given milliseconds and tells nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { serveChild } from '../../src/runtime/serve-child.js';

serveChild<number, never>(async (ms) => {
  await sleep(ms);
});
