/** What lies under the cursor: decoded approximations at once, exact values after a short dwell. */
import { maySee } from '../core/timegate.ts';
import { formatQty, formatScore, isDrawn, NO_TICK, windowReason } from '../core/units.ts';
import type { Line } from '../model/inspect.ts';
import { NOT_LOADED } from '../model/session.ts';
import { column, formatPoints, formatPrice } from '../wire/manifest.ts';
import { decode } from '../wire/transfer.ts';
import { el, setText } from './dom.ts';
import type { Model } from './model.ts';

/** Lines of the readout: name, value. */
export function readoutLines(model: Model): [string, string][] {
  const { state, manifest, data, gate, labels } = model;
  const cursor = state.cursor;
  if (!cursor) return [];
  const lines: [string, string][] = [
    ['time', labels.full(cursor.sec)],
    ['price', `${formatPrice(manifest, cursor.tick)} as quoted`],
  ];
  if (!maySee(gate, cursor.sec)) return [...lines, ['', 'not yet known']];
  const spot = data.spot(cursor.sec);
  const rowState = data.state(cursor.sec);
  if (rowState === NOT_LOADED) return [...lines, ['', 'loading']];
  if (!isDrawn(rowState, data.flags(cursor.sec)))
    return [...lines, ['', windowReason(rowState, data.flags(cursor.sec))]];
  if (spot === NO_TICK) return [...lines, ['', 'no spot']];
  const rel = cursor.tick - spot;
  lines.push(['from spot', `${rel > 0 ? '+' : rel < 0 ? '−' : ''}${Math.abs(rel)} t (${formatPoints(manifest, rel)})`]);
  const code = (name: string): number => data.cells.get(name)?.code(1, cursor.sec, manifest.halfTicks + rel) ?? 0;
  // Under a coarse picture the seconds themselves may not have arrived yet, which is no statement about the book.
  const none = (name: string): string => (data.cells.get(name)?.loaded(1, cursor.sec) ? 'no data' : 'loading');
  const value = (surface: string, name: string): number | null => {
    const transfer = column(manifest, surface, name)?.transfer;
    return transfer ? decode(transfer, code(`${surface}.${name}`)) : null;
  };
  if (data.cells.has('wall.depth')) {
    const depth = value('wall', 'depth');
    const side = depth === null ? '' : depth < 0 ? ' bid' : depth > 0 ? ' ask' : '';
    lines.push([
      'resting',
      depth === null ? none('wall.depth') : `~${formatQty(Math.round(Math.abs(depth)))} contracts${side}`,
    ]);
    const flow = value('wall', 'net_flow');
    lines.push(['adds − pulls', flow === null ? none('wall.net_flow') : `~${formatScore(flow, 0, true)} contracts/s`]);
    const rest = value('wall', 'rest_share');
    lines.push(['rested 500 ms', rest === null ? none('wall.rest_share') : `${Math.round(100 * rest)} % of it`]);
  }
  if (data.cells.has('vacuum.score')) {
    const score = value('vacuum', 'score');
    lines.push([
      'vacuum',
      score === null
        ? none('vacuum.score')
        : `${formatScore(score)} of 0..1, ${score > 0.55 ? 'leaving' : score < 0.45 ? 'building' : 'idle'}`,
    ]);
  }
  if (data.cells.has('pressure.net')) {
    const net = value('pressure', 'net');
    lines.push([
      'pressure',
      net === null
        ? none('pressure.net')
        : `${formatScore(net, 2, true)} of −1..1${net > 0 ? ', long' : net < 0 ? ', short' : ''}`,
    ]);
  }
  return lines;
}

export class Readout {
  readonly root = el('div', { class: 'readout', 'aria-hidden': 'true' });
  private shown = '';

  show(
    model: Model,
    x: number,
    y: number,
    bounds: { width: number; height: number },
    exact: readonly Line[] | null,
  ): void {
    const lines: Line[] = exact ? [...readoutLines(model), ['exact', ''], ...exact] : readoutLines(model);
    const key = JSON.stringify(lines);
    if (key !== this.shown) {
      this.shown = key;
      this.root.replaceChildren(
        ...lines.flatMap(([name, value]) => {
          if (value === '') return [el('span', { class: 'head' }, name)];
          const term = el('span', { class: 'dim' }, name);
          const text = el('b');
          setText(text, value);
          return [term, text];
        }),
      );
    }
    this.root.hidden = lines.length === 0;
    const [w, h] = [this.root.offsetWidth, this.root.offsetHeight];
    // Right of the pointer, else left of it; never cut off, rather over it.
    this.root.style.left = `${x + 16 + w > bounds.width ? Math.max(4, x - w - 14) : x + 16}px`;
    this.root.style.top = `${Math.max(4, Math.min(bounds.height - h - 4, y + 14))}px`;
  }
  hide(): void {
    this.root.hidden = true;
  }
}
