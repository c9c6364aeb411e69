// The table of tasks: each name with what its payload holds. A new task is a line here and a handler in src/jobs.

import { z } from 'zod';

export const TASKS = {
  train: z.object({ trainingRunId: z.uuid() }),
  measure: z.object({ measurementId: z.uuid() }),
  /** Enqueued by wake_webhook_endpoint in the database, with what it tells of. */
  webhooks: z.object({ endpointId: z.uuid() }),
} as const;

export type Task = keyof typeof TASKS;
export type Payload<T extends Task> = z.infer<(typeof TASKS)[T]>;

/** A task that fails or loses its worker is tried again so often without having moved on. */
export const MAX_ATTEMPTS = 5;

export interface Handler<T extends Task> {
  /**
   * Does the work; `abort` asks it to stop early because the worker ends, and the task then runs again elsewhere. `movedOn`
   * says that a later attempt need not begin where this one did: attempts are then counted anew.
   */
  run(payload: Payload<T>, abort: AbortSignal, movedOn: () => Promise<void>): Promise<void>;
  /** Called when no attempt is left and nobody runs it; ends the row that waits for it. May be called twice. */
  giveUp(payload: Payload<T>): Promise<void>;
}

/** One handler for each task. */
export type Handlers = { readonly [T in Task]: Handler<T> };
