// The training child: trains one bundle at a lower priority and reports. It knows no database and no network, and ends
// with its parent.

import { constants, setPriority } from 'node:os';
import { isAppError } from '../errors.js';
import { trainBundle } from '../jobs/train-bundle.js';
import type { TrainEvent, TrainMessage } from '../jobs/training-messages.js';
import type { FromChild, ToChild } from '../runtime/inference-process.js';
import { openBlobs } from '../store/blobs.js';

// Paintings and the API's answers come first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const ALIVE_MS = 5000;
const aborts = new Map<number, AbortController>();
/** A parent that is gone cannot listen: 'disconnect' then ends this process. */
const say = (message: FromChild<TrainEvent>) => process.send?.(message, () => {});

async function work(id: number, request: TrainMessage): Promise<void> {
  const abort = new AbortController();
  aborts.set(id, abort);
  const tell = (event: TrainEvent) => say({ type: 'event', id, event });
  const alive = setInterval(() => tell({ type: 'alive' }), ALIVE_MS);
  try {
    await trainBundle(request, openBlobs(request.blobFolder), tell, abort.signal);
    say({ type: 'done', id });
  } catch (error) {
    const facts = isAppError(error)
      ? { code: error.code, ...(error.field ? { field: error.field } : {}) }
      : {};
    say({ type: 'failed', id, message: error instanceof Error ? error.message : String(error), ...facts });
  } finally {
    clearInterval(alive);
    aborts.delete(id);
  }
}

process.on('message', (message: ToChild<TrainMessage>) => {
  if (message.type === 'run') void work(message.id, message.request);
  else aborts.get(message.id)?.abort();
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C goes to the whole group; the parent decides when this process ends.
process.on('SIGINT', () => {});
