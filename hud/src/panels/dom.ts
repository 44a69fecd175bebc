/** Elements without markup strings: text goes in as text, never as HTML. */
type Props = {
  class?: string;
  title?: string;
  id?: string;
  role?: string;
  type?: string;
  for?: string;
  scope?: string;
  [aria: `aria-${string}`]: string;
  [data: `data-${string}`]: string;
};

export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) if (value !== undefined) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Sets text only where it differs, so that nothing is laid out for nothing. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
export function setClass(node: Element, name: string, on: boolean): void {
  if (node.classList.contains(name) !== on) node.classList.toggle(name, on);
}
export function setTitle(node: HTMLElement, text: string): void {
  if (node.title !== text) node.title = text;
}

/** A titled panel that folds; `body` is filled by its owner. */
export function card(title: string, id: string): { root: HTMLElement; body: HTMLElement; note: HTMLElement } {
  const note = el('span', { class: 'note' });
  const body = el('div', { class: 'body' });
  const fold = el('button', { type: 'button', class: 'fold', 'aria-expanded': 'true' }, title);
  const root = el('section', { class: 'card', id, 'aria-label': title }, el('h2', {}, fold, note), body);
  fold.onclick = () => {
    body.hidden = !body.hidden;
    fold.setAttribute('aria-expanded', String(!body.hidden));
  };
  return { root, body, note };
}

/** The honest empty state: what is missing, why, and what would make it. */
export function absent(what: string, reason: string, hint: string): HTMLElement {
  return el('div', { class: 'absent' }, el('b', {}, `${what}: ${reason}`), el('span', {}, hint));
}
