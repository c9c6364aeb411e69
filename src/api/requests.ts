// Each request has an id: the client's, where it sends a sensible one, or a new one. It is in the answer and on every line that is
// logged for the request.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { type Log, withLogFields } from '../log.js';
import { inSpan, isTracing } from '../telemetry/tracing.js';

export const REQUEST_ID = 'x-request-id';
/** Nothing that could break a line of a log or a header. */
const SENSIBLE = /^[\w.:-]{1,128}$/;
export const isSensibleId = (id: string) => SENSIBLE.test(id);

const known = new WeakMap<IncomingMessage, string>();

/** The id of a request, the same whenever it is asked for. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers[REQUEST_ID];
  const id = known.get(request) ?? (typeof given === 'string' && isSensibleId(given) ? given : randomUUID());
  known.set(request, id);
  return id;
}

/** Says at the level debug how each request ended; the query string may hold what is not for logs and stays out. */
export function nameRequests(log: Log): RequestHandler {
  return (request, response, next) => {
    const requestId = requestIdOf(request);
    const started = performance.now();
    const { method, path } = request;
    response.set(REQUEST_ID, requestId);
    response.once('close', () => {
      const durationMs = Math.round(performance.now() - started);
      const status = response.writableFinished ? response.statusCode : 'cut off';
      log.debug({ requestId, method, path, status, durationMs }, 'a request ended');
    });
    if (!isTracing()) return withLogFields({ requestId }, next);
    const attributes = { 'http.request.method': method, 'url.path': path, 'request.id': requestId };
    const parent = request.get('traceparent');
    void inSpan(`HTTP ${method}`, { attributes, parent, kind: 'SERVER' }, (set) => {
      const ended = new Promise<void>((resolve) => {
        response.once('close', () => {
          set({ 'http.response.status_code': response.statusCode });
          resolve();
        });
      });
      withLogFields({ requestId }, next);
      return ended;
    });
  };
}
