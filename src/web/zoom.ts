// Pictures as large as the window allows, one in the place of another, so that they can be compared by flipping.

import { button, h } from './dom.js';

export interface Shown {
  readonly image: HTMLImageElement;
  readonly label: string;
}

/** Opens the pictures, `start` first; arrows flip, Escape or a click on the picture closes, and `onClose` follows. */
export async function openZoom(shown: readonly Shown[], start: number, onClose: () => void): Promise<void> {
  const copies = shown.map(({ image, label }) => h('img', { src: image.src, alt: label, draggable: false }));
  // All of them before the first is seen: none flips in later than another.
  await Promise.all(copies.map((copy) => copy.decode()));
  const label = h('p', { className: 'zoom-label', ariaLive: 'polite' });
  let at = start;
  const show = (next: number) => {
    at = (next + shown.length) % shown.length;
    for (const [i, copy] of copies.entries()) copy.hidden = i !== at;
    label.textContent = shown[at]!.label;
  };
  const dialog = h('dialog', { className: 'zoom', ariaLabel: 'Enlarged picture' });
  const flip = (sign: string, by: number, ariaLabel: string) =>
    button(sign, () => show(at + by), { ariaLabel, hidden: shown.length < 2 });
  dialog.append(
    h('div', { className: 'zoom-stage', onclick: () => dialog.close() }, ...copies),
    h(
      'div',
      { className: 'zoom-bar' },
      flip('‹', -1, 'Previous picture'),
      label,
      flip('›', 1, 'Next picture'),
      button('Close', () => dialog.close(), { autofocus: true }),
    ),
  );
  dialog.addEventListener('keydown', (event) => {
    // Nothing is rated while the pictures are large.
    event.stopPropagation();
    if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') show(at - 1);
    else if (event.key === 'ArrowRight' || event.key === 'ArrowDown') show(at + 1);
    else if (event.key === 'z') dialog.close();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  show(start);
  dialog.showModal();
}
