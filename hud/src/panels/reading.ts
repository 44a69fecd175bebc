/** The reading: sentences of the server about this second, as they came. */
import { isDrawn, windowReason } from '../core/units.ts';
import { NOT_LOADED } from '../model/session.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, card, el, setClass, setText } from './dom.ts';
import type { Model, Panel } from './model.ts';

export class Reading implements Panel {
  private readonly parts = card('Reading', 'reading');
  readonly root = this.parts.root;
  private readonly above = el('p', { class: 'above' });
  private readonly below = el('p', { class: 'below' });
  private readonly moves = el('p', { class: 'moves' });
  private readonly empty = absent('Reading', 'not available', 'The sidecar writes it from the wall table.');

  constructor() {
    this.parts.body.append(this.above, this.below, this.moves);
  }

  update({ manifest, data, second, labels }: Model): void {
    const problem = unavailable(manifest, 'reading');
    if (problem) {
      this.parts.body.replaceChildren(this.empty);
      return;
    }
    const row = data.second('reading', second);
    const valid = isDrawn(data.state(second), data.flags(second));
    setText(this.parts.note, row ? `at ${labels.full(second)}` : '');
    setText(
      this.above,
      row
        ? String(row.above)
        : valid || data.state(second) === NOT_LOADED
          ? 'Waiting for this second.'
          : windowReason(data.state(second), data.flags(second)),
    );
    setText(this.below, row ? String(row.below) : '');
    setText(this.moves, row ? String(row.moves) : '');
    setClass(this.root, 'pending', !row);
  }
}
