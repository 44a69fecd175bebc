/** The list of keys, from the same table that handles them. */
import { BINDINGS } from '../core/keymap.ts';
import { el } from './dom.ts';

export class Help {
  readonly root = el('dialog', { class: 'help', 'aria-label': 'keys' });
  constructor() {
    const rows = BINDINGS.filter((b, i) => BINDINGS.findIndex((other) => other.action === b.action) === i);
    const close = el('button', { type: 'button', class: 'icon', 'aria-label': 'close' }, '×');
    close.onclick = () => this.root.close();
    const items = rows.flatMap((b) => [el('dt', {}, el('kbd', {}, b.label)), el('dd', {}, b.text)]);
    this.root.append(
      el('h2', {}, 'Keys', close),
      el('dl', {}, ...items),
      el(
        'p',
        { class: 'dim' },
        'Wheel zooms time, Shift + wheel zooms price, dragging pans, Shift + dragging zooms into a box. Enter on the plot starts the data cursor: arrows move it, Esc releases it.',
      ),
    );
  }
  toggle(): void {
    if (this.root.open) this.root.close();
    else this.root.showModal();
  }
}
