// What this process counts and measures, for Prometheus. Labels take values of short fixed lists only: what a client may choose,
// such as names in a document, never becomes one.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** All of the process; what is read from the database at a scrape is added by who serves it. */
export const registry = new Registry();
collectDefaultMetrics({ register: registry });

const registers = [registry];
const FAST = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SLOW = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600];

export const httpSeconds = new Histogram({
  name: 'mindpainter_http_request_seconds',
  help: 'HTTP requests, by the part of the server that answered and the status',
  labelNames: ['route', 'status'] as const,
  buckets: FAST,
  registers,
});

export const operationSeconds = new Histogram({
  name: 'mindpainter_graphql_operation_seconds',
  help: 'GraphQL operations by root field, "several" for documents of more than one, "invalid" for none; subscriptions until they are open',
  labelNames: ['operation', 'outcome'] as const,
  buckets: FAST,
  registers,
});

export const graphqlErrors = new Counter({
  name: 'mindpainter_graphql_errors_total',
  help: 'Errors in answers, by code: of the document (kind response) or of a mutation (kind payload)',
  labelNames: ['kind', 'code'] as const,
  registers,
});

export const openSubscriptions = new Gauge({
  name: 'mindpainter_subscriptions',
  help: 'Subscriptions that are open, by transport (websocket, sse) and root field',
  labelNames: ['transport', 'operation'] as const,
  registers,
});

export const subscriptionEvents = new Counter({
  name: 'mindpainter_subscription_events_total',
  help: 'Events that subscriptions gave, by root field',
  labelNames: ['operation'] as const,
  registers,
});

export const openSockets = new Gauge({
  name: 'mindpainter_websockets',
  help: 'WebSockets that are open',
  registers,
});

export const jobWaitSeconds = new Histogram({
  name: 'mindpainter_paint_job_wait_seconds',
  help: 'From the submission of a paint job to its first attempt by this worker',
  buckets: SLOW,
  registers,
});

export const jobRunSeconds = new Histogram({
  name: 'mindpainter_paint_job_run_seconds',
  help: 'Attempts at paint jobs by this worker, by how they ended',
  labelNames: ['outcome'] as const,
  buckets: SLOW,
  registers,
});

export const stepSeconds = new Histogram({
  name: 'mindpainter_denoising_step_seconds',
  help: 'Denoising steps of this worker, as their progress arrives',
  buckets: FAST,
  registers,
});

export const webhookAttempts = new Counter({
  name: 'mindpainter_webhook_attempts_total',
  help: 'Requests to webhook endpoints by this worker',
  labelNames: ['outcome'] as const,
  registers,
});
