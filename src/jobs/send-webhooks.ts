// The task `webhooks`: sends what is due for one endpoint, one after another, until nothing is or the receiver fails.

import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import type { Services } from '../services/context.js';
import { beginAttempt, endAttempt, planNext, webhookBody } from '../services/webhook-deliveries.js';
import { signWebhook } from '../services/webhook-signature.js';
import { webhookAttempts } from '../telemetry/metrics.js';
import { postWebhook } from './post-webhook.js';

export const WEBHOOK_TIMEOUT_MS = 15_000;

/** Receivers that fail are left alone for a while, so that they take little of the lane that all share. */
export async function sendWebhooks(
  services: Services,
  log: Log,
  endpointId: string,
  shutdown: AbortSignal,
): Promise<void> {
  while (!shutdown.aborted) {
    const attempt = await beginAttempt(services, endpointId);
    if (!attempt) break;
    const { endpoint, event } = attempt;
    const body = webhookBody(event);
    const seconds = Math.floor(Date.now() / 1000);
    const { secret, previousSecret, previousSecretUntil } = endpoint;
    const old = previousSecret && previousSecretUntil! > new Date() ? [previousSecret] : [];
    const headers = {
      'webhook-id': event.id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': signWebhook([secret, ...old], event.id, seconds, body),
    };
    const answer = await postWebhook(endpoint.url, body, headers, {
      allowPrivate: services.privateWebhooks ?? false,
      timeoutMs: WEBHOOK_TIMEOUT_MS,
      abort: shutdown,
    });
    // Not the receiver's fault: the attempt stays without an outcome and is made again elsewhere.
    if (shutdown.aborted && answer.error !== null) break;
    webhookAttempts.inc({ outcome: answer.error === null ? 'ok' : 'error' });
    const { disabledReason } = await endAttempt(services, attempt, answer);
    if (disabledReason) log.warn({ endpointId, disabledReason }, 'a webhook endpoint was disabled');
    if (answer.error !== null) break;
  }
  if (shutdown.aborted)
    throw new AppError('UNAVAILABLE', 'the worker is shutting down; the rest is sent elsewhere');
  await planNext(services, endpointId);
}
