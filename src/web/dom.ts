// Small helpers over the browser's document.

export type Child = Node | string | null | undefined | false;

/** An element with properties and children; what is null, undefined or false is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element of an id that the page's HTML has. */
export const byId = (id: string): HTMLElement => document.getElementById(id)!;

/** A heading that takes the focus when its view is shown, so that readers begin there. */
export const title = (text: string): HTMLHeadingElement => h('h1', { tabIndex: -1 }, text);

/** Text with its paragraphs. */
export const prose = (text: string): HTMLElement => h('p', { className: 'prose' }, text);

/** A button that cannot be pressed twice while its action runs. */
export function button(
  text: string,
  action: () => unknown,
  properties: Partial<HTMLButtonElement> = {},
): HTMLButtonElement {
  const element: HTMLButtonElement = h('button', { type: 'button', ...properties }, text);
  element.addEventListener('click', async () => {
    if (element.ariaDisabled === 'true') return;
    element.ariaDisabled = 'true';
    try {
      await action();
    } finally {
      element.ariaDisabled = null;
    }
  });
  return element;
}
