// Watching paint jobs: one job until it ends, or the events of many from a number on.

import type { PaintJob, PaintJobEvent } from '../generated/prisma/client.js';
import { reach } from './access.js';
import type { Services } from './context.js';
import { bad } from './paint-job-orders.js';
import { missing } from './paint-job-parts.js';

/** How often a watched row is read, besides when a worker ends it. Workers write progress four times a second at most. */
const WATCH_MS = 200;
/** How often events are looked for, besides when a notice says that there are some. */
const EVENTS_MS = 2000;
const PAGE = 500;

/**
 * The job now, after each change, and at last in its final state. Only changes of state are told by NOTIFY, which takes a
 * lock over the whole database at each commit; progress is read from the row. Throws AppError NOT_FOUND. Ends, with the next
 * look, when `gone` says that nobody listens any more.
 */
export async function* watchPaintJob(
  { store, viewer }: Services,
  id: string,
  gone?: AbortSignal,
): AsyncGenerator<PaintJob> {
  if (reach(viewer, 'PaintJob') === 'NONE') missing('id');
  let seen = '';
  for (;;) {
    // Before the row is read: an end between the two is heard.
    const changed = store.endings.wait(id, WATCH_MS);
    const job =
      (await store.prisma.paintJob.findUnique({ where: { id, withdrawnAt: null } })) ?? missing('id');
    const facts = [job.state, job.attempt, job.stepsDone, job.stepsTotal, job.cancelRequested].join();
    if (facts !== seen) yield job;
    seen = facts;
    if (job.finishedAt) return;
    await changed;
    if (gone?.aborted) return;
  }
}

/** The latest preview of a job that runs, as WebP, or undefined. */
export async function readPreview({ store, viewer }: Services, jobId: string): Promise<Buffer | undefined> {
  if (reach(viewer, 'PaintJob') === 'NONE') return undefined;
  const row = await store.prisma.paintJobPreview.findFirst({
    where: { jobId, job: { state: 'RUNNING', withdrawnAt: null } },
  });
  return row ? Buffer.from(row.webp) : undefined;
}

/** Which events: of one job, of one batch, or of all. */
export interface EventChoice {
  readonly jobId?: string | undefined;
  readonly batchId?: string | undefined;
}

/** Reads the number after which events are wanted. Throws AppError BAD_INPUT. */
export function parseSequence(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  return bad('after', 'give the sequence number of the last event that was seen, or 0');
}

/** Events after a number, the oldest first. Numbers are in the order of commits: what is seen later has a larger one. */
export async function listEvents(
  { store, viewer }: Services,
  choice: EventChoice,
  after: bigint,
  first: number,
): Promise<PaintJobEvent[]> {
  if (reach(viewer, 'PaintJob') === 'NONE') return [];
  const { jobId, batchId } = choice;
  if (first < 0 || first > PAGE) bad('first', `first must be from 0 to ${PAGE}, it is ${first}`);
  return store.prisma.paintJobEvent.findMany({
    where: {
      sequence: { gt: after },
      ...(jobId ? { jobId } : {}),
      ...(batchId ? { batchId } : {}),
      job: { withdrawnAt: null },
    },
    orderBy: { sequence: 'asc' },
    take: first,
  });
}

/**
 * Events after a number, then each new one as it comes, without end. A client that was cut off goes on where it was.
 * Throws AppError at once when the viewer may not read jobs. Ends, with the next look, when `gone` says so.
 */
export function watchEvents(
  services: Services,
  choice: EventChoice,
  after: bigint,
  gone?: AbortSignal,
): AsyncGenerator<PaintJobEvent> {
  if (reach(services.viewer, 'PaintJob') === 'NONE') missing('id');
  return followEvents(services, choice, after, gone);
}

async function* followEvents(
  services: Services,
  choice: EventChoice,
  after: bigint,
  gone: AbortSignal | undefined,
): AsyncGenerator<PaintJobEvent> {
  let seen = after;
  while (!gone?.aborted) {
    const changed = services.store.changes.wait('', EVENTS_MS);
    const events = await listEvents(services, choice, seen, PAGE);
    for (const event of events) {
      seen = event.sequence;
      yield event;
    }
    if (events.length < PAGE) await changed;
  }
}
