// A rater's way through a study: answers go to the outbox at once and to the server in order, again and again until it has
// them. Knows no document; whoever opened it is told of each change.

import {
  MyStudiesDocument,
  type ScreenViewFragment as Screen,
  type StudyViewFragment as Study,
  SubmitStudyAnswerDocument,
  UndoStudyAnswerDocument,
} from '../generated/web-operations.js';
import { ApiError, ask, mutate } from './api.js';
import type { Entry, Outbox, PendingAnswer } from './outbox.js';
import { type Standing, standing } from './phase.js';

export interface RatingState extends Standing {
  readonly study: Study;
  /** Answers and undos that the server has not acknowledged. */
  readonly unsaved: number;
  /** Why the last try to send did not get through; null when all is well. */
  readonly trouble: ApiError | null;
  /** Why something was refused, to be told once. */
  readonly notice: ApiError | null;
  /** What is said of the practice answer; the next screen waits until it was read. */
  readonly feedback: string | null;
  readonly canUndo: boolean;
}

export interface Rating {
  state(): RatingState;
  answer(screen: Screen, answers: PendingAnswer['answers'], responseMs: number): void;
  undo(): void;
  /** The feedback, or the notice, was read. */
  dismiss(): void;
  /** Sends what waits now, and asks where the study stands. */
  wake(): void;
  stop(): void;
}

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;
const POLL_MS = 15_000;
/** Faults that pass by themselves, or with the server's mending. */
const PASSING: readonly string[] = ['UNREACHABLE', 'UNAVAILABLE', 'LIMIT_REACHED', 'INTERNAL'];
/** The session is this rater's no more. */
const SIGNED_OUT: readonly string[] = ['UNAUTHENTICATED', 'FORBIDDEN'];

export interface RatingDeps {
  /** Whose outbox it is. */
  readonly userId: string;
  readonly outbox: Outbox;
  readonly study: Study;
  readonly tabId: string;
  readonly onChange: () => void;
  /** The session has ended; the outbox keeps what waits. */
  readonly onSignedOut: (error: ApiError) => void;
}

export function openRating({
  userId,
  outbox,
  study: first,
  tabId,
  onChange,
  onSignedOut,
}: RatingDeps): Rating {
  let study = first;
  let undoUntil = 0;
  let lastSlot: string | null = null;
  let trouble: ApiError | null = null;
  let notice: ApiError | null = null;
  let feedback: string | null = null;
  let delivering = false;
  let stopped = false;
  /** Counts the server's words, so that an older one never replaces a newer. */
  let heard = 0;
  let endWait: (() => void) | undefined;
  const known = new Map<string, Screen>();

  function accept(next: Study): void {
    heard++;
    study = next;
    undoUntil = performance.now() + next.undoSeconds * 1000;
    for (const screen of [next.screen, ...next.ahead]) if (screen) known.set(screen.slotId, screen);
  }

  function send(entry: Entry) {
    const { answerId, slotId } = entry;
    const by = { studyId: study.id, tabId, answerId };
    if (entry.kind === 'UNDO') return mutate(UndoStudyAnswerDocument, { input: by });
    const { answers, responseMs } = entry;
    const input = { ...by, slotId, answers: [...answers], responseMs };
    return mutate(SubmitStudyAnswerDocument, { input });
  }

  async function reload(): Promise<void> {
    const before = heard;
    const { viewer, myStudies } = await ask(MyStudiesDocument, {});
    // Another rater's link was opened in this browser since: what the server says is about them.
    if (viewer?.user.id !== userId) throw new ApiError('UNAUTHENTICATED', 'another rater is signed in');
    if (heard !== before) return;
    // Who is not among its raters any more has no way back into it.
    accept(myStudies.find(({ id }) => id === study.id) ?? { ...study, closed: true });
  }

  /** Ends where the error says that the session has ended; what waits stays in the outbox. */
  function endedBy(error: ApiError): boolean {
    if (!SIGNED_OUT.includes(error.code)) return false;
    if (!stopped) onSignedOut(error);
    stopped = true;
    return true;
  }

  /** What becomes of an entry that was refused. Returns whether the next can be sent. */
  async function settle(entry: Entry, error: ApiError): Promise<boolean> {
    await reload();
    if (error.field === 'tabId') return false;
    if (error.field === 'studyId' && entry.kind === 'ANSWER') {
      const over = study.closed || study.state === 'REPLACED' || study.state === 'FINISHED';
      if (over) for (const { answerId } of outbox.entries()) outbox.remove(answerId);
      // On hold or paused: what waits may be taken later.
      return false;
    }
    notice = error;
    outbox.remove(entry.answerId);
    const [next] = outbox.entries();
    if (next?.kind === 'UNDO' && next.slotId === entry.slotId) outbox.remove(next.answerId);
    return true;
  }

  async function deliverOne(entry: Entry): Promise<boolean> {
    try {
      const payload = await send(entry);
      outbox.remove(entry.answerId);
      accept(payload.study!);
      lastSlot = entry.kind === 'ANSWER' ? entry.slotId : null;
      if ('feedback' in payload && typeof payload.feedback === 'string') feedback = payload.feedback;
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || [...PASSING, ...SIGNED_OUT].includes(error.code)) throw error;
      return settle(entry, error);
    }
  }

  /** A wait that ends early when there is reason to try again. */
  const wait = (ms: number) =>
    new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      endWait = () => {
        clearTimeout(timer);
        done();
      };
    });

  async function deliverAll(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (let going = true; going && !stopped; ) {
      const [entry] = outbox.entries();
      if (!entry) return;
      try {
        going = await deliverOne(entry);
        trouble = null;
        delayMs = FIRST_DELAY_MS;
        if (!stopped) onChange();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (stopped || endedBy(error)) return;
        trouble = error;
        onChange();
        await wait(Math.max(delayMs * (0.8 + 0.4 * Math.random()), (error.retryAfterSeconds ?? 0) * 1000));
        delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
      }
    }
  }

  /** One at a time, since the server takes answers in order. */
  async function deliver(): Promise<void> {
    if (delivering) return;
    delivering = true;
    try {
      await deliverAll();
    } finally {
      delivering = false;
    }
  }

  async function look(): Promise<void> {
    if (stopped) return;
    try {
      await reload();
      trouble = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (endedBy(error)) return;
    }
    if (stopped) return;
    onChange();
    void deliver();
  }

  function canUndo(): boolean {
    const last = outbox.entries().at(-1);
    return last ? last.kind === 'ANSWER' : performance.now() < undoUntil;
  }

  const poll = setInterval(() => {
    const { phase } = standing(study, tabId, outbox.entries(), known);
    if (phase === 'PAUSED' || phase === 'ON_HOLD') void look();
  }, POLL_MS);

  accept(first);
  void deliver();
  return {
    state() {
      const entries = outbox.entries();
      const now = standing(study, tabId, entries, known);
      return { ...now, study, unsaved: entries.length, trouble, notice, feedback, canUndo: canUndo() };
    },
    answer({ slotId, practice }, answers, responseMs) {
      const answerId = crypto.randomUUID();
      outbox.add({ kind: 'ANSWER', answerId, slotId, practice, answers, responseMs });
      notice = null;
      onChange();
      void deliver();
    },
    undo() {
      if (!canUndo()) return;
      const last = outbox.entries().at(-1);
      // The server knows which answer is the last; after a reload the page does not.
      const slotId = last?.slotId ?? lastSlot ?? '';
      outbox.add({ kind: 'UNDO', answerId: crypto.randomUUID(), slotId });
      undoUntil = 0;
      feedback = null;
      notice = null;
      onChange();
      void deliver();
    },
    dismiss() {
      feedback = null;
      notice = null;
      onChange();
    },
    wake() {
      endWait?.();
      if (!delivering) void look();
    },
    stop() {
      stopped = true;
      clearInterval(poll);
      endWait?.();
    },
  };
}
