// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { parseSequence, watchEvents, watchPaintJob } from '../../services/paint-job-watch.js';
import { watchTrainingRun } from '../../services/training-runs.js';
import { decodeId } from '../ids.js';
import type { Loaders } from '../loaders.js';
import { toEventChoice } from '../paint-job-input.js';

/** Gives what a source yields under a field's name, for as long as the source lasts. */
async function* stream<K extends string, T>(key: K, source: AsyncIterable<T>, loaders: Loaders) {
  for await (const value of source) {
    // One context serves the whole stream; what was loaded for the last event is old by now.
    for (const loader of Object.values(loaders)) loader.clearAll();
    yield { [key]: value } as Record<K, T>;
  }
}

/** The same source after its first value was read: a refusal is then an answer, where later it would close the socket. */
async function begun<T>(source: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  const first = await source.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* source;
  })();
}

export const Subscription: SubscriptionResolvers = {
  paintJobProgress: {
    subscribe: async (_, { id }, { services, loaders }) =>
      stream(
        'paintJobProgress',
        await begun(watchPaintJob(services, decodeId('PaintJob', id, 'id'))),
        loaders,
      ),
  },
  paintJobEvents: {
    subscribe: async (_, { after, ...choice }, { services, loaders }) => {
      const events = watchEvents(services, toEventChoice(choice), parseSequence(after ?? '0'));
      return stream('paintJobEvents', events, loaders);
    },
  },
  trainingRunUpdated: {
    subscribe: async (_, { id }, { services, loaders }) =>
      stream(
        'trainingRunUpdated',
        await begun(watchTrainingRun(services, decodeId('TrainingRun', id, 'id'))),
        loaders,
      ),
  },
};
