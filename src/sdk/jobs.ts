// Paint jobs: submit one or ten thousand, watch them through lost connections, iterate over what came of them.

import { randomUUID } from 'node:crypto';
import {
  type BatchFieldsFragment,
  CancelPaintJobDocument,
  CancelPaintJobsDocument,
  type CancelPaintJobsInput,
  type EventFieldsFragment,
  EventsAfterDocument,
  type JobFieldsFragment,
  type PaintingFieldsFragment,
  PaintJobBatchDocument,
  PaintJobDocument,
  PaintJobEventsDocument,
  type PaintJobFieldsInput,
  PaintJobProgressDocument,
  type PaintJobState,
  PaintJobsDocument,
  RatePaintingDocument,
  RetryPaintJobsDocument,
  type RetryPaintJobsInput,
  SubmitPaintJobDocument,
  type SubmitPaintJobInput,
  SubmitPaintJobsDocument,
  type SubmitPaintJobsInput,
} from '../generated/operations.js';
import { MindPainterError } from './errors.js';
import { type FollowOptions, follow, pollUntil, type WaitOptions, within } from './follow.js';
import { entries } from './pages.js';
import type { CallOptions, Transport } from './transport.js';

export type Job = JobFieldsFragment;
export type Batch = BatchFieldsFragment;
export type JobEvent = EventFieldsFragment;
export type Painting = PaintingFieldsFragment;
export type { PaintJobFieldsInput, PaintJobState, SubmitPaintJobInput, SubmitPaintJobsInput };

export interface EventChoice {
  readonly paintJobId?: string;
  readonly batchId?: string;
  /** Sequence number of the last event that was seen; default 0: from the beginning. */
  readonly after?: string;
}

const EVENTS_A_REQUEST = 500;

/** True once nothing more will happen to a job in this state. */
export const hasEnded = (state: PaintJobState) => state !== 'QUEUED' && state !== 'RUNNING';

/** How many jobs of a batch have ended. */
export const endedCount = ({ stateCounts }: Batch) =>
  stateCounts.reduce((sum, { state, count }) => sum + (hasEnded(state) ? count : 0), 0);

/** The error of a job that ended without its paintings. */
function failure({ id, state, error }: Job): MindPainterError {
  const said =
    error?.message ?? { CANCELLED: 'it was cancelled', ABORTED: 'its deadline passed' }[state as string];
  const code = state === 'CANCELLED' || state === 'ABORTED' ? state : (error?.code ?? 'INTERNAL');
  return new MindPainterError(code, `${id} is ${state}: ${said ?? 'no reason was given'}`, {
    field: error?.field,
  });
}

export type Jobs = ReturnType<typeof createJobs>;

export function createJobs(transport: Transport) {
  /** Every submission has a key, so that one whose answer was lost may be sent again. */
  const keyed = <I extends { idempotencyKey?: string | null | undefined }>(input: I) => ({
    input: { ...input, idempotencyKey: input.idempotencyKey ?? randomUUID() },
  });
  const repeatable = (options: CallOptions) => ({ ...options, repeatable: true });

  async function get(id: string, options: CallOptions = {}): Promise<Job> {
    const { paintJob } = await transport.query(PaintJobDocument, { id }, options);
    if (!paintJob) throw new MindPainterError('NOT_FOUND', `no job has the id ${id}`, { field: 'id' });
    return paintJob;
  }

  async function getBatch(id: string, options: CallOptions = {}): Promise<Batch> {
    const { paintJobBatch } = await transport.query(PaintJobBatchDocument, { id }, options);
    if (!paintJobBatch) throw new MindPainterError('NOT_FOUND', `no batch has the id ${id}`, { field: 'id' });
    return paintJobBatch;
  }

  /** The job now, after each change, and at last in its final state. Lost connections are opened again. */
  function watch(id: string, options: FollowOptions = {}): AsyncGenerator<Job, void> {
    const { signal } = options;
    return follow<Job>(
      {
        async *live() {
          for await (const { paintJobProgress } of transport.subscribe(
            PaintJobProgressDocument,
            { id },
            signal,
          ))
            yield paintJobProgress;
        },
        poll: async () => [await get(id, { signal, tries: 1 })],
        isKnown: transport.isKnown,
        isLast: (job) => hasEnded(job.state),
      },
      options,
    );
  }

  return {
    get,
    getBatch,
    watch,

    /** Queues a job. It carries an idempotency key, yours or a fresh one, so that it is safely sent again after a network error. */
    submit: (input: SubmitPaintJobInput, options: CallOptions = {}): Promise<Job> =>
      transport.mutate(SubmitPaintJobDocument, keyed(input), 'paintJob', repeatable(options)),

    /**
     * Queues up to 10,000 jobs in one transaction: every combination of one alternative of each axis, over what is common; a
     * list of jobs is one axis. With a fault in any of them none: the error's `errors` then tell each fault and its `index`.
     */
    submitBatch: (input: SubmitPaintJobsInput, options: CallOptions = {}): Promise<Batch> =>
      transport.mutate(SubmitPaintJobsDocument, keyed(input), 'batch', repeatable(options)),

    /**
     * Waits until a job has its paintings. Throws what it failed for, CANCELLED, ABORTED, or TIMEOUT, after which it goes on.
     */
    async wait(id: string, options: WaitOptions<Job> = {}): Promise<Job> {
      let now: Job | undefined;
      const late = () => `${id} is still ${now?.state ?? 'waited for'}; it goes on`;
      const last = await within(options, late, async (signal) => {
        for await (now of watch(id, { ...options, signal })) options.onProgress?.(now);
        return now!;
      });
      if (last.state !== 'SUCCEEDED') throw failure(last);
      return last;
    },

    /** Waits until all jobs of a batch have ended, however they did; asks at growing intervals up to 5 s. */
    waitForBatch: (id: string, options: WaitOptions<Batch> = {}): Promise<Batch> =>
      pollUntil<Batch>(
        {
          ask: (signal) => getBatch(id, { signal, tries: 1 }),
          isKnown: transport.isKnown,
          isLast: (batch) => endedCount(batch) === batch.jobCount,
          late: (now) =>
            `${now ? endedCount(now) : 0} of ${now?.jobCount ?? '?'} jobs have ended; the rest goes on`,
        },
        options,
      ),

    /** How jobs stood after each change: the old events, then each new one, without end. A lost connection costs none. */
    events(choice: EventChoice, options: FollowOptions = {}): AsyncGenerator<JobEvent, void> {
      const { after = '0', ...which } = choice;
      let seen = after;
      const mark = (event: JobEvent) => {
        seen = event.sequence;
        return event;
      };
      const { signal } = options;
      return follow<JobEvent>(
        {
          async *live() {
            const stream = transport.subscribe(PaintJobEventsDocument, { ...which, after: seen }, signal);
            for await (const { paintJobEvents } of stream) yield mark(paintJobEvents);
          },
          async poll() {
            const page = { ...which, after: seen, first: EVENTS_A_REQUEST };
            const { paintJobEvents } = await transport.query(EventsAfterDocument, page, { signal, tries: 1 });
            return paintJobEvents.map(mark);
          },
          isKnown: transport.isKnown,
          isLast: () => false,
        },
        options,
      );
    },

    /** Jobs with their paintings, of a batch or all, in one state or any; the last submitted first. */
    list: (
      where: { batchId?: string; state?: PaintJobState } = {},
      options: CallOptions = {},
    ): AsyncGenerator<Job, void> =>
      entries(
        async (page) => (await transport.query(PaintJobsDocument, { ...where, ...page }, options)).paintJobs,
      ),

    /** Asks a job to stop; a running one obeys between two denoising steps. An ended one stays as it is. */
    cancel: (id: string, options: CallOptions = {}): Promise<Job> =>
      transport.mutate(CancelPaintJobDocument, { input: { id } }, 'paintJob', repeatable(options)),

    /** Asks many jobs to stop; gives how many that waited have ended now. */
    cancelMany: (input: CancelPaintJobsInput, options: CallOptions = {}): Promise<number> =>
      transport.mutate(CancelPaintJobsDocument, { input }, 'cancelledCount', repeatable(options)),

    /** Orders jobs that failed, were cancelled or aborted once more, as a batch of new jobs. */
    retry: (input: RetryPaintJobsInput, options: CallOptions = {}): Promise<Batch> =>
      transport.mutate(RetryPaintJobsDocument, keyed(input), 'batch', repeatable(options)),

    /** Rates a painting from 1 to 3 (best). */
    rate: (input: { paintingId: string; score: number; rater?: string }, options: CallOptions = {}) =>
      transport.mutate(RatePaintingDocument, { input }, 'rating', { ...options, repeatable: false }),
  };
}
