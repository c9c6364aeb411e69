// GET /metrics for Prometheus, and the measuring of requests and operations.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApolloServerPlugin } from '@apollo/server';
import express, { type RequestHandler, type Response } from 'express';
import { type GraphQLSchema, Kind, type OperationDefinitionNode } from 'graphql';
import { Gauge, Registry } from 'prom-client';
import { isAppError } from '../errors.js';
import type { Services } from '../services/context.js';
import { countWork, type WorkCount } from '../services/work-counts.js';
import { httpSeconds, operationSeconds, registry } from '../telemetry/metrics.js';
import { recordSpan } from '../telemetry/tracing.js';
import type { ApiContext } from './context.js';
import { type Identifying, identifyRequests, viewerOf } from './identity.js';

const GAUGES: Readonly<Record<WorkCount['kind'], string>> = {
  paint_jobs: 'Paint jobs that wait or run',
  devices: 'Devices that paint',
  training_runs: 'Training runs',
  webhook_deliveries: 'Webhook deliveries that wait for their first or next attempt',
  webhook_endpoints: 'Webhook endpoints',
};

/** What the database says at this scrape. A new registry each time, so that what is gone does not stay. */
async function scrape(services: Services): Promise<string> {
  const now = new Registry();
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name: `mindpainter_${name}`, help, labelNames, registers: [now] });
  const counts = await countWork(services);
  for (const [kind, help] of Object.entries(GAUGES)) {
    const labels = kind === 'paint_jobs' ? ['state', 'priority'] : ['state'];
    const one = gauge(kind, help, labels);
    for (const { label, detail, number } of counts.filter((count) => count.kind === kind))
      one.set(kind === 'paint_jobs' ? { state: label, priority: detail } : { state: label }, number);
  }
  const pool = gauge('database_connections', "Connections of this process's pool", ['state']);
  const { totalCount, idleCount, waitingCount } = services.store.pool;
  pool.set({ state: 'open' }, totalCount);
  pool.set({ state: 'idle' }, idleCount);
  pool.set({ state: 'waited_for' }, waitingCount);
  return (await registry.metrics()) + (await now.metrics());
}

/** Answers admins; to everybody else there is nothing here. */
export function serveMetrics({ services }: Identifying): RequestHandler {
  return async (_, response: Response, next) => {
    try {
      const text = await scrape({ ...services, viewer: viewerOf(response) });
      response.set('Cache-Control', 'no-store').type(registry.contentType).send(text);
    } catch (error) {
      if (!isAppError(error)) throw error;
      if (error.code === 'FORBIDDEN') return next();
      response.status(401).json({ errors: [{ message: error.message, extensions: { code: error.code } }] });
    }
  };
}

const ROUTES: readonly (readonly [string, RegExp])[] = [
  ['stream', /^\/graphql\/stream\/?$/],
  ['graphql', /^\/graphql\/?$/],
  ['files', /^\/files\//],
  ['health', /^\/health\b/],
  ['metrics', /^\/metrics$/],
  ['page', /^\/[a-z]*$/],
];

/** Measures each request until its answer has left; how long a stream lasts says nothing and is left out. */
export const measureRequests: RequestHandler = (request, response, next) => {
  const started = performance.now();
  const route = ROUTES.find(([, pattern]) => pattern.test(request.path))?.[0] ?? 'other';
  if (route !== 'stream')
    response.once('finish', () =>
      httpSeconds.observe({ route, status: response.statusCode }, (performance.now() - started) / 1000),
    );
  next();
};

/** The root field that an operation is about; the schema bounds how many there are. */
export function nameOperation(operation: OperationDefinitionNode | undefined, schema: GraphQLSchema): string {
  const [selection, ...more] = operation?.selectionSet.selections ?? [];
  if (!operation || !selection) return 'invalid';
  if (more.length > 0 || selection.kind !== Kind.FIELD) return 'several';
  const type = schema.getRootType(operation.operation);
  const { value } = selection.name;
  return value.startsWith('__') ? 'introspection' : type && value in type.getFields() ? value : 'invalid';
}

/** Measures queries and mutations. */
export const measureOperations: ApolloServerPlugin<ApiContext> = {
  async requestDidStart() {
    const started = performance.now();
    const startedAt = Date.now();
    return {
      async willSendResponse({ operation, schema, response, errors }) {
        const failed =
          errors?.length || (response.body.kind === 'single' && response.body.singleResult.errors);
        const name = nameOperation(operation, schema);
        operationSeconds.observe(
          { operation: name, outcome: failed ? 'error' : 'ok' },
          (performance.now() - started) / 1000,
        );
        recordSpan(
          `GraphQL ${name}`,
          startedAt,
          { 'graphql.operation.type': operation?.operation },
          Boolean(failed),
        );
      },
    };
  },
};

/** /metrics alone, for a worker, which serves nothing else. By the same rules as the server's. */
export function createMetricsServer(deps: Identifying): {
  listen(port: number, host: string): Promise<string>;
  close(): Promise<void>;
} {
  const app = express().disable('x-powered-by');
  app.use(identifyRequests(deps));
  app.get('/metrics', serveMetrics(deps));
  app.use((_, response) => void response.status(404).end());
  const http = createServer(app);
  return {
    async listen(port, host) {
      await new Promise<void>((done, fail) => http.once('error', fail).listen(port, host, done));
      return `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}`;
    },
    async close() {
      http.closeAllConnections();
      await new Promise((done) => http.close(done));
    },
  };
}
