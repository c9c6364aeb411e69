// The child's side of an inference process: takes requests, tells events, ends with its parent. What a request means is the caller's.

import { isAppError } from '../errors.js';
import type { FromChild, ToChild } from './inference-process.js';

/** Work that leaves the event loop its turns gives a sign of life so often. */
const ALIVE_MS = 5000;

/**
 * Serves requests from the parent until it is gone. `work` tells its events and stops when `abort` says so; where it blocks
 * the event loop for long it calls `alive` now and then, else it would be taken for hanging.
 */
export function serveChild<Request, Event>(
  work: (
    request: Request,
    tell: (event: Event) => void,
    abort: AbortSignal,
    alive: () => void,
  ) => Promise<void>,
): void {
  const aborts = new Map<number, AbortController>();
  /** A parent that is gone cannot listen: 'disconnect' then ends this process. */
  const say = (message: FromChild<Event>) => process.send?.(message, () => {});

  async function run(id: number, request: Request): Promise<void> {
    const abort = new AbortController();
    aborts.set(id, abort);
    const alive = () => void say({ type: 'alive', id });
    const timer = setInterval(alive, ALIVE_MS);
    try {
      await work(request, (event) => say({ type: 'event', id, event }), abort.signal, alive);
      say({ type: 'done', id });
    } catch (error) {
      const facts = isAppError(error)
        ? { code: error.code, ...(error.field ? { field: error.field } : {}) }
        : {};
      say({ type: 'failed', id, message: error instanceof Error ? error.message : String(error), ...facts });
    } finally {
      clearInterval(timer);
      aborts.delete(id);
    }
  }

  process.on('message', (message: ToChild<Request>) => {
    if (message.type === 'run') void run(message.id, message.request);
    else aborts.get(message.id)?.abort();
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C goes to the whole group; the parent decides when this process ends.
  process.on('SIGINT', () => {});
}
