// The API over WebSocket (graphql-ws, at /graphql): who opens a socket, and what may be asked over it.

import type { IncomingMessage, Server } from 'node:http';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { isAppError } from '../errors.js';
import { withLogFields } from '../log.js';
import { NOBODY } from '../services/access.js';
import { openSockets } from '../telemetry/metrics.js';
import { type ApiDeps, createContext } from './context.js';
import { formatError } from './errors.js';
import { createExecution, observeRefusal } from './execution.js';
import { identify, keepWatch, refusalOf } from './identity.js';
import type { OperationRequest, prepareOperation } from './limits.js';
import { bucketOf, type RateLimit, tooOften } from './rate-limit.js';
import { isSensibleId, REQUEST_ID, requestIdOf } from './requests.js';

export interface SocketOptions {
  readonly schema: GraphQLSchema;
  readonly maxPayloadBytes: number;
  readonly rate: RateLimit;
  /** What may be executed of a request, or why nothing may. */
  readonly prepare: (request: OperationRequest) => ReturnType<typeof prepareOperation>;
}

interface Socket {
  readonly extra: { readonly request: IncomingMessage; readonly socket: WebSocket };
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
}

/** Serves sockets of an HTTP server; `dispose` closes them, and clients come back to whoever serves then. */
export function serveSockets(
  http: Server,
  deps: ApiDeps,
  { schema, maxPayloadBytes, rate, prepare }: SocketOptions,
): { dispose(): void | Promise<void> } {
  const { log } = deps;
  const sockets = new WebSocketServer({
    server: http,
    path: '/graphql',
    maxPayload: maxPayloadBytes,
    // No browser asks for permission before it opens a socket to another site.
    verifyClient: ({ req }, answer) => answer(!refusalOf(req, deps), 403),
  });
  sockets.on('headers', (headers, request) => {
    headers.push(`${REQUEST_ID}: ${requestIdOf(request)}`);
  });
  sockets.on('connection', (socket) => {
    openSockets.inc();
    socket.once('close', () => openSockets.dec());
  });

  /** All of one socket carry the id of the request that opened it; operations are told apart by the client's own ids. */
  const fieldsOf = ({ extra }: Socket, operationId?: string): Record<string, string> => ({
    requestId: requestIdOf(extra.request),
    ...(operationId !== undefined && isSensibleId(operationId) ? { operationId } : {}),
  });
  const format = (socket: Socket, id: string, errors: readonly GraphQLError[]) =>
    withLogFields(fieldsOf(socket, id), () => errors.map((error) => formatError(log, error.toJSON(), error)));
  const whoOf = ({ extra, connectionParams }: Socket) =>
    identify(deps, extra.request, connectionParams?.authorization).catch((error) => {
      if (isAppError(error)) return NOBODY;
      throw error;
    });

  return useServer(
    {
      schema,
      // What the library says of faults of its own stays here.
      isProd: true,
      ...createExecution('websocket'),
      // A refused token ends the connection; one that ends later leaves nobody for what is asked from then on.
      async onConnect(socket: Socket) {
        if (socket.connectionParams?.authorization === undefined) return true;
        try {
          return (await whoOf(socket)).kind !== 'NOBODY';
        } catch (error) {
          withLogFields(fieldsOf(socket), () => log.error({ err: error }, 'a socket could not be opened'));
          // "Try again later": clients do, where after any other code of a server's fault they give up.
          socket.extra.socket.close(1013);
          return false;
        }
      },
      async onSubscribe(socket: Socket, id, request) {
        const startedAt = performance.now();
        try {
          const viewer = await whoOf(socket);
          const bucket = bucketOf(viewer, socket.extra.request.socket.remoteAddress);
          const seconds = bucket === undefined ? undefined : rate.take(bucket);
          if (seconds !== undefined) return [new GraphQLError(tooOften(seconds).message, tooOften(seconds))];
          const prepared = prepare(request);
          if (Array.isArray(prepared)) {
            observeRefusal(startedAt);
            return prepared;
          }
          const given = request.extensions?.traceparent ?? socket.extra.request.headers.traceparent;
          const contextValue = createContext(deps, viewer, {
            isStillWelcome: keepWatch(viewer, () => whoOf(socket)),
            setSession: undefined,
            origin: {
              fields: fieldsOf(socket, id),
              traceParent: typeof given === 'string' ? given : undefined,
              bucket,
            },
          });
          return { ...prepared, contextValue };
        } catch (cause) {
          observeRefusal(startedAt);
          const error = cause as Error;
          return [
            error instanceof GraphQLError ? error : new GraphQLError(error.message, { originalError: error }),
          ];
        }
      },
      onNext: (socket: Socket, id, _payload, _args, result) =>
        result.errors ? { ...result, errors: format(socket, id, result.errors) } : undefined,
      onError: (socket: Socket, id, _payload, errors) => format(socket, id, errors as GraphQLError[]),
    },
    sockets,
  );
}
