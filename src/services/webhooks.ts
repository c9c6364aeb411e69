// The addresses that are told of what happens. Their secrets are shown once; what is sent to them is in webhook-deliveries.ts.

import { AppError } from '../errors.js';
import type { WebhookDelivery, WebhookEndpoint, WebhookEventType } from '../generated/prisma/client.js';
import type { Transaction } from '../store/client.js';
import { type Action, authorize } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { stale } from './edits.js';
import { readVisible } from './lists.js';
import { newest, type PageArguments } from './pages.js';
import { checkWebhookUrl } from './webhook-address.js';
import { createWebhookSecret } from './webhook-signature.js';

const MAX_ENDPOINTS = 50;
const HOUR_MS = 3_600_000;
const MAX_KEEP_HOURS = 7 * 24;
/** What an endpoint may ask for. */
const TYPES = ['PAINT_JOB_ENDED', 'PAINT_JOB_BATCH_ENDED', 'TRAINING_RUN_ENDED'] as const;

export interface IssuedEndpoint {
  readonly endpoint: WebhookEndpoint;
  readonly secret: string;
}

export function listWebhookEndpoints(services: Services, args: PageArguments) {
  const { prisma } = services.store;
  const where = { deletedAt: null };
  return readVisible(
    services,
    'WebhookEndpoint',
    args,
    (slice) => prisma.webhookEndpoint.findMany(newest(slice, where)),
    () => prisma.webhookEndpoint.count({ where }),
  );
}

/** What of an endpoint may be written down. */
function open({ secret: _, previousSecret: __, ...rest }: WebhookEndpoint) {
  return rest;
}

function checkTypes(types: readonly WebhookEventType[]): WebhookEventType[] {
  const chosen = TYPES.filter((type) => types.includes(type));
  if (chosen.length > 0) return chosen;
  throw new AppError('BAD_INPUT', `give at least one of ${TYPES.join(', ')}`, { field: 'eventTypes' });
}

function checkDescription(text: string): string {
  if (text.length <= 500) return text.trim();
  throw new AppError('BAD_INPUT', 'give at most 500 characters', { field: 'description' });
}

async function findEndpoint(tx: Transaction, id: string): Promise<WebhookEndpoint> {
  // Locked, so that what an event says stood before did so.
  await tx.$queryRaw`SELECT id FROM webhook_endpoint WHERE id = ${id}::uuid FOR UPDATE`;
  const found = await tx.webhookEndpoint.findFirst({ where: { id, deletedAt: null } });
  if (found) return found;
  throw new AppError('NOT_FOUND', 'no such webhook endpoint', { field: 'id' });
}

/** Wakes the sender of an endpoint when the transaction commits. */
const wake = (tx: Transaction, id: string) => tx.$executeRaw`SELECT wake_webhook_endpoint(${id}::uuid, NULL)`;

/** Changes an endpoint that the viewer may change, with its audit event. */
async function change<Result>(
  { viewer, store }: Services,
  action: Action,
  id: string,
  work: (tx: Transaction, before: WebhookEndpoint) => Promise<[WebhookEndpoint, Result]>,
): Promise<Result> {
  authorize(viewer, action);
  return store.prisma.$transaction(async (tx) => {
    const before = await findEndpoint(tx, id);
    const [after, result] = await work(tx, before);
    await audit(tx, viewer, {
      action,
      type: 'WebhookEndpoint',
      id,
      before: open(before),
      after: open(after),
    });
    return result;
  });
}

export async function createWebhookEndpoint(
  services: Services,
  input: {
    readonly url: string;
    readonly description?: string | null | undefined;
    readonly eventTypes?: readonly WebhookEventType[] | null | undefined;
  },
): Promise<IssuedEndpoint> {
  const { viewer, store } = services;
  authorize(viewer, 'createWebhookEndpoint');
  const url = checkWebhookUrl(input.url, services.privateWebhooks ?? false, 'url');
  const eventTypes = checkTypes(input.eventTypes ?? TYPES);
  const description = checkDescription(input.description ?? '');
  const secret = createWebhookSecret();
  return store.prisma.$transaction(async (tx) => {
    if ((await tx.webhookEndpoint.count({ where: { deletedAt: null } })) >= MAX_ENDPOINTS)
      throw new AppError('LIMIT_REACHED', `there are ${MAX_ENDPOINTS} endpoints; delete one first`);
    const endpoint = await tx.webhookEndpoint.create({ data: { url, eventTypes, description, secret } });
    const { id } = endpoint;
    const action = 'createWebhookEndpoint';
    await audit(tx, viewer, { action, type: 'WebhookEndpoint', id, after: open(endpoint) });
    return { endpoint, secret };
  });
}

export interface UpdateWebhookEndpoint {
  readonly id: string;
  readonly expectedVersion: number;
  readonly url?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly eventTypes?: readonly WebhookEventType[] | null | undefined;
  readonly enabled?: boolean | null | undefined;
}

const DISABLED = { disabledReason: 'disabled by hand' };
const ENABLED = { disabledAt: null, disabledReason: null, failingSince: null, failures: 0, resumeAt: null };

export function updateWebhookEndpoint(
  services: Services,
  input: UpdateWebhookEndpoint,
): Promise<WebhookEndpoint> {
  const { id, expectedVersion, url, description, eventTypes, enabled } = input;
  return change(services, 'updateWebhookEndpoint', id, async (tx, before) => {
    const switched = enabled == null || enabled === (before.disabledAt === null) ? undefined : enabled;
    const [after] = await tx.webhookEndpoint.updateManyAndReturn({
      where: { id, version: expectedVersion },
      data: {
        version: { increment: 1 },
        ...(url == null ? {} : { url: checkWebhookUrl(url, services.privateWebhooks ?? false, 'url') }),
        ...(description == null ? {} : { description: checkDescription(description) }),
        ...(eventTypes == null ? {} : { eventTypes: checkTypes(eventTypes) }),
        ...(switched === true ? ENABLED : {}),
        ...(switched === false ? { ...DISABLED, disabledAt: new Date() } : {}),
      },
    });
    if (!after) throw stale('endpoint', before.version, expectedVersion);
    if (switched) await wake(tx, id);
    return [after, after];
  });
}

/** Removes an endpoint; what waits for it is not sent any more. */
export function deleteWebhookEndpoint(services: Services, id: string): Promise<string> {
  return change(services, 'deleteWebhookEndpoint', id, async (tx) => {
    const after = await tx.webhookEndpoint.update({ where: { id }, data: { deletedAt: new Date() } });
    const [state, nextAttemptAt] = ['FAILED' as const, null];
    await tx.webhookDelivery.updateMany({
      where: { endpointId: id, state: 'PENDING' },
      data: { state, nextAttemptAt },
    });
    return [after, id];
  });
}

export function rotateWebhookSecret(
  services: Services,
  id: string,
  keepOldForHours: number,
): Promise<IssuedEndpoint> {
  if (!Number.isInteger(keepOldForHours) || keepOldForHours < 0 || keepOldForHours > MAX_KEEP_HOURS) {
    const message = `give whole hours from 0 to ${MAX_KEEP_HOURS}`;
    throw new AppError('BAD_INPUT', message, { field: 'keepOldForHours' });
  }
  return change(services, 'rotateWebhookSecret', id, async (tx, before) => {
    const secret = createWebhookSecret();
    const until = new Date(Date.now() + keepOldForHours * HOUR_MS);
    const kept = keepOldForHours > 0;
    const endpoint = await tx.webhookEndpoint.update({
      where: { id },
      data: {
        secret,
        previousSecret: kept ? before.secret : null,
        previousSecretUntil: kept ? until : null,
        version: { increment: 1 },
      },
    });
    return [endpoint, { endpoint, secret }];
  });
}

export function sendTestWebhook(services: Services, id: string): Promise<WebhookDelivery> {
  return change(services, 'sendTestWebhook', id, async (tx, before) => {
    if (before.disabledAt) throw new AppError('CONFLICT', 'this endpoint is disabled', { field: 'id' });
    // A person waits for this one: it is not held up by what has failed.
    const after = await tx.webhookEndpoint.update({ where: { id }, data: { resumeAt: null } });
    const event = await tx.webhookEvent.create({ data: { type: 'TEST', entityId: id } });
    const delivery = await tx.webhookDelivery.create({ data: { eventId: event.id, endpointId: id } });
    await wake(tx, id);
    return [after, delivery];
  });
}

/** Sends a delivery again, as if it had never been tried; its attempts stay. Throws AppError NOT_FOUND, CONFLICT. */
export async function redeliverWebhook({ viewer, store }: Services, id: string): Promise<WebhookDelivery> {
  const action = 'redeliverWebhook';
  authorize(viewer, action);
  return store.prisma.$transaction(async (tx) => {
    const where = { id, endpoint: { deletedAt: null } };
    const before = await tx.webhookDelivery.findFirst({ where, include: { endpoint: true } });
    if (!before) throw new AppError('NOT_FOUND', 'no such webhook delivery', { field: 'id' });
    if (before.endpoint.disabledAt)
      throw new AppError('CONFLICT', 'its endpoint is disabled', { field: 'id' });
    await tx.webhookEndpoint.update({ where: { id: before.endpointId }, data: { resumeAt: null } });
    const data = { state: 'PENDING' as const, tries: 0, nextAttemptAt: new Date() };
    const after = await tx.webhookDelivery.update({ where: { id }, data });
    await wake(tx, before.endpointId);
    await audit(tx, viewer, {
      action,
      type: 'WebhookDelivery',
      id,
      before: { state: before.state },
      after: { state: after.state },
    });
    return after;
  });
}
