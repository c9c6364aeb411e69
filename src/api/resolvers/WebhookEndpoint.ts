// An address that is told of what happens; its secrets never leave the database again.

import type { WebhookEndpointResolvers } from '../../generated/graphql.js';
import { listWebhookDeliveries } from '../../services/webhook-deliveries.js';
import { encodeId } from '../ids.js';

export const WebhookEndpoint: WebhookEndpointResolvers = {
  id: ({ id }) => encodeId('WebhookEndpoint', id),
  deliveries: ({ id }, { state, ...args }, { services }) =>
    listWebhookDeliveries(services, { endpointId: id, state: state ?? undefined }, args),
};
