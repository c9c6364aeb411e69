// The mutations of webhooks.

import type { MutationResolvers } from '../../generated/graphql.js';
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  redeliverWebhook,
  rotateWebhookSecret,
  sendTestWebhook,
  updateWebhookEndpoint,
} from '../../services/webhooks.js';
import { toPayload, toPayloadOf } from '../errors.js';
import { decodeId, encodeId } from '../ids.js';

const endpointId = (id: string) => decodeId('WebhookEndpoint', id, 'id');

export const webhookMutations = {
  createWebhookEndpoint: (_, { input }, { services }) =>
    toPayloadOf({ webhookEndpoint: null, secret: null }, async () => {
      const { endpoint, secret } = await createWebhookEndpoint(services, input);
      return { webhookEndpoint: endpoint, secret };
    }),
  updateWebhookEndpoint: (_, { input }, { services }) =>
    toPayload('webhookEndpoint', async () =>
      updateWebhookEndpoint(services, { ...input, id: endpointId(input.id) }),
    ),
  deleteWebhookEndpoint: (_, { input }, { services }) =>
    toPayload('deletedId', async () =>
      encodeId('WebhookEndpoint', await deleteWebhookEndpoint(services, endpointId(input.id))),
    ),
  rotateWebhookSecret: (_, { input }, { services }) =>
    toPayloadOf({ webhookEndpoint: null, secret: null }, async () => {
      const hours = input.keepOldForHours ?? 24;
      const { endpoint, secret } = await rotateWebhookSecret(services, endpointId(input.id), hours);
      return { webhookEndpoint: endpoint, secret };
    }),
  sendTestWebhook: (_, { input }, { services }) =>
    toPayload('webhookDelivery', async () => sendTestWebhook(services, endpointId(input.id))),
  redeliverWebhook: (_, { input }, { services }) =>
    toPayload('webhookDelivery', async () =>
      redeliverWebhook(services, decodeId('WebhookDelivery', input.id, 'id')),
    ),
} satisfies Partial<MutationResolvers>;
