// Following what changes on the server through lost connections, until it ends or the caller has waited long enough.

import { hasCode, MindPainterError } from './errors.js';
import { pause, pauseMs } from './retry.js';

export interface FollowOptions {
  readonly signal?: AbortSignal | undefined;
  /** A server that is away for longer than this ends the watching with UNREACHABLE; default ten minutes. */
  readonly patienceMs?: number | undefined;
  /** Told once for each time that the connection is lost. */
  readonly onLost?: ((error: Error) => void) | undefined;
}

export interface Source<T> {
  /** A live stream, from where the watching stands now. It may end or break at any time. */
  live(): AsyncIterable<T>;
  /** What a single request can tell meanwhile, from where the watching stands now. */
  poll(): Promise<readonly T[]>;
  /** Whether the server has ever answered; one that never was there is not waited for. */
  isKnown(): boolean;
  /** True for the last value; then the following ends. */
  isLast(value: T): boolean;
}

export interface WaitOptions<T> extends FollowOptions {
  /** Throws TIMEOUT after so long; what is waited for goes on. */
  readonly timeoutMs?: number | undefined;
  /** Told how it stands, at first and after each change. */
  readonly onProgress?: ((now: T) => void) | undefined;
}

const PATIENCE_MS = 600_000;
const POLL_MS = { shortest: 250, longest: 5000 };
/** A server that is shutting down may answer so. */
const PASSING = ['UNREACHABLE', 'UNAVAILABLE', 'INTERNAL'] as const;

/**
 * The values of a source, with the live stream opened again after each loss. While it cannot be opened, as behind a proxy that
 * lets no WebSocket through, single requests are made at growing intervals up to 5 s.
 */
export async function* follow<T>(source: Source<T>, options: FollowOptions = {}): AsyncGenerator<T, void> {
  const { signal, patienceMs = PATIENCE_MS, onLost } = options;
  let awaySince: number | undefined;
  for (let failures = 0; ; ) {
    let lost: Error | undefined;
    try {
      for await (const value of source.live()) {
        failures = 0;
        awaySince = undefined;
        yield value;
        if (source.isLast(value)) return;
      }
    } catch (error) {
      if (!hasCode(error, ...PASSING)) throw error;
      lost = error;
    }
    signal?.throwIfAborted();
    if (failures === 0 && source.isKnown())
      onLost?.(lost ?? new MindPainterError('UNREACHABLE', 'the server ended the stream'));
    failures += 1;
    try {
      for (const value of await source.poll()) {
        awaySince = undefined;
        yield value;
        if (source.isLast(value)) return;
      }
      awaySince = undefined;
    } catch (error) {
      if (!hasCode(error, ...PASSING) || !source.isKnown()) throw error;
      awaySince ??= Date.now();
      if (Date.now() - awaySince > patienceMs) throw error;
    }
    await pause(pauseMs(failures), signal);
  }
}

/**
 * Asks at growing intervals up to 5 s until `isLast`; gives the last answer. Throws TIMEOUT with what `late` says of the
 * answer before.
 */
export function pollUntil<T>(
  source: {
    ask(signal: AbortSignal | undefined): Promise<T>;
    isKnown(): boolean;
    isLast(value: T): boolean;
    late(now: T | undefined): string;
  },
  options: WaitOptions<T> = {},
): Promise<T> {
  let now: T | undefined;
  return within(
    options,
    () => source.late(now),
    async (signal) => {
      const answers = follow<T>(
        {
          async *live() {
            let intervalMs = POLL_MS.shortest;
            for (let said = ''; ; await pause(intervalMs, signal)) {
              const answer = await source.ask(signal);
              const text = JSON.stringify(answer);
              intervalMs = text === said ? Math.min(POLL_MS.longest, intervalMs * 1.5) : POLL_MS.shortest;
              if (text !== said) yield answer;
              said = text;
            }
          },
          poll: async () => [await source.ask(signal)],
          isKnown: source.isKnown,
          isLast: source.isLast,
        },
        { ...options, signal },
      );
      for await (now of answers) options.onProgress?.(now);
      return now!;
    },
  );
}

/** Runs an action under the caller's signal and a time limit. Throws MindPainterError TIMEOUT with `message`. */
export async function within<T>(
  limits: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  message: () => string,
  action: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = limits;
  if (timeoutMs === undefined) return action(signal);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new MindPainterError('TIMEOUT', message())), timeoutMs);
  try {
    return await action(signal ? AbortSignal.any([signal, late.signal]) : late.signal);
  } finally {
    clearTimeout(timer);
  }
}
