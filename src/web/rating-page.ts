// The page while a rater rates: the view of each phase, kept as long as it shows the same thing, with what is saved beside it.

import type { StudyViewFragment as Study } from '../generated/web-operations.js';
import { adviceOn, savingLine } from './advice.js';
import type { AnswerSheet } from './answer-sheet.js';
import { button, byId, h } from './dom.js';
import type { Outbox } from './outbox.js';
import { createPictures } from './pictures.js';
import { openRating, type RatingState } from './rating.js';
import { createScreenView, type ScreenView } from './screen-view.js';
import { feedbackView, finishedView, instructions, messageView } from './state-views.js';

export interface RatingPageDeps {
  readonly userId: string;
  readonly study: Study;
  readonly tabId: string;
  readonly outbox: Outbox;
  /** Puts a view in the page's place. */
  readonly show: (view: HTMLElement) => void;
  /** Rates on this page again, which another has taken over; also the way on where the page does not know. */
  readonly onRestart: () => Promise<void>;
  readonly onLeave: () => void;
  readonly onSignedOut: () => void;
}

/** The view of a phase in which there is nothing to rate. */
export function phaseView(
  { name, pauseReason }: Study,
  phase: RatingState['phase'],
  onRestart: () => Promise<void>,
): HTMLElement {
  if (phase === 'PAUSED')
    return messageView(
      'A short stop',
      `${pauseReason ?? 'The lead of the study looks at how it goes'}. You can close this page, since your link leads back here; or leave it open: it goes on by itself when the lead says so.`,
    );
  if (phase === 'ON_HOLD')
    return messageView(
      'The study is on hold',
      `“${name}” takes no answers now. Nothing is lost. This page goes on by itself when the study does.`,
    );
  if (phase === 'CLOSED')
    return messageView(
      'The study has ended',
      `“${name}” takes no more answers. Thank you for your part in it.`,
    );
  if (phase === 'REPLACED')
    return messageView(
      'Your place went to another',
      'You were away for long, so somebody else rates in your place. The answers that you gave are kept. If you want to go on, ask who sent you the link.',
    );
  if (phase === 'TAKEN_OVER')
    return messageView(
      'Rating goes on elsewhere',
      'The study was opened in another tab or on another device. Go on there, or go on here, and it stops there.',
      button('Go on here', onRestart, { className: 'main' }),
    );
  return messageView('One moment', 'Waiting for the server …');
}

/** Runs the page until it is left. Returns what ends it. */
export function openRatingPage(deps: RatingPageDeps): () => void {
  const { study, show } = deps;
  const pictures = createPictures();
  const sheets = new Map<string, AnswerSheet>();
  const saving = byId('saving');
  const spoken = byId('spoken');
  const progress = h('progress', { max: 1, value: 0, ariaLabel: 'Progress' });
  const count = h('span', { className: 'count' });
  const help = h('dialog', { className: 'help', ariaLabel: 'Instructions' });
  help.append(
    ...instructions(study),
    button('Close', () => help.close(), { className: 'main' }),
  );
  const undoAtEnd = button('Undo the last answer', () => rating.undo(), { className: 'plain' });
  const tools = h(
    'div',
    { className: 'tools' },
    progress,
    count,
    button('Instructions', () => help.showModal(), { className: 'plain' }),
    button('Leave', () => deps.onLeave(), { className: 'plain' }),
  );
  help.addEventListener('close', () => screenView?.element.focus({ preventScroll: true }));
  let shownKey = '';
  let screenView: ScreenView | undefined;
  let undoTimer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string) => {
    spoken.textContent = text;
  };

  function build(state: RatingState): HTMLElement {
    screenView = undefined;
    const { screen, feedback, study: now } = state;
    if (feedback !== null)
      return feedbackView(feedback, now.screen?.practice === true, () => rating.dismiss());
    if (screen) {
      screenView = createScreenView(screen, {
        pictures,
        earlier: sheets.get(screen.slotId),
        say,
        onUndo: () => rating.undo(),
        onAnswer: (sheet, answers, responseMs) => {
          sheets.set(screen.slotId, sheet);
          rating.answer(screen, answers, responseMs);
        },
      });
      return screenView.element;
    }
    if (state.phase === 'FINISHED') return finishedView(now, undoAtEnd);
    return phaseView(now, state.phase, deps.onRestart);
  }

  function render(): void {
    const state = rating.state();
    const { study: now, screen, phase, feedback } = state;
    progress.value = now.total === 0 ? 0 : now.done / now.total;
    count.textContent = now.total === 0 ? '' : `${now.done} of ${now.total}`;
    saving.textContent =
      savingLine(state.unsaved, state.trouble) || (state.notice ? adviceOn(state.notice) : '');
    const following = [now.screen, ...now.ahead, screen].flatMap((one) => one?.pictures ?? []);
    pictures.keep(following.map(({ url }) => url));
    const key = feedback !== null ? 'FEEDBACK' : `${phase} ${screen?.slotId ?? now.completionCode ?? ''}`;
    if (key !== shownKey) {
      shownKey = key;
      show(build(state));
      if (screen) say(count.textContent);
    }
    screenView?.setUndo(state.canUndo);
    undoAtEnd.hidden = !state.canUndo;
    clearTimeout(undoTimer);
    // What waits to be sent can be taken back for as long as it waits.
    if (state.canUndo && now.undoSeconds > 0) undoTimer = setTimeout(render, now.undoSeconds * 1000 + 50);
  }

  const rating = openRating({
    userId: deps.userId,
    outbox: deps.outbox,
    study,
    tabId: deps.tabId,
    onChange: () => render(),
    onSignedOut: () => deps.onSignedOut(),
  });
  /** Enter does what the view's main button does. */
  const goOn = ({ key, target, repeat }: KeyboardEvent): boolean => {
    const main = byId('main').querySelector<HTMLElement>('button.main');
    if (key !== 'Enter' || repeat || !main || (target as Element).closest('button, a')) return false;
    main.click();
    return true;
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (screenView ? screenView.key(event) : goOn(event)) event.preventDefault();
  };
  const onWake = () => {
    if (document.visibilityState === 'visible') rating.wake();
  };
  document.addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', onWake);
  window.addEventListener('online', onWake);
  window.addEventListener('focus', onWake);
  byId('tools').replaceChildren(tools, help);
  render();
  return () => {
    rating.stop();
    clearTimeout(undoTimer);
    document.removeEventListener('keydown', onKey);
    document.removeEventListener('visibilitychange', onWake);
    window.removeEventListener('online', onWake);
    window.removeEventListener('focus', onWake);
    byId('tools').replaceChildren();
    saving.textContent = '';
  };
}
