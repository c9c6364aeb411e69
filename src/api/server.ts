// The API over HTTP: GraphQL, uploads, subscriptions, files. Built from what it is given; reads no configuration.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import type { GraphQLError } from 'graphql';
import graphqlUploadExpress from 'graphql-upload/graphqlUploadExpress.mjs';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { checkHealth } from '../services/health.js';
import { type ApiContext, type ApiDeps, createContext } from './context.js';
import { formatError } from './errors.js';
import { createFileRouter } from './files.js';
import { HOME_PAGE } from './home-page.js';
import { createSchema } from './schema.js';

/** A batch of 10,000 jobs that are all spelled out takes about two of them. */
const MAX_BODY_BYTES = 4_000_000;
const MAX_TOKENS = 4000;

export interface ApiServer {
  /** Starts to listen; port 0 takes a free one. Returns the address. */
  listen(port: number, host: string): Promise<string>;
  /** Lets running requests end, then closes. */
  close(): Promise<void>;
}

/** A form of another site may send multipart bodies unasked; they are refused before any byte of them is parsed. */
const requirePreflight: RequestHandler = (request, response, next) => {
  const multipart = request.is('multipart/form-data');
  if (!multipart || request.get('apollo-require-preflight') || request.get('x-apollo-operation-name')) {
    next();
    return;
  }
  const message = 'uploads need the header apollo-require-preflight: true';
  response.status(400).json({ errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });
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

export async function createApiServer(deps: ApiDeps): Promise<ApiServer> {
  const { log, maxUploadBytes } = deps;
  const schema = createSchema();
  const app = express().disable('x-powered-by');
  const http = createServer(app);

  const sockets = new WebSocketServer({ server: http, path: '/graphql', maxPayload: MAX_BODY_BYTES });
  const format = (errors: readonly GraphQLError[]) =>
    errors.map((error) => formatError(log, error.toJSON(), error));
  const ws = useServer(
    {
      schema,
      context: () => createContext(deps),
      onNext: (_context, _id, _payload, _args, result) =>
        result.errors ? { ...result, errors: format(result.errors) } : undefined,
      onError: (_context, _id, _payload, errors) => format(errors as GraphQLError[]),
    },
    sockets,
  );

  const apollo = new ApolloServer<ApiContext>({
    schema,
    csrfPrevention: true,
    includeStacktraceInErrorResponses: false,
    maxRecursiveSelections: true,
    parseOptions: { maxTokens: MAX_TOKENS },
    formatError: (formatted, error) => formatError(log, formatted, error),
    logger: { debug() {}, info() {}, warn: (m) => log.warn(m), error: (m) => log.error(m) },
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer: http }),
      { serverWillStart: async () => ({ drainServer: async () => void (await ws.dispose()) }) },
    ],
  });
  await apollo.start();

  app.get('/', (_, response) => void response.type('html').send(HOME_PAGE));
  app.get('/health', async (_, response) => {
    const health = await checkHealth(deps.services);
    response
      .set('Cache-Control', 'no-store')
      .status(health.ok ? 200 : 503)
      .json(health);
  });
  app.use('/files', createFileRouter(deps));
  app.use(
    '/graphql',
    requirePreflight,
    express.json({ limit: MAX_BODY_BYTES }),
    graphqlUploadExpress({ maxFileSize: maxUploadBytes, maxFiles: 4, maxFieldSize: MAX_BODY_BYTES }),
    expressMiddleware(apollo, { context: async () => createContext(deps) }),
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
