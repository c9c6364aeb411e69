// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { watchPaintJob } from '../../services/paint-jobs.js';
import { decodeId } from '../ids.js';

export const Subscription: SubscriptionResolvers = {
  paintJobProgress: {
    subscribe: async (_, { id }, { services, loaders }) => {
      const key = decodeId('PaintJob', id, 'id');
      return (async function* () {
        for await (const paintJobProgress of watchPaintJob(services, key)) {
          // One context serves the whole stream; what was loaded for the last event is old by now.
          for (const loader of Object.values(loaders)) loader.clearAll();
          yield { paintJobProgress };
        }
      })();
    },
  },
};
