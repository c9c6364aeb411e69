// What is shown where there is nothing to rate: before the start, on hold, taken over, at the end.

import type { StudyViewFragment as Study } from '../generated/web-operations.js';
import { inWords } from './advice.js';
import { button, type Child, h, prose, title } from './dom.js';

const view = (...children: Child[]) => h('section', { className: 'card' }, ...children);

/** A sentence or two, and what can be done. */
export const messageView = (heading: string, text: string, ...actions: HTMLElement[]): HTMLElement =>
  view(title(heading), prose(text), actions.length > 0 && h('div', { className: 'actions' }, ...actions));

export const signInView = (onStart: () => Promise<void>): HTMLElement =>
  view(
    title('Welcome'),
    prose(
      'This link is yours alone: please do not pass it on. You can stop at any time and go on later, here or on another device.',
    ),
    h('div', { className: 'actions' }, button('Start', onStart, { className: 'main' })),
  );

export const linkNeededView = (): HTMLElement =>
  messageView(
    'Open your link',
    'To rate, open the link that was sent to you. If you have lost it, ask who sent it for another.',
  );

export function studiesView(studies: readonly Study[], onOpen: (study: Study) => void): HTMLElement {
  if (studies.length === 0)
    return messageView('Nothing to rate', 'No study waits for you now. Thank you for looking in.');
  const items = studies.map((study) =>
    h(
      'li',
      {},
      h('strong', {}, study.name),
      h('span', { className: 'muted' }, study.total > 0 ? `${study.done} of ${study.total}` : 'not started'),
      button('Open', () => onOpen(study), { ariaLabel: `Open ${study.name}` }),
    ),
  );
  return view(title('Your studies'), h('ul', { className: 'studies' }, ...items));
}

/** The consent text, agreed to by a box that nobody has ticked before. */
export function consentView(study: Study, onAgree: () => void): HTMLElement {
  const box = h('input', { type: 'checkbox', required: true, id: 'agree' });
  const form = h(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        onAgree();
      },
    },
    h('label', { className: 'agree', htmlFor: 'agree' }, box, 'I have read this and agree to take part.'),
    h('div', { className: 'actions' }, h('button', { className: 'main' }, 'Continue')),
  );
  return view(
    title('Before you begin'),
    h('p', { className: 'muted' }, `${study.name} · consent text, version ${study.consentVersion}`),
    h(
      'div',
      { className: 'consent', tabIndex: 0, role: 'region', ariaLabel: 'Consent text' },
      prose(study.consentText),
    ),
    form,
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ['1 2 3', 'answer, and go on to the next question'],
  ['Enter', 'next screen, once all is answered'],
  ['Backspace', 'take back the last answer, then the last screen'],
  ['Arrows', 'move among questions and pictures'],
  ['Z', 'enlarge; arrows flip between the pictures'],
];

/** What to do, what each criterion and each value means, and the keys. */
export function instructions({ instructions, criteria }: Study): HTMLElement[] {
  const meanings = criteria.map(({ name, question, values }) =>
    h(
      'li',
      {},
      h('strong', {}, name),
      h('p', {}, question),
      h('ol', { className: 'meanings' }, ...values.map((value) => h('li', {}, value))),
    ),
  );
  const keys = KEYS.map(([key, meaning]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, ...key.split(' ').map((one) => h('kbd', {}, one))),
      h('td', {}, meaning),
    ),
  );
  return [
    prose(instructions),
    h('h2', {}, 'What you are asked'),
    h('ul', { className: 'asked' }, ...meanings),
    h('p', { className: 'muted' }, 'Click or tap a picture to see it larger.'),
    h('h2', { className: 'keys' }, 'With a keyboard'),
    h('table', { className: 'keys' }, ...keys),
  ];
}

export const instructionsView = (study: Study, onStart: () => Promise<void>): HTMLElement =>
  view(
    title('What to do'),
    ...instructions(study),
    h('div', { className: 'actions' }, button('Start', onStart, { className: 'main' })),
  );

export const continueView = (study: Study, onContinue: () => Promise<void>): HTMLElement =>
  messageView(
    study.name,
    `You have done ${study.done} of ${study.total}. If the study is open in another tab or on another device, rating goes on here and stops there.`,
    button('Continue', onContinue, { className: 'main' }),
  );

export function waitingView(seconds: number | null, onAsk: () => Promise<void>): HTMLElement {
  const when = seconds === null ? 'when somebody stops' : inWords(seconds);
  return messageView(
    'All places are taken',
    `A place may become free ${when}. This page asks by itself as long as it is open; you can also come back later with your link.`,
    button('Ask now', onAsk),
  );
}

/** What is said of a practice answer. */
export const feedbackView = (text: string, more: boolean, onNext: () => void): HTMLElement =>
  view(
    h('p', { className: 'badge' }, 'Practice'),
    title('About this one'),
    prose(text),
    !more && prose('That was the practice. From here on your answers count.'),
    h('div', { className: 'actions' }, button('Next', onNext, { className: 'main' })),
  );

/** The code to hand in, and the way back to where the rater was recruited. */
export function finishedView(
  { completionCode, completionUrl, name }: Study,
  undo?: HTMLElement,
): HTMLElement {
  const code = h('output', { className: 'code' }, completionCode ?? '');
  const copied = h('span', { className: 'muted', role: 'status' });
  const copy = button('Copy code', async () => {
    try {
      await navigator.clipboard.writeText(completionCode ?? '');
      copied.textContent = 'Copied.';
    } catch {
      getSelection()?.selectAllChildren(code);
      copied.textContent = 'The code is selected: copy it with Ctrl+C.';
    }
  });
  const host = completionUrl && URL.canParse(completionUrl) ? new URL(completionUrl).host : null;
  return view(
    title('Thank you'),
    prose(`You have rated everything in “${name}”. All answers are saved.`),
    completionCode !== null && h('p', { className: 'muted' }, 'Your completion code'),
    completionCode !== null && h('div', { className: 'code-line' }, code, copy, copied),
    h(
      'div',
      { className: 'actions' },
      host !== null &&
        h('a', { className: 'button main', href: completionUrl!, rel: 'noreferrer' }, `Finish at ${host}`),
      undo,
    ),
  );
}
