/** Levels rail: levels around spot with signed distances, and the largest resting sizes of the present. */
import { formatQty, NO_TICK } from '../core/units.ts';
import { railRows, shortNames } from '../model/levels.ts';
import type { SessionData } from '../model/session.ts';
import { column, formatPoints, formatPrice, type Manifest, unavailable } from '../wire/manifest.ts';
import { decode } from '../wire/transfer.ts';
import { el } from './dom.ts';
import type { Model, Panel } from './model.ts';

export interface Wall {
  readonly tick: number;
  readonly lots: number;
  readonly side: 'bid' | 'ask';
}
/** Reach in ticks, and how many per side. */
const REACH = 80;
const PER_SIDE = 3;
/** Names of a merged level that are written; all are in its tooltip. */
const MOST_NAMES = 2;

/** Largest resting sizes on either side of spot at a second, decoded from cells. */
export function largestWalls(data: SessionData, manifest: Manifest, second: number): Wall[] {
  const cells = data.cells.get('wall.depth');
  const transfer = column(manifest, 'wall', 'depth')?.transfer;
  const spot = data.spot(second);
  if (!cells || !transfer || spot === NO_TICK) return [];
  const reach = Math.min(REACH, manifest.halfTicks);
  const found: Wall[] = [];
  for (let rel = -reach; rel <= reach; rel++) {
    const lots = decode(transfer, cells.code(1, second, manifest.halfTicks + rel));
    if (lots) found.push({ tick: spot + rel, lots: Math.abs(lots), side: lots < 0 ? 'bid' : 'ask' });
  }
  const top = (side: 'bid' | 'ask'): Wall[] =>
    found
      .filter((w) => w.side === side)
      .sort((a, b) => b.lots - a.lots)
      .slice(0, PER_SIDE);
  return [...top('ask'), ...top('bid')].sort((a, b) => b.tick - a.tick);
}

export class Rail implements Panel {
  readonly root = el('nav', { class: 'rail', 'aria-label': 'levels and large sizes around spot' });
  private shown = '';
  onPick: (tick: number) => void = () => {};

  constructor() {
    this.root.tabIndex = 0;
  }

  update(model: Model): void {
    const { manifest, data, lists, gate, second } = model;
    const spot = data.lastSpot(second);
    const levels = railRows(lists.levels, gate, second, spot);
    const walls = largestWalls(data, manifest, second);
    const problem = unavailable(manifest, 'levels');
    const key = JSON.stringify([spot, levels, walls.map((w) => [w.tick, Math.round(w.lots)]), problem]);
    if (key === this.shown) return;
    this.shown = key;
    const distance = `distance from spot in ticks (t) of ${manifest.tickSize} and in points`;
    const line = (
      names: readonly string[],
      tick: number,
      className: string,
      also: readonly string[] = [],
    ): HTMLElement => {
      const ticks = spot === NO_TICK ? null : tick - spot;
      const button = el(
        'button',
        {
          type: 'button',
          class: `level ${className}`,
          title: `${[...names, ...also].join(' · ')} at ${formatPrice(manifest, tick)}; ${distance}`,
        },
        el('span', { class: 'name' }, shortNames(names, MOST_NAMES)),
        el('span', { class: 'num' }, formatPrice(manifest, tick)),
        el(
          'span',
          { class: 'away' },
          ticks === null
            ? '—'
            : `${ticks > 0 ? '+' : ticks < 0 ? '−' : ''}${Math.abs(ticks)} t ${formatPoints(manifest, ticks)}`,
        ),
      );
      button.onclick = () => this.onPick(tick);
      return button;
    };
    const spotLine = el(
      'div',
      { class: 'level spot', title: 'the last spot known at this second; every distance is from it' },
      el('span', { class: 'name' }, 'Spot'),
      el('span', { class: 'num' }, spot === NO_TICK ? '—' : formatPrice(manifest, spot)),
    );
    const place = <T extends { tick: number }>(rows: readonly T[], draw: (row: T) => HTMLElement): HTMLElement[] => {
      const out: HTMLElement[] = [];
      const sorted = rows.filter((row) => spot === NO_TICK || row.tick > spot);
      out.push(
        ...sorted.map(draw),
        spotLine.cloneNode(true) as HTMLElement,
        ...rows.filter((row) => !sorted.includes(row)).map(draw),
      );
      return out;
    };
    const parts: HTMLElement[] = [el('h2', { title: `price as quoted, ${distance}` }, 'Levels')];
    if (problem)
      parts.push(el('p', { class: 'dim' }, problem === 'not materialised' ? 'not materialised yet' : problem));
    else if (!levels.length) parts.push(el('p', { class: 'dim' }, 'none valid yet'));
    else parts.push(...place(levels, (row) => line(row.names, row.tick, row.nearest ? 'near' : '', row.also)));
    parts.push(
      el(
        'h2',
        { title: `contracts within ${REACH} ticks of spot, decoded from cells; ${distance}` },
        'Largest resting',
      ),
    );
    parts.push(
      ...place(walls, (wall) =>
        line([`${wall.side === 'ask' ? 'Ask' : 'Bid'} ~${formatQty(Math.round(wall.lots))}`], wall.tick, wall.side, [
          'contracts',
        ]),
      ),
    );
    this.root.replaceChildren(...parts);
  }
}
