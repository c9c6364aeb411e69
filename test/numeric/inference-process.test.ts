// The inference child as a real process: it paints as the painter does, and its death or silence is a retryable error.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MaskImage } from '../../src/imaging/types.js';
import type { Bundle } from '../../src/painter/bundle.js';
import type { PaintEvent, PaintMessage } from '../../src/painter/messages.js';
import { openPainter, paint } from '../../src/painter/painter.js';
import {
  createInferenceProcess,
  InferenceFailedError,
  InferenceLostError,
  type InferenceProcess,
} from '../../src/runtime/inference-process.js';
import { noisyPicture, tinySignal, writeTinyBundle } from '../support/tiny-bundle.js';

const ENTRY = join(import.meta.dirname, '../../src/main/inference-child.ts');
const TIMEOUT_MS = 60_000;

let folder: string;
let bundle: Bundle;
let inference: InferenceProcess<PaintMessage, PaintEvent>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindpainter-'));
  bundle = await writeTinyBundle(join(folder, 'tiny'));
  inference = createInferenceProcess(ENTRY);
});
afterAll(async () => {
  await inference.close();
  await rm(folder, { recursive: true, force: true });
});

function request(change: Partial<PaintMessage> = {}): PaintMessage {
  const mask: MaskImage = { width: 64, height: 48, data: new Uint8Array(64 * 48).fill(255, 600, 1500) };
  return {
    bundleFolder: bundle.folder,
    bundleHash: bundle.hash,
    source: noisyPicture(64, 48),
    mask,
    signal: tinySignal(),
    twoStage: false,
    seed: 5,
    paintings: 1,
    steps: 4,
    guidanceScale: 2,
    ...change,
  };
}
/** Long enough that no test can outrun it. */
const long = () => request({ steps: 1000, paintings: 16 });

/** Starts a run; `first` resolves at its first event. */
function begin(by: typeof inference, message: PaintMessage, abort?: AbortSignal) {
  const events: PaintEvent[] = [];
  let arrived = () => {};
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const ended = by
    .run(
      message,
      (event) => {
        events.push(event);
        arrived();
      },
      abort,
    )
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  return { events, first, ended };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test(
  'steps come in order, and the painting is byte for byte that of the painter itself',
  async () => {
    const { events, ended } = begin(inference, request({ paintings: 2 }));
    expect(await ended).toBeUndefined();
    const steps = events.flatMap((event) => (event.type === 'step' ? [event.done] : []));
    // Not every step is said, the last one always is.
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(events.findLast((event) => event.type === 'step')).toEqual({ type: 'step', done: 8, total: 8 });
    const made = events.flatMap((event) => (event.type === 'painting' ? [event] : []));
    expect(made.map((event) => event.index)).toEqual([0, 1]);

    const painter = await openPainter(bundle);
    for await (const painting of paint(painter, request({ paintings: 2 }))) {
      const other = made[painting.index]!;
      expect(Buffer.compare(other.image.data, painting.image.data)).toBe(0);
      expect(other.outsideMaskDifferentPixels).toBe(0);
    }
    await painter.close();
  },
  TIMEOUT_MS,
);

test(
  'a child killed in the middle loses its jobs, and the next run works in a new one',
  async () => {
    const jobs = [begin(inference, long()), begin(inference, long())];
    await Promise.all(jobs.map((job) => job.first));
    const pid = inference.pid()!;
    process.kill(pid, 'SIGKILL');
    for (const { ended } of jobs) expect(await ended).toBeInstanceOf(InferenceLostError);
    const next = begin(inference, request());
    expect(await next.ended).toBeUndefined();
    expect(next.events.filter((event) => event.type === 'painting')).toHaveLength(1);
    expect(inference.pid()).not.toBe(pid);
  },
  TIMEOUT_MS,
);

test(
  'cancelling ends one job with CANCELLED and leaves the child alive',
  async () => {
    const abort = new AbortController();
    const job = begin(inference, long(), abort.signal);
    const pid = inference.pid();
    await job.first;
    abort.abort();
    expect(await job.ended).toMatchObject({ name: 'InferenceFailedError', code: 'CANCELLED' });
    expect(await begin(inference, long(), AbortSignal.abort()).ended).toMatchObject({ code: 'CANCELLED' });
    expect(await begin(inference, request()).ended).toBeUndefined();
    expect(inference.pid()).toBe(pid);
  },
  TIMEOUT_MS,
);

test(
  'a refusal keeps its code and field; a changed bundle is refused',
  async () => {
    const refused = await begin(inference, request({ steps: 0 })).ended;
    expect(refused).toBeInstanceOf(InferenceFailedError);
    expect(refused).toMatchObject({ code: 'BAD_INPUT', field: 'steps' });
    const changed = await begin(inference, request({ bundleHash: '0'.repeat(64) })).ended;
    expect(changed).toBeInstanceOf(InferenceFailedError);
    expect((changed as Error).message).toContain('has changed');
  },
  TIMEOUT_MS,
);

test(
  'a child that hangs is killed and its job is lost',
  async () => {
    const watched = createInferenceProcess<PaintMessage, PaintEvent>(ENTRY, { silenceMs: 8000 });
    const brief = createInferenceProcess<PaintMessage, PaintEvent>(ENTRY, { silenceMs: 1 });
    // Nobody starts within a millisecond: silence counts from the request.
    expect(await begin(brief, request()).ended).toBeInstanceOf(InferenceLostError);
    // A child that speaks now and then is left alone.
    expect(await begin(watched, request()).ended).toBeUndefined();
    const job = begin(watched, long());
    await job.first;
    process.kill(watched.pid()!, 'SIGSTOP');
    expect(await job.ended).toBeInstanceOf(InferenceLostError);
    await Promise.all([watched.close(), brief.close()]);
  },
  TIMEOUT_MS,
);

test(
  'work that tells nothing but leaves the event loop its turns is left alone for longer than the silence that is allowed',
  async () => {
    const entry = join(import.meta.dirname, '../support/quiet-child.ts');
    const quiet = createInferenceProcess<number, never>(entry, { silenceMs: 8000 });
    await quiet.run(11_000, () => {});
    await quiet.close();
  },
  TIMEOUT_MS,
);

test(
  'closing ends the child, and a job that it held is lost',
  async () => {
    const own = createInferenceProcess<PaintMessage, PaintEvent>(ENTRY);
    const job = begin(own, long());
    await job.first;
    const pid = own.pid()!;
    await own.close();
    expect(await job.ended).toBeInstanceOf(InferenceLostError);
    expect(isAlive(pid)).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  'a child that cannot be started loses its job, and the next run tries anew',
  async () => {
    const own = createInferenceProcess<PaintMessage, PaintEvent>(ENTRY);
    const node = process.execPath;
    process.execPath = join(folder, 'no-such-program');
    try {
      const lost = await begin(own, request()).ended;
      expect(lost).toBeInstanceOf(InferenceLostError);
      expect((lost as Error).message).toContain('ENOENT');
      expect(own.pid()).toBeUndefined();
    } finally {
      process.execPath = node;
    }
    expect(await begin(own, request()).ended).toBeUndefined();
    await own.close();
  },
  TIMEOUT_MS,
);
