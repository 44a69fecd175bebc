/** The part of the state that a link shares, in the URL hash. Unknown or broken fields are ignored. */
import { type HudState, LAYERS, type Layer } from './store.ts';

export interface SharedView {
  session: string | null;
  change: Partial<HudState>;
}

export function toHash(session: string, state: Readonly<HudState>): string {
  const { view, layers, vacuumContour } = state;
  const fields = new URLSearchParams({
    s: session,
    t: String(state.now),
    x: `${Math.round(view.x0)},${view.pxPerSec.toPrecision(4)}`,
    y: `${view.yMid.toFixed(1)},${view.pxPerTick.toPrecision(4)}`,
    a: state.anchor,
    l: LAYERS.filter((layer) => layers[layer]).join('.'),
    v: vacuumContour ? 'outline' : 'pattern',
    th: state.theme,
    z: state.zone,
  });
  return `#${fields.toString().replaceAll('%2C', ',').replaceAll('%2F', '/')}`;
}

const numbers = (text: string | null): [number, number] | null => {
  const [a, b] = (text ?? '').split(',').map(Number);
  return a !== undefined && b !== undefined && Number.isFinite(a) && Number.isFinite(b) && b > 0 ? [a, b] : null;
};

export function fromHash(hash: string): SharedView {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const change: Partial<HudState> = {};
  const session = fields.get('s');
  const now = Number(fields.get('t') ?? Number.NaN);
  if (fields.has('t') && Number.isInteger(now) && now >= 0) change.now = now;
  const x = numbers(fields.get('x'));
  const y = numbers(fields.get('y'));
  if (x && y) change.view = { x0: x[0], pxPerSec: x[1], yMid: y[0], pxPerTick: y[1] };
  const anchor = fields.get('a');
  if (anchor === 'price' || anchor === 'spot') change.anchor = anchor;
  const theme = fields.get('th');
  if (theme === 'dark' || theme === 'light') change.theme = theme;
  const zone = fields.get('z');
  if (zone === 'exchange' || zone === 'new_york' || zone === 'utc' || zone === 'local') change.zone = zone;
  if (fields.has('l')) {
    const on = new Set((fields.get('l') ?? '').split('.'));
    change.layers = Object.fromEntries(LAYERS.map((layer) => [layer, on.has(layer)])) as Record<Layer, boolean>;
  }
  if (fields.has('v')) change.vacuumContour = fields.get('v') === 'outline';
  return { session: session && /^[A-Z0-9]{1,12}\/\d{4}-\d{2}-\d{2}$/.test(session) ? session : null, change };
}
