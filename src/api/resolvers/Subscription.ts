// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { watchPaintJob } from '../../services/paint-jobs.js';
import { decodeId } from '../ids.js';

export const Subscription: SubscriptionResolvers = {
  paintJobProgress: {
    subscribe: async (_, { id }, { services, loaders }) => {
      const key = decodeId('PaintJob', id, 'id');
      const jobs = watchPaintJob(services, key);
      // Read here, so that a refusal is an answer; thrown within the stream it would close the whole socket.
      const first = await jobs.next();
      return (async function* () {
        if (!first.done) yield { paintJobProgress: first.value };
        for await (const paintJobProgress of jobs) {
          // One context serves the whole stream; what was loaded for the last event is old by now.
          for (const loader of Object.values(loaders)) loader.clearAll();
          yield { paintJobProgress };
        }
      })();
    },
  },
};
