// Subscriptions over server-sent events, for those who cannot use WebSocket: POST or GET /graphql/stream with
// accept: text/event-stream, one operation a connection (the "distinct connections mode" of the GraphQL over SSE protocol).

import { once } from 'node:events';
import type { Request, RequestHandler, Response } from 'express';
import { type ExecutionResult, type GraphQLError, getOperationAST } from 'graphql';
import { createHandler, type Response as SseResponse } from 'graphql-sse';
import type { ApiContext, ApiDeps } from './context.js';
import { formatError } from './errors.js';
import { createExecution, observeRefusal } from './execution.js';
import type { OperationRequest, prepareOperation } from './limits.js';

export interface EventStreams {
  /** Reads a parsed JSON body or the query string; expects that the request's viewer is known. */
  readonly handler: RequestHandler;
  /** Ends every open stream without a word, so that its client comes back and goes on after the last event it saw. */
  close(): void;
}

export interface EventStreamOptions {
  readonly log: ApiDeps['log'];
  /** What may be executed of a request, or why nothing may. */
  readonly prepare: (request: OperationRequest) => ReturnType<typeof prepareOperation>;
  readonly createContext: (request: Request, response: Response) => ApiContext;
}

/** Events that may be on their way to one client; the next is fetched when an earlier one was taken. */
const MAX_IN_FLIGHT = 16;

const EVENT_STREAM = 'text/event-stream';

const refuse = (status: number, statusText: string, errors: readonly object[]): SseResponse => [
  JSON.stringify({ errors }),
  { status, statusText, headers: { 'content-type': 'application/json; charset=utf-8' } },
];
const refuseFor = (status: number, statusText: string, message: string): SseResponse =>
  refuse(status, statusText, [{ message, extensions: { code: 'BAD_REQUEST' } }]);

interface Flow {
  /** An event was handed to the connection. */
  taken(): void;
  /** Passes results on, at most MAX_IN_FLIGHT ahead of what was taken. */
  pace(results: AsyncGenerator<ExecutionResult>): AsyncGenerator<ExecutionResult>;
}

/** The library queues without a bound; through this, its source waits for a slow client instead. */
function createFlow(): Flow {
  let inFlight = 0;
  let resume = () => {};
  return {
    taken() {
      inFlight -= 1;
      resume();
    },
    pace: (results) =>
      Object.assign(Object.create(results), {
        async next() {
          while (inFlight >= MAX_IN_FLIGHT) await new Promise<void>((resolve) => (resume = resolve));
          inFlight += 1;
          return results.next();
        },
        return: (value: unknown) => results.return(value),
        throw: (error: unknown) => results.throw(error),
      }),
  };
}

/** Waits until a client takes more, or has gone. */
async function drained(response: Response): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  waiting.abort();
}

export function createEventStreams(options: EventStreamOptions): EventStreams {
  const { log, prepare, createContext } = options;
  const open = new Set<() => void>();
  let closed = false;

  const handle = createHandler<Request, { response: Response; flow: Flow }, Record<PropertyKey, unknown>>({
    // No token: the library's other mode, with its state between requests, is off.
    authenticate: () => null,
    ...(createExecution('sse') as object),
    onSubscribe(request, asked) {
      const startedAt = performance.now();
      let prepared: ReturnType<typeof prepare>;
      try {
        prepared = prepare(asked);
      } catch (error) {
        prepared = [error as GraphQLError];
      }
      if (Array.isArray(prepared)) {
        observeRefusal(startedAt);
        const errors = prepared.map((error) => formatError(log, error.toJSON(), error));
        return refuse(400, 'Bad Request', errors);
      }
      // Queries and mutations have an address of their own, with protection of its own.
      const operation = getOperationAST(prepared.document, prepared.operationName);
      if (operation?.operation !== 'subscription')
        return refuseFor(
          400,
          'Bad Request',
          'this address takes one subscription; send the rest to /graphql',
        );
      const contextValue = createContext(request.raw, request.context.response);
      return { ...prepared, contextValue: contextValue as unknown as Record<PropertyKey, unknown> };
    },
    onOperation: (_context, { context }, _args, result) =>
      Symbol.asyncIterator in (result as object)
        ? context.flow.pace(result as AsyncGenerator<ExecutionResult>)
        : undefined,
    onNext: (_context, _request, result) =>
      result.errors
        ? {
            ...result,
            errors: result.errors.map((error) => formatError(log, error.toJSON(), error)) as never,
          }
        : undefined,
  });

  const handler: RequestHandler = async (request, response) => {
    const flow = createFlow();
    const [body, init] = closed
      ? refuseFor(503, 'Service Unavailable', 'the server is stopping')
      : request.get('accept') !== EVENT_STREAM
        ? refuseFor(406, 'Not Acceptable', `this address needs the header accept: ${EVENT_STREAM}`)
        : await handle({
            method: request.method,
            url: request.originalUrl,
            headers: { get: (name) => request.get(name) },
            body: () => request.body ?? null,
            raw: request,
            context: { response, flow },
          });
    response.writeHead(init.status, init.statusText, init.headers);
    if (body === null || typeof body === 'string') return void response.end(body ?? undefined);
    const end = () => {
      response.end();
      void body.return(undefined);
    };
    open.add(end);
    response.once('close', end);
    try {
      for await (const message of body) {
        if (!response.writable) break;
        if (!response.write(message)) await drained(response);
        if (message.startsWith('event: next')) flow.taken();
      }
    } catch (error) {
      log.error({ err: error }, 'an event stream failed');
    } finally {
      open.delete(end);
      end();
    }
  };
  return {
    handler,
    close() {
      closed = true;
      for (const end of open) end();
    },
  };
}
