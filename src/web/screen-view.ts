// One screen to rate: pictures that appear all at once, and for each criterion and picture the three values.

import type { ScreenViewFragment as Screen } from '../generated/web-operations.js';
import {
  type AnswerSheet,
  answersOf,
  clearLast,
  emptySheet,
  isComplete,
  move,
  nextOpen,
  responseMs,
  setValue,
} from './answer-sheet.js';
import { button, h } from './dom.js';
import type { PendingAnswer } from './outbox.js';
import type { Pictures } from './pictures.js';
import { openZoom, type Shown } from './zoom.js';

export interface ScreenView {
  readonly element: HTMLElement;
  /** Takes a key; false where it means nothing here. */
  key(event: KeyboardEvent): boolean;
  setUndo(possible: boolean): void;
}

export interface ScreenDeps {
  readonly pictures: Pictures;
  /** What was answered before it was undone. */
  readonly earlier: AnswerSheet | undefined;
  readonly onAnswer: (sheet: AnswerSheet, answers: PendingAnswer['answers'], responseMs: number) => void;
  readonly onUndo: () => void;
  readonly say: (text: string) => void;
}

const REFERENCES: Readonly<Record<string, string>> = {
  SOURCE: 'Before painting',
  STIMULUS: 'What was seen',
};

function labelsOf({ pictures }: Screen): string[] {
  const several = pictures.filter(({ role }) => role === 'CANDIDATE').length > 1;
  return pictures.map(({ role, side }) => {
    if (role !== 'CANDIDATE') return REFERENCES[role]!;
    return several ? (['Left', 'Right'][side] ?? `Picture ${side + 1}`) : 'Painting';
  });
}

export function createScreenView(screen: Screen, deps: ScreenDeps): ScreenView {
  const { pictures, earlier, onAnswer, onUndo, say } = deps;
  let sheet = earlier ? { ...earlier, active: 0 } : emptySheet(screen);
  /** When all pictures were there to be seen; nothing can be answered before. */
  let shownAt: number | undefined;
  let shown: Shown[] = [];
  const labels = labelsOf(screen);
  const candidateLabels = labels.filter((_, i) => screen.pictures[i]!.role === 'CANDIDATE');

  const values = sheet.cells.map((cell, i) => {
    const { values: meanings } = screen.criteria[cell.row] ?? { values: [] };
    return [1, 2, 3].map((value) => {
      const meaning = meanings[value - 1];
      return h(
        'button',
        {
          type: 'button',
          className: 'value',
          ariaLabel: meaning ? `${value}, ${meaning}` : String(value),
          onclick: () => choose(i, value),
          onfocus: () => activate(i),
        },
        h('b', {}, String(value)),
        meaning !== undefined && h('span', {}, meaning),
      );
    });
  });
  const cells = sheet.cells.map(({ criterion, side }, i) => {
    const label = candidateLabels[side] ?? '';
    const group = h(
      'div',
      { className: 'cell', role: 'group', ariaLabel: criterion ? `${criterion}, ${label}` : 'Your answer' },
      candidateLabels.length > 1 && h('span', { className: 'side', ariaHidden: 'true' }, label),
      ...values[i]!,
    );
    return group;
  });
  const rows = screen.instruction
    ? [
        h(
          'li',
          { className: 'criterion' },
          h('p', { className: 'instruction' }, screen.instruction),
          cells[0],
        ),
      ]
    : screen.criteria.map(({ name, question }, row) =>
        h(
          'li',
          { className: 'criterion' },
          h('p', { className: 'question' }, h('strong', {}, name), ` ${question}`),
          h('div', { className: 'cells' }, ...cells.filter((_, i) => sheet.cells[i]!.row === row)),
        ),
      );

  const frames = screen.pictures.map(({ role }, i) => {
    const open = button('', () => enlarge(i), {
      className: 'picture',
      ariaLabel: `Enlarge: ${labels[i]}`,
    });
    return h(
      'figure',
      { className: role === 'CANDIDATE' ? 'candidate' : 'reference' },
      h('figcaption', {}, labels[i]!),
      open,
    );
  });
  const choosing = frames.filter((_, i) => screen.pictures[i]!.role === 'CANDIDATE');
  const references = frames.filter((frame) => !choosing.includes(frame));
  const undo = button('Undo', onUndo, { className: 'plain', title: 'Backspace', disabled: true });
  const next = button('Next', submit, { className: 'main', title: 'Enter' });
  const element = h(
    'section',
    { className: 'screen', tabIndex: -1, ariaLabel: screen.practice ? 'Practice' : 'Please rate' },
    screen.practice && h('p', { className: 'badge' }, 'Practice: this does not count'),
    choosing.length > 0 && h('div', { className: `candidates of-${choosing.length}` }, ...choosing),
    references.length > 0 && h('div', { className: 'references' }, ...references),
    h('ol', { className: 'criteria' }, ...rows),
    h('div', { className: 'bar' }, undo, next),
  );

  function draw(): void {
    const ready = shownAt !== undefined;
    element.ariaBusy = ready ? null : 'true';
    for (const [i, cell] of cells.entries()) {
      cell.classList.toggle('active', ready && i === sheet.active && cells.length > 1);
      for (const [j, one] of values[i]!.entries()) {
        one.disabled = !ready;
        one.ariaPressed = String(sheet.values[i] === j + 1);
      }
    }
    next.classList.toggle('ready', ready && isComplete(sheet));
  }

  function choose(cell: number, value: number): void {
    if (shownAt === undefined) return;
    sheet = setValue(sheet, cell, value);
    draw();
    const { criterion, side } = sheet.cells[cell]!;
    if (criterion) say(`${criterion}, ${candidateLabels[side]}: ${value}`);
  }

  function activate(cell: number): void {
    sheet = { ...sheet, active: cell };
    draw();
  }

  function submit(): void {
    if (shownAt === undefined) return;
    if (isComplete(sheet)) {
      onAnswer(sheet, answersOf(sheet), responseMs(shownAt, performance.now()));
      return;
    }
    const missing = sheet.values.filter((value) => value === null).length;
    say(missing === 1 ? 'One answer is missing.' : `${missing} answers are missing.`);
    activate(sheet.values[sheet.active] === null ? sheet.active : nextOpen(sheet, sheet.active));
    cells[sheet.active]!.scrollIntoView({ block: 'nearest' });
  }

  /** The keys are the screen's again once the picture is small. */
  function enlarge(picture: number): void {
    if (shown.length > 0) void openZoom(shown, picture, () => element.focus({ preventScroll: true }));
  }

  function takeBack(): void {
    const before = clearLast(sheet);
    if (!before) {
      onUndo();
      return;
    }
    sheet = before;
    draw();
  }

  /** Shows all pictures in one frame, in boxes of one shape. */
  async function reveal(): Promise<void> {
    const images = await pictures.load(screen.pictures.map(({ url }) => url));
    shown = images.map((image, i) => ({ image, label: labels[i]! }));
    for (const [i, image] of images.entries()) {
      image.alt = labels[i]!;
      frames[i]!.querySelector('button')!.replaceChildren(image);
      frames[i]!.style.setProperty('--shape', `${image.naturalWidth} / ${image.naturalHeight}`);
    }
    requestAnimationFrame(() => {
      shownAt = performance.now();
      draw();
    });
  }

  function tryReveal(): void {
    reveal().catch(() => {
      say('A picture could not be loaded.');
      const again = h(
        'p',
        { className: 'notice', role: 'alert' },
        'A picture could not be loaded. ',
        button('Try again', () => {
          again.remove();
          tryReveal();
        }),
      );
      element.prepend(again);
      window.addEventListener('online', () => again.querySelector('button')?.click(), { once: true });
    });
  }

  draw();
  tryReveal();
  return {
    element,
    setUndo(possible) {
      undo.disabled = !possible;
    },
    key({ key, target, repeat }) {
      if (/^[1-3]$/.test(key) && !repeat) choose(sheet.active, Number(key));
      else if (key === 'Enter' && !repeat) {
        // Enter on a control is the control's, save on a value that is chosen already.
        const control = (target as Element).closest('button');
        if (control && !(control.ariaPressed === 'true' && isComplete(sheet))) return false;
        submit();
      } else if (key === 'Backspace' && !repeat) takeBack();
      else if (key === 'ArrowUp') sheet = move(sheet, -1, 0);
      else if (key === 'ArrowDown') sheet = move(sheet, 1, 0);
      else if (key === 'ArrowLeft') sheet = move(sheet, 0, -1);
      else if (key === 'ArrowRight') sheet = move(sheet, 0, 1);
      else if (key === 'z' && choosing.length > 0) {
        const side = sheet.cells[sheet.active]!.side;
        enlarge(frames.indexOf(choosing[side]!));
      } else return false;
      draw();
      return true;
    },
  };
}
