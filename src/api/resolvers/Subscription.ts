// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { parseSequence, watchEvents, watchPaintJob } from '../../services/paint-job-watch.js';
import { watchTrainingRun } from '../../services/training-runs.js';
import type { ApiContext } from '../context.js';
import { decodeId } from '../ids.js';
import { toEventChoice } from '../paint-job-input.js';

/** Gives what a source yields under a field's name, for as long as the source lasts and the viewer may see it. */
async function* stream<K extends string, T>(key: K, source: AsyncIterable<T>, context: ApiContext) {
  for await (const value of source) {
    if (!(await context.isStillWelcome())) return;
    // One context serves the whole stream; what was loaded for the last event is old by now.
    for (const loader of Object.values(context.loaders)) loader.clearAll();
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
    subscribe: async (_, { id }, context) => {
      const jobs = watchPaintJob(context.services, decodeId('PaintJob', id, 'id'));
      return stream('paintJobProgress', await begun(jobs), context);
    },
  },
  paintJobEvents: {
    subscribe: async (_, { after, ...choice }, context) => {
      const events = watchEvents(context.services, toEventChoice(choice), parseSequence(after ?? '0'));
      return stream('paintJobEvents', events, context);
    },
  },
  trainingRunUpdated: {
    subscribe: async (_, { id }, context) => {
      const runs = watchTrainingRun(context.services, decodeId('TrainingRun', id, 'id'));
      return stream('trainingRunUpdated', await begun(runs), context);
    },
  },
};
