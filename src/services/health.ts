// Whether this lab can do its work now: the database answers, and a worker has been seen lately.

import type { Services } from './context.js';

/** Workers beat every two seconds; one that has been silent for longer is gone or stuck. */
const WORKER_SEEN_WITHIN_MS = 15_000;
const ANSWER_WITHIN_MS = 5_000;

export interface Check {
  readonly ok: boolean;
  readonly reason: string;
}

export interface Health {
  readonly ok: boolean;
  readonly checks: { readonly database: Check; readonly worker: Check };
}

async function lastBeatAgeMs({ store }: Services): Promise<number | undefined> {
  // By the database's clock, which wrote the beats.
  const sql =
    'SELECT extract(epoch FROM clock_timestamp() - max(beat_at)) * 1000 AS age FROM worker_heartbeat';
  const { rows } = await store.pool.query<{ age: string | null }>(sql);
  return rows[0]!.age === null ? undefined : Number(rows[0]!.age);
}

/** Never throws: what is wrong is the answer, without anything that is not for strangers (addresses, accounts). */
export async function checkHealth(services: Services): Promise<Health> {
  const unknown: Check = { ok: false, reason: 'not known without the database' };
  const late = new Promise<never>((_, fail) => {
    setTimeout(() => fail(new Error('late')), ANSWER_WITHIN_MS).unref();
  });
  try {
    const age = await Promise.race([lastBeatAgeMs(services), late]);
    const ok = age !== undefined && age <= WORKER_SEEN_WITHIN_MS;
    const seen = age === undefined ? 'no worker runs' : `a worker was seen ${Math.round(age / 1000)} s ago`;
    const reason = ok ? seen : `${seen}; start one with npm run worker`;
    return { ok, checks: { database: { ok: true, reason: 'it answers' }, worker: { ok, reason } } };
  } catch {
    const database = { ok: false, reason: "it does not answer; see the server's log and DATABASE_URL" };
    return { ok: false, checks: { database, worker: unknown } };
  }
}
