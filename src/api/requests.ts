// Each request has an id: the client's, where it sends a sensible one, or a new one. It is in the answer and on every line that is
// logged for the request.

import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { type Log, withLogFields } from '../log.js';
import { inSpan } from '../telemetry/tracing.js';

const HEADER = 'x-request-id';
/** Nothing that could break a line of a log or a header. */
const SENSIBLE = /^[\w.:-]{1,128}$/;

/** Says at the level debug how each request ended; the query string may hold what is not for logs and stays out. */
export function nameRequests(log: Log): RequestHandler {
  return (request, response, next) => {
    const given = request.get(HEADER);
    const requestId = given && SENSIBLE.test(given) ? given : randomUUID();
    const started = performance.now();
    const { method, path } = request;
    response.set(HEADER, requestId);
    response.once('close', () => {
      const durationMs = Math.round(performance.now() - started);
      const status = response.writableFinished ? response.statusCode : 'cut off';
      log.debug({ requestId, method, path, status, durationMs }, 'a request ended');
    });
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
