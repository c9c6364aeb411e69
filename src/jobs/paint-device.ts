// A device at work: beats, rescues the jobs of dead workers, and paints one job after another until it is stopped.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLogFields } from '../log.js';
import type { PaintEvent, PaintMessage } from '../painter/messages.js';
import { InferenceLostError, type InferenceProcess } from '../runtime/inference-process.js';
import type { Services } from '../services/context.js';
import { beatDevice, leaveDevice, takeDevice } from '../services/devices.js';
import {
  abortOverduePaintJobs,
  type ClaimedJob,
  claimPaintJob,
  rescuePaintJobs,
} from '../services/paint-job-attempts.js';
import { inSpan, isTracing } from '../telemetry/tracing.js';
import { runPaintJob } from './paint.js';

export interface PaintDevice {
  /** Stops the running job early, gives it back without the loss of an attempt, and leaves the slot. */
  stop(): Promise<void>;
}

const BEAT_MS = 2000;
/** A waiting device looks so often, besides when a notice wakes it. */
const LOOK_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** The trace in which a job was submitted. */
async function findTraceParent({ store }: Services, { batchId }: ClaimedJob): Promise<string | null> {
  if (!isTracing() || !batchId) return null;
  const where = { id: batchId };
  return (await store.prisma.paintJobBatch.findUnique({ where }))?.traceParent ?? null;
}

/** Starts to paint; `onError` hears of what went wrong around a job (a lost child, a lost database). */
export async function startPaintDevice(
  services: Services,
  inference: InferenceProcess<PaintMessage, PaintEvent>,
  onError: (error: unknown) => void,
): Promise<PaintDevice> {
  const workerId = randomUUID();
  await takeDevice(services, workerId);
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });

  let beating: Promise<void> | undefined;
  const beat = async () => {
    await beatDevice(services, workerId);
    await rescuePaintJobs(services);
    await abortOverduePaintJobs(services);
  };
  const timer = setInterval(() => {
    beating ??= beat()
      .catch(onError)
      .finally(() => {
        beating = undefined;
      });
  }, BEAT_MS);

  /** What lines about the latest job carry. */
  let fields: Readonly<Record<string, unknown>> = {};
  /** Paints the next job; false when there is none. */
  async function paintNext(): Promise<boolean> {
    const job = await claimPaintJob(services, workerId);
    if (!job) return false;
    fields = { jobId: job.id, attempt: job.attempt };
    const parent = await findTraceParent(services, job);
    const attributes = { 'job.id': job.id, 'job.attempt': job.attempt };
    await inSpan('paint job attempt', { attributes, parent, kind: 'CONSUMER' }, () =>
      withLogFields(fields, () => runPaintJob(services, inference, job, stopping.signal)),
    );
    return true;
  }
  async function work(): Promise<void> {
    let failures = 0;
    let lost: string | undefined;
    while (!stopping.signal.aborted) {
      try {
        // A job that this worker could not end is still its own: nobody else would free it while it beats.
        if (lost !== undefined) await rescuePaintJobs(services, { own: workerId, reason: lost });
        lost = undefined;
        // Before the look: what comes between the two is heard.
        const changed = services.store.changes.wait('', LOOK_MS);
        if (!(await paintNext())) await Promise.race([changed, stopped]);
        failures = 0;
      } catch (error) {
        withLogFields(fields, () => onError(error));
        // Shown with the attempt: what a database or a library says stays in the log.
        lost =
          error instanceof InferenceLostError ? error.message : 'the worker failed at it; its log says more';
        const pause = Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures++);
        if (failures > 1) await Promise.race([sleep(pause, undefined, { ref: false }), stopped]);
      }
    }
    if (lost !== undefined) await rescuePaintJobs(services, { own: workerId, reason: lost });
  }
  const working = work().catch(onError);
  return {
    async stop() {
      stopping.abort();
      await working;
      clearInterval(timer);
      await beating;
      await leaveDevice(services, workerId);
    },
  };
}
