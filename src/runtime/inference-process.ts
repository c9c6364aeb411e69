// A child process that runs inference for one device: run() blocks its event loop, never ours. Generic over messages.

import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** From parent to child. */
export type ToChild<Request> =
  | { readonly type: 'run'; readonly id: number; readonly request: Request }
  | { readonly type: 'abort'; readonly id: number };

/** From child to parent. */
export type FromChild<Event> =
  | { readonly type: 'alive'; readonly id: number }
  | { readonly type: 'event'; readonly id: number; readonly event: Event }
  | { readonly type: 'done'; readonly id: number }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly message: string;
      readonly code?: string;
      readonly field?: string;
    };

/** The child died or hung: the work itself may be tried again. */
export class InferenceLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InferenceLostError';
  }
}

/** The child's own refusal; `code` and `field` are those of its AppError, if it was one. */
export class InferenceFailedError extends Error {
  readonly code: string | undefined;
  readonly field: string | undefined;
  constructor(message: string, code: string | undefined, field: string | undefined) {
    super(message);
    this.name = 'InferenceFailedError';
    this.code = code;
    this.field = field;
  }
}

interface Pending<Event> {
  /** The child that holds the job: a new child's jobs outlive the old child's exit. */
  readonly holder: ChildProcess;
  readonly onEvent: (event: Event) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  lastSign: number;
}

export interface InferenceProcess<Request, Event> {
  /** Runs one request; events come in order. Rejects with InferenceLostError or InferenceFailedError. */
  run(request: Request, onEvent: (event: Event) => void, abort?: AbortSignal): Promise<void>;
  /** The child's process id while one lives. */
  pid(): number | undefined;
  close(): Promise<void>;
}

/** Starts children on demand from `entry`; one that gives no sign for `silenceMs` while working is killed. */
export function createInferenceProcess<Request, Event>(
  entry: string,
  options: { args?: readonly string[]; silenceMs?: number } = {},
): InferenceProcess<Request, Event> {
  const { args = [], silenceMs = 120_000 } = options;
  const pending = new Map<number, Pending<Event>>();
  let child: ChildProcess | undefined;
  let nextId = 1;

  function lose(holder: ChildProcess, message: string): void {
    for (const [id, job] of pending) {
      if (job.holder !== holder) continue;
      pending.delete(id);
      job.reject(new InferenceLostError(message));
    }
  }
  function ensureChild(): ChildProcess {
    if (child?.connected) return child;
    const started = fork(entry, args, {
      serialization: 'advanced',
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    started.on('message', (message: FromChild<Event>) => {
      const job = pending.get(message.id);
      if (!job) return;
      job.lastSign = performance.now();
      if (message.type === 'alive') return;
      if (message.type === 'event') job.onEvent(message.event);
      else {
        pending.delete(message.id);
        if (message.type === 'done') job.resolve();
        else job.reject(new InferenceFailedError(message.message, message.code, message.field));
      }
    });
    started.on('error', (error) => {
      // Of a child that never ran no 'exit' follows; of any other it does.
      if (started.pid !== undefined) return;
      if (child === started) child = undefined;
      lose(started, `the inference process could not be started (${error.message})`);
    });
    started.on('exit', (code, signal) => {
      if (child === started) child = undefined;
      lose(started, `the inference process ended (${signal ?? `exit ${code}`})`);
    });
    child = started;
    return started;
  }
  const watch = setInterval(
    () => {
      for (const { holder, lastSign } of pending.values()) {
        if (performance.now() - lastSign > silenceMs) holder.kill('SIGKILL');
      }
    },
    Math.min(5000, Math.ceil(silenceMs / 4)),
  );
  watch.unref();

  return {
    pid: () => child?.pid,
    run(request, onEvent, abort) {
      const id = nextId++;
      const target = ensureChild();
      return new Promise<void>((resolve, reject) => {
        const stop = () => target.connected && target.send({ type: 'abort', id });
        abort?.addEventListener('abort', stop, { once: true });
        const settle = (finish: () => void) => {
          abort?.removeEventListener('abort', stop);
          finish();
        };
        pending.set(id, {
          holder: target,
          onEvent,
          resolve: () => settle(resolve),
          reject: (error) => settle(() => reject(error)),
          lastSign: performance.now(),
        });
        // Without a channel the child could not be started, and its 'error' is on the way.
        if (target.connected) {
          target.send({ type: 'run', id, request } satisfies ToChild<Request>, (error) => {
            if (error) target.kill('SIGKILL');
          });
        }
        if (abort?.aborted) stop();
      });
    },
    async close() {
      clearInterval(watch);
      const last = child;
      if (!last) return;
      if (last.connected) last.disconnect();
      for (let i = 0; i < 100 && last.exitCode === null && last.signalCode === null; i++) await sleep(20);
      if (last.exitCode === null && last.signalCode === null) last.kill('SIGKILL');
    },
  };
}
