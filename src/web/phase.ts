// Where a rater stands in a study, from what the server said and what still waits to be sent. No document, no network.

import type {
  ScreenViewFragment as Screen,
  StudyViewFragment as Study,
} from '../generated/web-operations.js';
import { type Entry, pendingIn } from './outbox.js';

export type Phase =
  /** Has agreed to nothing yet. */
  | 'INVITED'
  | 'RATE'
  /** Nothing can be shown before the server has answered. */
  | 'WAIT'
  /** Failed checks, and the lead looks at it. */
  | 'PAUSED'
  /** The study takes no ratings for now. */
  | 'ON_HOLD'
  | 'CLOSED'
  | 'REPLACED'
  /** Another tab or device rates. */
  | 'TAKEN_OVER'
  | 'FINISHED';

export interface Standing {
  readonly phase: Phase;
  /** What to answer; there in the phase RATE. */
  readonly screen: Screen | null;
}

/** `known`: the screens that were shown before, by slot. `tabId`: the page's own, null before it has started. */
export function standing(
  study: Study,
  tabId: string | null,
  entries: readonly Entry[],
  known: ReadonlyMap<string, Screen>,
): Standing {
  const at = (phase: Phase): Standing => ({ phase, screen: null });
  if (study.state === 'FINISHED' && entries.length === 0) return at('FINISHED');
  if (study.closed) return at('CLOSED');
  if (study.state === 'REPLACED') return at('REPLACED');
  if (study.state === 'PAUSED') return at('PAUSED');
  if (!study.open) return at('ON_HOLD');
  if (study.state === 'INVITED') return at('INVITED');
  if (study.tabId !== tabId) return at('TAKEN_OVER');
  const { answered, undone } = pendingIn(entries);
  const [takenBack] = undone;
  if (takenBack !== undefined) {
    const screen = known.get(takenBack);
    return screen ? { phase: 'RATE', screen } : at('WAIT');
  }
  // What is said of a practice answer comes with the server's.
  if (entries.some((entry) => entry.kind === 'ANSWER' && entry.practice)) return at('WAIT');
  const screen = [study.screen, ...study.ahead].find((one) => one && !answered.has(one.slotId));
  return screen ? { phase: 'RATE', screen } : at('WAIT');
}
