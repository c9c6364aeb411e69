// What is sent to an endpoint, attempt by attempt: when the next one is due, what has become of it, and when to give up.

import type {
  Prisma,
  WebhookDelivery,
  WebhookDeliveryState,
  WebhookEndpoint,
  WebhookEvent,
} from '../generated/prisma/client.js';
import { readSql } from '../store/sql.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { readVisible } from './lists.js';
import { newest, type PageArguments } from './pages.js';

/** Waits before the second and later attempts; then a delivery is given up, about two days after the first. */
export const RETRY_SECONDS = [5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600];
/** An endpoint that has failed without a success between for so long is disabled at its next failure. */
const DISABLE_AFTER_MS = 5 * 24 * 3_600_000;
/** While an endpoint fails it is tried so often at least, when something waits for it. */
const LONGEST_REST_SECONDS = 3600;
const PRUNE = readSql('prune-webhooks');
const KEEP_DAYS = 30;

const PLACES = {
  PAINT_JOB_ENDED: { type: 'paint_job.ended', node: 'PaintJob' },
  PAINT_JOB_BATCH_ENDED: { type: 'paint_job_batch.ended', node: 'PaintJobBatch' },
  TRAINING_RUN_ENDED: { type: 'training_run.ended', node: 'TrainingRun' },
  TEST: { type: 'test', node: 'WebhookEndpoint' },
} as const;

/** The body of an event: ids and a state, no data of the lab's. The same at each attempt. */
export function webhookBody({ type, entityId, batchId, state, createdAt }: WebhookEvent): string {
  const place = PLACES[type];
  return JSON.stringify({
    type: place.type,
    timestamp: createdAt.toISOString(),
    data: {
      id: `${place.node}_${entityId}`,
      ...(batchId ? { batchId: `PaintJobBatch_${batchId}` } : {}),
      ...(state ? { state } : {}),
    },
  });
}

export function listWebhookDeliveries(
  services: Services,
  filter: { readonly endpointId: string; readonly state?: WebhookDeliveryState | undefined },
  args: PageArguments,
) {
  const { prisma } = services.store;
  const where = { endpointId: filter.endpointId, ...(filter.state ? { state: filter.state } : {}) };
  return readVisible(
    services,
    'WebhookDelivery',
    args,
    (slice) => prisma.webhookDelivery.findMany(newest(slice, where)),
    () => prisma.webhookDelivery.count({ where }),
  );
}

export interface Attempt {
  readonly endpoint: WebhookEndpoint;
  readonly delivery: WebhookDelivery;
  readonly event: WebhookEvent;
  readonly number: number;
}

/**
 * Begins the next attempt that is due for an endpoint, the oldest first; undefined when there is none now. The queue runs one
 * sender an endpoint at a time, so nobody else takes it.
 */
export async function beginAttempt({ store }: Services, endpointId: string): Promise<Attempt | undefined> {
  return store.prisma.$transaction(async (tx) => {
    const endpoint = await tx.webhookEndpoint.findFirst({
      where: { id: endpointId, deletedAt: null, disabledAt: null },
    });
    const now = new Date();
    if (!endpoint || (endpoint.resumeAt && endpoint.resumeAt > now)) return undefined;
    const due = await tx.webhookDelivery.findFirst({
      where: { endpointId, nextAttemptAt: { lte: now } },
      orderBy: { nextAttemptAt: 'asc' },
      include: { event: true, attempts: { orderBy: { number: 'desc' }, take: 1 } },
    });
    if (!due) return undefined;
    const { event, attempts, ...delivery } = due;
    const number = (attempts[0]?.number ?? 0) + 1;
    await tx.webhookAttempt.updateMany({
      where: { deliveryId: delivery.id, durationMs: null, error: null },
      data: { error: 'the worker was lost; whether it arrived is not known' },
    });
    await tx.webhookAttempt.create({ data: { deliveryId: delivery.id, number } });
    return { endpoint, delivery, event, number };
  });
}

/** What came of an attempt: `error` is null exactly when it succeeded. */
export interface Answer {
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly error: string | null;
}

/** Between 80 and 120 % of a wait, so that what failed together is not tried together. `random` is from 0 to 1. */
const jitter = (seconds: number, random: number) => seconds * 1000 * (0.8 + 0.4 * random);

/** Writes what came of an attempt, and what follows. Says so when the endpoint is disabled for it. */
export async function endAttempt(
  { store, viewer }: Services,
  { endpoint, delivery, number }: Attempt,
  answer: Answer,
  random = Math.random(),
): Promise<{ readonly disabledReason: string | undefined }> {
  const now = Date.now();
  const later = (seconds: number) => new Date(now + jitter(seconds, random));
  return store.prisma.$transaction(async (tx) => {
    await tx.webhookAttempt.update({
      where: { deliveryId_number: { deliveryId: delivery.id, number } },
      data: { ...answer },
    });
    // What was asked for again meanwhile keeps its new turn; what was removed stays so.
    const where = {
      id: delivery.id,
      state: 'PENDING',
      tries: delivery.tries,
      nextAttemptAt: delivery.nextAttemptAt,
    } as const;
    const { id } = endpoint;
    if (answer.error === null) {
      const data = { state: 'SUCCEEDED', nextAttemptAt: null, tries: { increment: 1 } } as const;
      await tx.webhookDelivery.updateMany({ where, data });
      await tx.webhookEndpoint.update({
        where: { id },
        data: { failingSince: null, failures: 0, resumeAt: null },
      });
      return { disabledReason: undefined };
    }
    const wait = RETRY_SECONDS[delivery.tries];
    const next =
      wait === undefined
        ? ({ state: 'FAILED', nextAttemptAt: null } as const)
        : { nextAttemptAt: later(wait) };
    await tx.webhookDelivery.updateMany({ where, data: { ...next, tries: { increment: 1 } } });
    const failingSince = endpoint.failingSince ?? new Date(now);
    const rest = Math.min(RETRY_SECONDS[endpoint.failures] ?? LONGEST_REST_SECONDS, LONGEST_REST_SECONDS);
    const disabledReason =
      answer.statusCode === 410
        ? 'the receiver answered 410: it wants no more'
        : now - failingSince.getTime() > DISABLE_AFTER_MS
          ? `nothing could be delivered since ${failingSince.toISOString()}; the last error: ${answer.error}`
          : undefined;
    const state: Prisma.WebhookEndpointUpdateManyMutationInput = {
      failingSince,
      failures: { increment: 1 },
      resumeAt: later(rest),
    };
    await tx.webhookEndpoint.updateMany({ where: { id }, data: state });
    if (!disabledReason) return { disabledReason };
    const { count } = await tx.webhookEndpoint.updateMany({
      where: { id, disabledAt: null },
      data: { disabledAt: new Date(now), disabledReason, version: { increment: 1 } },
    });
    const action = 'disableWebhookEndpoint';
    if (count === 1)
      await audit(tx, viewer, { action, type: 'WebhookEndpoint', id, after: { disabledReason } });
    return { disabledReason };
  });
}

/** Wakes the sender again when the next attempt is due, if one is; what is older than 30 days and done goes. */
export async function planNext({ store }: Services, endpointId: string): Promise<void> {
  await store.pool.query(PRUNE, [KEEP_DAYS]);
  await store.pool.query(
    `SELECT wake_webhook_endpoint(endpoint.id, greatest(endpoint.resume_at, min(delivery.next_attempt_at), clock_timestamp()))
     FROM webhook_endpoint AS endpoint JOIN webhook_delivery AS delivery ON delivery.endpoint_id = endpoint.id
     WHERE endpoint.id = $1 AND endpoint.deleted_at IS NULL AND endpoint.disabled_at IS NULL AND delivery.next_attempt_at IS NOT NULL
     GROUP BY endpoint.id`,
    [endpointId],
  );
}
