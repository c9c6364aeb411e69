// Waiting and trying again: exponential pauses with jitter, obeying the caller's signal.

import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './errors.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** A server that asks for a longer pause than this is not waited for: its caller decides. */
const LONGEST_RETRY_AFTER_S = 60;

/** The pause before try number `attempt` (from 1): it doubles up to 5 s, and half of it is drawn, so that clients spread. */
export function pauseMs(attempt: number): number {
  const full = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 10));
  return full * (0.5 + Math.random() / 2);
}

/** Resolves after so long; rejects with the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * Runs an action up to `tries` times while `mayRepeat` says of its error that another try is safe. An error that names a pause
 * (Retry-After) is obeyed up to a minute.
 */
export async function withRetries<T>(
  action: () => Promise<T>,
  options: { tries: number; mayRepeat: (error: unknown) => boolean; signal?: AbortSignal | undefined },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      options.signal?.throwIfAborted();
      if (attempt >= options.tries || !options.mayRepeat(error)) throw error;
      const asked = hasCode(error, 'UNAVAILABLE', 'LIMIT_REACHED') ? error.retryAfterSeconds : undefined;
      if (asked !== undefined && asked > LONGEST_RETRY_AFTER_S) throw error;
      await pause(asked === undefined ? pauseMs(attempt) : asked * 1000 + pauseMs(1), options.signal);
    }
  }
}
