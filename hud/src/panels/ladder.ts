/** Numeric ladder: exact contracts by price around spot at the second that the strip shows. */
import { maySee } from '../core/timegate.ts';
import { formatQty, NO_TICK } from '../core/units.ts';
import { formatPrice, unavailable } from '../wire/manifest.ts';
import { absent, el, setClass, setText } from './dom.ts';
import type { Model, Panel } from './model.ts';

const REACH = 20;
const COLUMNS = ['bid', 'ask', 'add', 'pull', 'net', 'fill'] as const;

export class Ladder implements Panel {
  readonly root = el('div', { class: 'ladder', role: 'region', 'aria-label': 'ladder' });
  private rows: { root: HTMLElement; price: HTMLElement; cells: Record<(typeof COLUMNS)[number], HTMLElement> }[] = [];
  private shown = false;
  private readonly caption = el('caption');

  private build({ manifest }: Model): void {
    const problem = unavailable(manifest, 'ladder');
    if (problem) {
      this.root.replaceChildren(absent('Ladder', problem, 'It comes from silver.wall_surface_1s.'));
      return;
    }
    for (let i = 0; i <= 2 * REACH; i++) {
      const cells = Object.fromEntries(COLUMNS.map((name) => [name, el('td', { class: name })])) as unknown as Record<
        (typeof COLUMNS)[number],
        HTMLElement
      >;
      const price = el('th', { class: 'num' });
      this.rows.push({
        root: el('tr', { class: i === REACH ? 'spot' : '' }, price, ...Object.values(cells)),
        price,
        cells,
      });
    }
    const head = el('tr', {}, el('th', {}, 'price'), ...COLUMNS.map((name) => el('th', {}, name)));
    this.root.replaceChildren(
      el('table', {}, this.caption, el('thead', {}, head), el('tbody', {}, ...this.rows.map((row) => row.root))),
    );
  }

  update(model: Model): void {
    if (!this.root.firstChild) this.build(model);
    const hidden = this.root.closest('[hidden]') !== null;
    if (!this.rows.length || hidden) {
      this.shown = false;
      return;
    }
    if (!this.shown) this.rows[REACH]!.root.scrollIntoView({ block: 'center' });
    this.shown = true;
    const { state, data, manifest, gate, labels } = model;
    const second = state.cursor && maySee(gate, state.cursor.sec) ? state.cursor.sec : model.second;
    const row = data.second('ladder', second);
    const spot = data.spot(second);
    const reach = manifest.ladderTicks;
    setText(this.caption, `contracts in the second to ${labels.full(second)}`);
    this.rows.forEach(({ root, price, cells }, i) => {
      const rel = REACH - i;
      const at = (name: string): number | null => {
        const qty = (row?.[name] as Int32Array | undefined)?.[reach + rel];
        return qty === undefined || qty < 0 ? null : qty;
      };
      setText(price, spot === NO_TICK ? '—' : formatPrice(manifest, spot + rel));
      const values = { bid: at('bid'), ask: at('ask'), add: at('add'), pull: at('pull'), fill: at('fill') };
      for (const [name, qty] of Object.entries(values)) setText(cells[name as 'bid'], qty === 0 ? '' : formatQty(qty));
      const net = values.add === null || values.pull === null ? null : values.add - values.pull;
      setText(cells.net, net === 0 ? '' : net === null ? '—' : `${net > 0 ? '+' : '−'}${formatQty(Math.abs(net))}`);
      setClass(root, 'none', !row);
    });
  }
}
