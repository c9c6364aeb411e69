// One signed POST: no redirect is followed, no answer is read beyond its status, and the address is checked as it is resolved.

import { lookup } from 'node:dns';
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { hostOf, isPrivateAddress } from '../services/webhook-address.js';
import type { Answer } from '../services/webhook-deliveries.js';

const REFUSED = 'the address is private, and those are refused here (WEBHOOK_PRIVATE_ADDRESSES)';

/** A name that points to a private address is refused, whatever it pointed to when the endpoint was made. */
const lookupPublic: LookupFunction = (host, options, answer) =>
  lookup(host, options, (error, addresses, family) => {
    const all = typeof addresses === 'string' ? [addresses] : (addresses ?? []).map(({ address }) => address);
    if (!error && all.some(isPrivateAddress)) return answer(new Error(REFUSED), '');
    answer(error, addresses as string, family);
  });

/** What a person can make use of; a library's message may hold the resolved address. */
function describe(error: NodeJS.ErrnoException): string {
  if (error.message === REFUSED) return REFUSED;
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the connection was refused',
    ECONNRESET: 'the connection was cut',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the name could not be resolved',
  };
  return known[error.code ?? ''] ?? `the request failed${error.code ? ` (${error.code})` : ''}`;
}

/** Never rejects: what went wrong is the answer. `abort` gives up early, with an error. */
export function postWebhook(
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  options: { readonly allowPrivate: boolean; readonly timeoutMs: number; readonly abort: AbortSignal },
): Promise<Answer> {
  const { allowPrivate, timeoutMs, abort } = options;
  const started = performance.now();
  const url = new URL(address);
  const host = hostOf(url);
  return new Promise((resolve) => {
    const done = (statusCode: number | null, error: string | null) => {
      clearTimeout(timer);
      resolve({ durationMs: Math.round(performance.now() - started), statusCode, error });
    };
    // A timer of our own: in Node 20, AbortSignal.any lets go of a timeout signal that nobody else holds, and it never fires.
    const timer = setTimeout(() => {
      done(null, `no answer within ${timeoutMs / 1000} s`);
      request?.destroy();
    }, timeoutMs);
    let request: ClientRequest | undefined;
    if (!allowPrivate && isIP(host) !== 0 && isPrivateAddress(host)) return done(null, REFUSED);
    request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method: 'POST',
      agent: false,
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'mindpainter-webhooks',
      },
      signal: abort,
      ...(allowPrivate ? {} : { lookup: lookupPublic }),
    });
    request.on('error', (error) =>
      done(null, abort.aborted ? 'the worker stopped' : describe(((error as Error).cause as Error) ?? error)),
    );
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const redirected = status >= 300 && status < 400 ? '; redirects are not followed' : '';
      done(status, status >= 200 && status < 300 ? null : `the receiver answered ${status}${redirected}`);
      // The status says all; a body without end is not waited for.
      response.on('error', () => {});
      response.resume();
      setTimeout(() => response.destroy(), 1000).unref();
    });
    request.end(body);
  });
}
