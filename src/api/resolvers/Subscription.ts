// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { watchPaintJob } from '../../services/paint-jobs.js';
import { decodeId } from '../ids.js';

export const Subscription: SubscriptionResolvers = {
  paintJobProgress: {
    subscribe: async (_, { id }, { services }) => {
      const key = decodeId('PaintJob', id, 'id');
      return (async function* () {
        for await (const paintJobProgress of watchPaintJob(services, key)) yield { paintJobProgress };
      })();
    },
  },
};
