// One event on its way to one address.

import type { WebhookDeliveryResolvers } from '../../generated/graphql.js';
import { webhookBody } from '../../services/webhook-deliveries.js';
import { encodeId } from '../ids.js';

export const WebhookDelivery: WebhookDeliveryResolvers = {
  id: ({ id }) => encodeId('WebhookDelivery', id),
  webhookId: ({ eventId }) => eventId,
  eventType: async ({ eventId }, _, { loaders }) => (await loaders.webhookEvent.load(eventId))!.type,
  body: async ({ eventId }, _, { loaders }) => webhookBody((await loaders.webhookEvent.load(eventId))!),
  attempts: async ({ id }, _, { loaders }) => (await loaders.attemptsOfWebhook.load(id)).slice(-100),
};
