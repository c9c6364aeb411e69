// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { watchPaintJob } from '../../services/paint-jobs.js';
import { watchTrainingRun } from '../../services/training-runs.js';
import { decodeId } from '../ids.js';
import type { Loaders } from '../loaders.js';

/** Events under the field's name; one context serves the whole stream, so what was loaded for the last event is dropped. */
async function* stream<K extends string, V>(
  field: K,
  events: AsyncGenerator<V>,
  loaders: Loaders,
): AsyncGenerator<{ [P in K]: V }> {
  for await (const event of events) {
    for (const loader of Object.values(loaders)) loader.clearAll();
    yield { [field]: event } as { [P in K]: V };
  }
}

export const Subscription: SubscriptionResolvers = {
  paintJobProgress: {
    subscribe: async (_, { id }, { services, loaders }) =>
      stream('paintJobProgress', watchPaintJob(services, decodeId('PaintJob', id, 'id')), loaders),
  },
  trainingRunUpdated: {
    subscribe: async (_, { id }, { services, loaders }) =>
      stream('trainingRunUpdated', watchTrainingRun(services, decodeId('TrainingRun', id, 'id')), loaders),
  },
};
