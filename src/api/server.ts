// The API over HTTP: GraphQL, uploads, subscriptions, files. Built from what it is given; reads no configuration.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import graphqlUploadExpress from 'graphql-upload/graphqlUploadExpress.mjs';
import { may } from '../services/access.js';
import { checkHealth } from '../services/health.js';
import { type ApiContext, type ApiDeps, createContext } from './context.js';
import { formatError } from './errors.js';
import { createEventStreams } from './event-stream.js';
import { createFileRouter } from './files.js';
import { jsonIsAlways200, negotiate } from './graphql-over-http.js';
import { identify, identifyRequests, keepWatch, sessionSetter, viewerOf } from './identity.js';
import { checkLimits, LIMITS, type OperationRequest, prepareOperation } from './limits.js';
import { measureOperations, measureRequests, serveMetrics } from './metrics.js';
import { createPageRouter } from './pages.js';
import { bucketOf, createRateLimit, limitRate } from './rate-limit.js';
import { nameRequests } from './requests.js';
import { createSchema } from './schema.js';
import { serveSockets } from './sockets.js';
import { readTrusted, refuseUntrusted } from './trusted-documents.js';

/** A batch of 10,000 jobs that are all spelled out takes about two of them. */
const MAX_BODY_BYTES = 4_000_000;
const REQUESTS_PER_MINUTE = 3000;

export interface ApiServer {
  /** Starts to listen; port 0 takes a free one. Returns the address. */
  listen(port: number, host: string): Promise<string>;
  /** Lets running requests end, then closes. */
  close(): Promise<void>;
}

/**
 * A form of another site may send multipart bodies unasked, and so may who has no right to upload; they are refused before
 * any byte of them is parsed.
 */
const guardUploads: RequestHandler = (request, response, next) => {
  if (!request.is('multipart/form-data')) return next();
  const refuse = (status: number, code: string, message: string) =>
    void response.status(status).json({ errors: [{ message, extensions: { code } }] });
  if (!request.get('apollo-require-preflight') && !request.get('x-apollo-operation-name'))
    return refuse(400, 'BAD_REQUEST', 'uploads need the header apollo-require-preflight: true');
  const viewer = viewerOf(response);
  if (viewer.kind === 'NOBODY') return refuse(401, 'UNAUTHENTICATED', 'nobody is signed in');
  if (!may(viewer, 'uploadSourceImage')) return refuse(403, 'FORBIDDEN', 'you may not upload');
  next();
};

/** Faults of the transport (broken JSON, a body too large) as JSON without a stack. */
function onTransportError({ log }: ApiDeps): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const status = typeof error?.status === 'number' && error.status < 500 ? error.status : 500;
    if (status === 500) log.error({ err: error }, 'a request failed');
    if (response.headersSent || response.destroyed) return void response.destroy();
    const message = status === 500 ? 'internal error' : String(error.message);
    response.status(status).json({ errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });
  };
}

/** The limits of one operation, for what comes through Apollo. */
const limitOperations: ApolloServerPlugin<ApiContext> = {
  requestDidStart: async () => ({
    async didResolveOperation({ schema, document, request }) {
      const [first] = checkLimits(schema, document, request.operationName, request.variables);
      if (first) throw first;
    },
  }),
};

export async function createApiServer(deps: ApiDeps): Promise<ApiServer> {
  const { log, maxUploadBytes, introspection = true, trustedDocuments } = deps;
  const rate = createRateLimit(deps.requestsPerMinute ?? REQUESTS_PER_MINUTE);
  const schema = createSchema();
  // Files have ETags of their own; nothing else may be kept, so none is computed.
  const app = express().disable('x-powered-by').disable('etag');
  const http = createServer(app);

  const prepare = (request: OperationRequest) =>
    prepareOperation(schema, readTrusted(request, trustedDocuments), { introspection });
  const sockets = serveSockets(http, deps, { schema, maxPayloadBytes: MAX_BODY_BYTES, rate, prepare });

  const contextOf = (request: Request, response: Response) => {
    const viewer = viewerOf(response);
    const isStillWelcome = keepWatch(viewer, () => identify(deps, request));
    // Log fields and span are the request's.
    const origin = { fields: {}, bucket: bucketOf(viewer, request.socket.remoteAddress) };
    return createContext(deps, viewer, {
      isStillWelcome,
      setSession: sessionSetter(request, response),
      origin,
    });
  };
  const streams = createEventStreams({
    log,
    prepare,
    createContext: contextOf,
  });

  const apollo = new ApolloServer<ApiContext>({
    schema,
    csrfPrevention: true,
    includeStacktraceInErrorResponses: false,
    maxRecursiveSelections: true,
    introspection,
    // Documents are trusted by our manifest, not by whoever sends them first.
    persistedQueries: false,
    parseOptions: { maxTokens: LIMITS.tokens },
    formatError: (formatted, error) => formatError(log, formatted, error),
    logger: { debug() {}, info() {}, warn: (m) => log.warn(m), error: (m) => log.error(m) },
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      // It wraps every field of every answer to find out whether it may be cached; none may.
      ApolloServerPluginCacheControlDisabled(),
      jsonIsAlways200,
      limitOperations,
      measureOperations,
      ApolloServerPluginDrainHttpServer({ httpServer: http }),
      {
        serverWillStart: async () => ({
          async drainServer() {
            streams.close();
            await sockets.dispose();
          },
        }),
      },
    ],
  });
  await apollo.start();

  app.use(nameRequests(log));
  app.use(measureRequests);
  // Asked by machines that have no name here; it tells nothing that is not for strangers.
  app.get('/health', async (_, response) => {
    const health = await checkHealth(deps.services);
    response
      .set('Cache-Control', 'no-store')
      .status(health.ok ? 200 : 503)
      .json(health);
  });
  // Alive: this process answers. Ready: it can serve requests, whether or not anybody paints.
  app.get('/health/live', (_, response) => void response.set('Cache-Control', 'no-store').json({ ok: true }));
  app.get('/health/ready', async (_, response) => {
    const { database, disk } = (await checkHealth(deps.services)).checks;
    const ok = database.ok && disk.ok;
    response
      .set('Cache-Control', 'no-store')
      .status(ok ? 200 : 503)
      .json({ ok, checks: { database, disk } });
  });
  app.use(identifyRequests(deps));
  app.get('/metrics', serveMetrics(deps));
  app.use(createPageRouter());
  app.use('/files', createFileRouter(deps));
  app.all('/graphql/stream', limitRate(rate), express.json({ limit: MAX_BODY_BYTES }), streams.handler);
  app.use(
    '/graphql',
    negotiate,
    limitRate(rate),
    guardUploads,
    express.json({ limit: MAX_BODY_BYTES }),
    graphqlUploadExpress({ maxFileSize: maxUploadBytes, maxFiles: 4, maxFieldSize: MAX_BODY_BYTES }),
    refuseUntrusted(trustedDocuments),
    expressMiddleware(apollo, { context: async ({ req, res }) => contextOf(req, res) }),
  );
  app.use(
    (_, response) =>
      void response.status(404).json({ error: { code: 'NOT_FOUND', message: 'no such page' } }),
  );
  app.use(onTransportError(deps));

  return {
    async listen(port, host) {
      await new Promise<void>((done, fail) => http.once('error', fail).listen(port, host, done));
      const address = http.address() as AddressInfo;
      return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
    },
    close: () => apollo.stop(),
  };
}
