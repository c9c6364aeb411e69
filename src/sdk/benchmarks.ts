// Benchmarks: pictures and brain signals, paired and painted by several arms, then frozen, so that a study can be made of them.

import { randomUUID } from 'node:crypto';
import {
  BenchmarkDocument,
  BenchmarkFailedJobsDocument,
  type BenchmarkFieldsFragment,
  BenchmarkMetricsDocument,
  BenchmarkSheetDocument,
  type BenchmarkSheetKind,
  type BenchmarkStatusFragment,
  BenchmarksDocument,
  CreateBenchmarkDocument,
  type CreateBenchmarkInput,
  FreezeBenchmarkDocument,
  MeasureBenchmarkDocument,
  type MetricsFieldsFragment,
} from '../generated/operations.js';
import { MindPainterError } from './errors.js';
import { pollUntil, type WaitOptions } from './follow.js';
import type { Job } from './jobs.js';
import { entries } from './pages.js';
import type { CallOptions, Transport } from './transport.js';

/** A benchmark as lists give it. */
export type Benchmark = BenchmarkFieldsFragment;
/** A benchmark with how far its paint jobs are. */
export type BenchmarkStatus = BenchmarkStatusFragment;
/** What was measured of a frozen benchmark, by arm and by pair of arms. */
export type BenchmarkMetrics = MetricsFieldsFragment;
export type { BenchmarkSheetKind, CreateBenchmarkInput };

export type Benchmarks = ReturnType<typeof createBenchmarks>;

/** How many of a benchmark's jobs have ended, with a painting or without. */
export const paintedCount = ({ progress }: BenchmarkStatus) => progress.succeeded + progress.failed;

export function createBenchmarks(transport: Transport) {
  const repeatable = (options: CallOptions) => ({ ...options, repeatable: true });
  const missing = (id: string) =>
    new MindPainterError('NOT_FOUND', `no benchmark has the id ${id}`, { field: 'id' });

  async function get(id: string, options: CallOptions = {}): Promise<BenchmarkStatus> {
    const { benchmark } = await transport.query(BenchmarkDocument, { id }, options);
    if (!benchmark) throw missing(id);
    return benchmark;
  }

  async function metrics(id: string, options: CallOptions = {}): Promise<BenchmarkMetrics> {
    const { benchmark } = await transport.query(BenchmarkMetricsDocument, { id }, options);
    if (!benchmark) throw missing(id);
    if (benchmark.metrics) return benchmark.metrics;
    throw new MindPainterError('NOT_FOUND', `${id} was not measured; call measure first`, { field: 'id' });
  }

  return {
    get,

    /** All benchmarks, the newest first. */
    list: (options: CallOptions = {}): AsyncGenerator<Benchmark, void> =>
      entries(async (page) => (await transport.query(BenchmarksDocument, page, options)).benchmarks),

    /**
     * Pairs pictures with signals and queues the paint jobs of every arm, all or none. It carries an idempotency key, yours or a
     * fresh one, so that it is safely sent again after a network error.
     */
    create: (input: CreateBenchmarkInput, options: CallOptions = {}): Promise<BenchmarkStatus> =>
      transport.mutate(
        CreateBenchmarkDocument,
        { input: { ...input, idempotencyKey: input.idempotencyKey ?? randomUUID() } },
        'benchmark',
        repeatable(options),
      ),

    /** Waits until all of its paint jobs have ended, however they did; `progress` of the answer says how. */
    wait: (id: string, options: WaitOptions<BenchmarkStatus> = {}): Promise<BenchmarkStatus> =>
      pollUntil<BenchmarkStatus>(
        {
          ask: (signal) => get(id, { signal, tries: 1 }),
          isKnown: transport.isKnown,
          isLast: (now) => paintedCount(now) === now.progress.total,
          late: (now) =>
            `${now ? paintedCount(now) : 0} of ${now?.progress.total ?? '?'} jobs have ended; the rest goes on`,
        },
        options,
      ),

    /** Jobs without a painting that were not tried again, at most 100; `jobs.retry` puts new ones in their place. */
    async failedJobs(id: string, options: CallOptions = {}): Promise<readonly Job[]> {
      const { benchmark } = await transport.query(BenchmarkFailedJobsDocument, { id }, options);
      if (!benchmark) throw missing(id);
      return benchmark.failedJobs;
    },

    /**
     * Makes it unchangeable; frozen already, it stays as it is. Throws UNAVAILABLE while jobs wait or run, and CONFLICT naming
     * those that failed.
     */
    freeze: (id: string, options: CallOptions = {}): Promise<BenchmarkStatus> =>
      transport.mutate(FreezeBenchmarkDocument, { input: { id } }, 'benchmark', repeatable(options)),

    /** Starts to measure the paintings of a frozen benchmark by automatic metrics. */
    measure: (id: string, options: CallOptions = {}): Promise<BenchmarkStatus> =>
      transport.mutate(MeasureBenchmarkDocument, { input: { id } }, 'benchmark', repeatable(options)),

    /** Waits for the newest measurement. Throws NOT_FOUND where there is none, and its error where it failed. */
    async metrics(id: string, options: WaitOptions<BenchmarkMetrics> = {}): Promise<BenchmarkMetrics> {
      const ended = await pollUntil<BenchmarkMetrics>(
        {
          ask: (signal) => metrics(id, { signal, tries: 1 }),
          isKnown: transport.isKnown,
          isLast: ({ state }) => state === 'SUCCEEDED' || state === 'FAILED',
          late: (now) => `${now?.done ?? 0} of ${now?.total ?? '?'} paintings are measured; the rest goes on`,
        },
        options,
      );
      if (ended.error) throw new MindPainterError(ended.error.code, ended.error.message);
      return ended;
    },

    /** Address of a figure sheet, for `downloads`: at most 20 items from a position on, or with BRAINS those of one picture. */
    async sheetUrl(
      id: string,
      which: { kind?: BenchmarkSheetKind; from?: number; imageId?: string } = {},
      options: CallOptions = {},
    ): Promise<string> {
      const { benchmark } = await transport.query(BenchmarkSheetDocument, { id, ...which }, options);
      if (!benchmark) throw missing(id);
      return benchmark.sheetUrl;
    },
  };
}
