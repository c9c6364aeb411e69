// How often one token, session or stranger may ask. Buckets live in this process: each server of several counts for itself.

import type { RequestHandler } from 'express';
import type { Viewer } from '../services/access.js';
import { viewerOf } from './identity.js';

/** Above this, buckets that are full again are forgotten. */
const MAX_BUCKETS = 10_000;

export interface RateLimit {
  /** Takes one from a bucket: undefined, or in how many seconds there is one again. */
  take(key: string, nowMs?: number): number | undefined;
}

/** Buckets that hold a minute's requests and fill up evenly. */
export function createRateLimit(perMinute: number): RateLimit {
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, { left: number; atMs: number }>();
  const leftAt = (bucket: { left: number; atMs: number }, nowMs: number) =>
    Math.min(perMinute, bucket.left + (nowMs - bucket.atMs) * perMs);
  return {
    take(key, nowMs = performance.now()) {
      const bucket = buckets.get(key) ?? { left: perMinute, atMs: nowMs };
      const left = leftAt(bucket, nowMs);
      if (left < 1) return Math.ceil((1 - left) / perMs / 1000);
      buckets.set(key, { left: left - 1, atMs: nowMs });
      if (buckets.size > MAX_BUCKETS) {
        for (const [other, one] of buckets) if (leftAt(one, nowMs) >= perMinute) buckets.delete(other);
      }
      return undefined;
    },
  };
}

/** Whose bucket a request takes from; undefined: whoever sits at the machine itself is not counted. */
export function bucketOf(viewer: Viewer, address: string | undefined): string | undefined {
  if (viewer.kind === 'LOCAL') return undefined;
  return viewer.credentialId ?? viewer.userId ?? `address ${address}`;
}

export const tooOften = (seconds: number) => ({
  message: `too many requests; ask again in ${seconds} s`,
  extensions: { code: 'LIMIT_REACHED', retryAfterSeconds: seconds },
});

/** Answers 429 with Retry-After, in GraphQL's form, before the body is read. */
export function limitRate(limit: RateLimit): RequestHandler {
  return (request, response, next) => {
    const bucket = bucketOf(viewerOf(response), request.socket.remoteAddress);
    const seconds = bucket === undefined ? undefined : limit.take(bucket);
    if (seconds === undefined) return next();
    response
      .status(429)
      .set('Retry-After', String(seconds))
      .json({ errors: [tooOften(seconds)] });
  };
}
