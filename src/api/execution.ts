// Operations over WebSocket and event streams, surrounded as those through Apollo are: with log fields, a span, measures and a
// limit. A fault within a stream becomes its last answer, which is masked like any other, and closes nothing else.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  getOperationAST,
  subscribe,
} from 'graphql';
import { withLogFields } from '../log.js';
import { openSubscriptions, operationSeconds, subscriptionEvents } from '../telemetry/metrics.js';
import { inSpan } from '../telemetry/tracing.js';
import type { ApiContext } from './context.js';
import { nameOperation } from './metrics.js';

export type Transport = 'websocket' | 'sse';
/** Subscriptions that one token, session or address may have open at once. */
export const MAX_OPEN = 100;

interface Running {
  readonly name: string;
  readonly context: ApiContext;
  readonly startedAt: number;
  readonly note: (facts: Record<string, string | number>) => void;
  readonly fail: () => void;
}

export interface Execution {
  readonly execute: (args: ExecutionArgs) => Promise<ExecutionResult>;
  readonly subscribe: (args: ExecutionArgs) => Promise<ExecutionResult | AsyncGenerator<ExecutionResult>>;
}

/** What was refused before it had a name. */
export function observeRefusal(startedAt: number): void {
  operationSeconds.observe(
    { operation: 'invalid', outcome: 'error' },
    (performance.now() - startedAt) / 1000,
  );
}

function observe({ name, startedAt, fail }: Running, failed: boolean): void {
  const outcome = failed ? 'error' : 'ok';
  operationSeconds.observe({ operation: name, outcome }, (performance.now() - startedAt) / 1000);
  if (failed) fail();
}

/** Runs an operation within its log fields and its span, which lasts as long as `work` does. */
function within<T>(
  transport: Transport,
  args: ExecutionArgs,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const context = args.contextValue as ApiContext;
  const operation = getOperationAST(args.document, args.operationName) ?? undefined;
  const name = nameOperation(operation, args.schema);
  const { fields, traceParent } = context.origin!;
  const attributes = {
    'graphql.operation.type': operation?.operation,
    'graphql.transport': transport,
    ...(fields.requestId ? { 'request.id': fields.requestId } : {}),
  };
  const kind = transport === 'websocket' ? 'SERVER' : 'INTERNAL';
  return withLogFields(fields, () =>
    inSpan(`GraphQL ${name}`, { attributes, parent: traceParent, kind }, async (set, fail) => {
      const startedAt = performance.now();
      const note = (facts: Record<string, string | number>) => {
        set(facts);
        const durationMs = Math.round(performance.now() - startedAt);
        context.log.debug({ transport, operation: name, ...facts, durationMs }, 'an operation ended');
      };
      return work({ name, context, startedAt, note, fail });
    }),
  );
}

export function createExecution(transport: Transport): Execution {
  const openBy = new Map<string, number>();
  const count = (bucket: string | undefined, by: number) => {
    if (bucket === undefined) return;
    const now = (openBy.get(bucket) ?? 0) + by;
    if (now > 0) openBy.set(bucket, now);
    else openBy.delete(bucket);
  };

  /** The same results, each fetched where the operation began, until `end` is told how they ended. */
  function follow(
    results: AsyncGenerator<ExecutionResult>,
    { name, fail, note }: Running,
    ended: () => void,
  ): AsyncGenerator<ExecutionResult> {
    const inside = AsyncLocalStorage.snapshot();
    const gauge = { transport, operation: name };
    let open = true;
    let events = 0;
    openSubscriptions.inc(gauge);
    const end = (outcome: 'ended' | 'left' | 'failed') => {
      if (!open) return;
      open = false;
      openSubscriptions.dec(gauge);
      if (outcome === 'failed') fail();
      note({ outcome, events });
      ended();
    };
    const done = { done: true, value: undefined } as const;
    const next = async (): Promise<IteratorResult<ExecutionResult>> => {
      if (!open) return done;
      try {
        const step = await results.next();
        if (step.done) end('ended');
        else {
          events += 1;
          subscriptionEvents.inc({ operation: name });
        }
        return step;
      } catch (cause) {
        // Who has left hears no more.
        if (!open) return done;
        end('failed');
        const error = cause instanceof Error ? cause : new Error(String(cause));
        return {
          done: false,
          value: { errors: [new GraphQLError(error.message, { originalError: error })] },
        };
      }
    };
    return Object.assign(Object.create(results) as AsyncGenerator<ExecutionResult>, {
      next: () => inside(next),
      return: (value: unknown) =>
        inside(() => {
          end('left');
          return results.return(value);
        }),
      throw: (error: unknown) => inside(() => results.throw(error)),
      [Symbol.asyncIterator]() {
        return this;
      },
    });
  }

  return {
    execute: (args) =>
      within(transport, args, async (running) => {
        const result = await execute(args);
        const failed = (result.errors?.length ?? 0) > 0;
        observe(running, failed);
        running.note({ outcome: failed ? 'error' : 'ok' });
        return result;
      }),
    subscribe: (args) =>
      new Promise((answer, refuse) => {
        // The span outlives the answer: it ends with the stream.
        within(transport, args, async (running) => {
          const { bucket } = running.context.origin!;
          if (bucket !== undefined && (openBy.get(bucket) ?? 0) >= MAX_OPEN) {
            observe(running, true);
            const message = `you have ${MAX_OPEN} subscriptions open; end one first`;
            return answer({ errors: [new GraphQLError(message, { extensions: { code: 'LIMIT_REACHED' } })] });
          }
          count(bucket, 1);
          try {
            const result = await subscribe(args);
            const refused = !(Symbol.asyncIterator in result);
            observe(running, refused);
            if (refused) return answer(result);
            await new Promise<void>((ended) =>
              answer(follow(result as AsyncGenerator<ExecutionResult>, running, ended)),
            );
          } finally {
            count(bucket, -1);
          }
        }).catch(refuse);
      }),
  };
}
