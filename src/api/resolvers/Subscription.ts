// What can be watched.

import type { SubscriptionResolvers } from '../../generated/graphql.js';
import { parseSequence, watchEvents, watchPaintJob } from '../../services/paint-job-watch.js';
import { watchTrainingRun } from '../../services/training-runs.js';
import type { ApiContext } from '../context.js';
import { decodeId } from '../ids.js';
import { toEventChoice } from '../paint-job-input.js';

/** Gives what a source yields under a field's name, for as long as the source lasts and the viewer may see it. */
async function* named<K extends string, T>(key: K, source: AsyncIterable<T>, context: ApiContext) {
  for await (const value of source) {
    if (!(await context.isStillWelcome())) return;
    // One context serves the whole stream; what was loaded for the last event is old by now.
    for (const loader of Object.values(context.loaders)) loader.clearAll();
    yield { [key]: value } as Record<K, T>;
  }
}

/**
 * The stream of a field. When its client goes, `gone` is aborted: a generator that waits for its next value does not hear of
 * its end, and would look for changes for ever.
 */
async function stream<K extends string, T>(
  key: K,
  context: ApiContext,
  open: (gone: AbortSignal) => AsyncGenerator<T> | Promise<AsyncGenerator<T>>,
): Promise<AsyncGenerator<Record<K, T>>> {
  const gone = new AbortController();
  const values = named(key, await open(gone.signal), context);
  const end = values.return.bind(values);
  return Object.assign(values, {
    return: (value: unknown) => {
      gone.abort();
      return end(value as never);
    },
  });
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
    subscribe: (_, { id }, context) =>
      stream('paintJobProgress', context, (gone) =>
        begun(watchPaintJob(context.services, decodeId('PaintJob', id, 'id'), gone)),
      ),
  },
  paintJobEvents: {
    subscribe: (_, { after, ...choice }, context) =>
      stream('paintJobEvents', context, (gone) =>
        watchEvents(context.services, toEventChoice(choice), parseSequence(after ?? '0'), gone),
      ),
  },
  trainingRunUpdated: {
    subscribe: (_, { id }, context) =>
      stream('trainingRunUpdated', context, (gone) =>
        begun(watchTrainingRun(context.services, decodeId('TrainingRun', id, 'id'), gone)),
      ),
  },
};
