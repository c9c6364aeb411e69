// Whether this lab can do its work now: the database answers, a worker and a device have been seen lately, the disk has room.

import type { Services } from './context.js';
import { DEAD_AFTER_SECONDS } from './paint-job-estimates.js';

/** Workers beat every two seconds; one that has been silent for longer is gone or stuck. */
const WORKER_SEEN_WITHIN_MS = 15_000;
const ANSWER_WITHIN_MS = 5_000;
const LEAST_FREE_BYTES = 1e9;

export interface Check {
  readonly ok: boolean;
  readonly reason: string;
}

export interface Health {
  readonly ok: boolean;
  /** `degraded`: requests are served, but something that work needs is missing. */
  readonly status: 'ok' | 'degraded' | 'down';
  readonly checks: {
    readonly database: Check;
    readonly worker: Check;
    readonly device: Check;
    readonly disk: Check;
  };
}

interface Facts {
  /** Of the last beat of any worker, by the database's clock, which wrote it; null when there is none. */
  readonly age: number | null;
  readonly online: number;
  readonly paused: number;
}

const FACTS = `
  SELECT (SELECT extract(epoch FROM clock_timestamp() - max(beat_at)) FROM worker_heartbeat)::float8 AS age,
    count(*)::int AS online, count(paused_at)::int AS paused
  FROM device WHERE worker_id IS NOT NULL AND beat_at > clock_timestamp() - make_interval(secs => $1)`;

function checkWorker(age: number | null): Check {
  if (age === null) return { ok: false, reason: 'no worker runs; start one with npm run worker' };
  const seen = `a worker was seen ${Math.round(age)} s ago`;
  const ok = age * 1000 <= WORKER_SEEN_WITHIN_MS;
  return { ok, reason: ok ? seen : `${seen}; start one with npm run worker` };
}

/** A pause is somebody's will and no fault. */
function checkDevice({ online, paused }: Facts): Check {
  if (online === 0) return { ok: false, reason: 'no device is online; a worker brings one' };
  const paints = online === paused ? 'all are paused' : `${online - paused} of them take jobs`;
  return { ok: true, reason: `${online} online; ${paints}` };
}

async function checkDisk({ blobs }: Services): Promise<Check> {
  try {
    const gigabytes = (await blobs.freeBytes()) / 1e9;
    const ok = gigabytes * 1e9 >= LEAST_FREE_BYTES;
    const free = `${gigabytes.toFixed(1)} GB are free`;
    return { ok, reason: ok ? free : `${free}; make room: below 1 GB paintings and uploads soon fail` };
  } catch {
    return { ok: false, reason: "the data folder cannot be read; see the server's log" };
  }
}

/** Never throws: what is wrong is the answer, without anything that is not for strangers (addresses, accounts, paths). */
export async function checkHealth(services: Services): Promise<Health> {
  const unknown: Check = { ok: false, reason: 'not known without the database' };
  const late = new Promise<never>((_, fail) => {
    setTimeout(() => fail(new Error('late')), ANSWER_WITHIN_MS).unref();
  });
  const facts = services.store.pool.query<Facts>(FACTS, [DEAD_AFTER_SECONDS]).then(({ rows }) => rows[0]!);
  const [found, disk] = await Promise.all([
    Promise.race([facts, late]).catch(() => undefined),
    checkDisk(services),
  ]);
  if (!found) {
    const database = { ok: false, reason: "it does not answer; see the server's log and DATABASE_URL" };
    return { ok: false, status: 'down', checks: { database, worker: unknown, device: unknown, disk } };
  }
  const database: Check = { ok: true, reason: 'it answers' };
  const checks = { database, worker: checkWorker(found.age), device: checkDevice(found), disk };
  const ok = Object.values(checks).every((check) => check.ok);
  return { ok, status: ok ? 'ok' : 'degraded', checks };
}
