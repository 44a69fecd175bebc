/** Legend: what each colour means, in which unit, against which baseline, with which pooling. Always on screen. */
import { LAYERS, type Layer, type MagnitudeName, type Pool } from '../core/store.ts';
import { formatQty } from '../core/units.ts';
import { css, magnitude, THEMES } from '../render/palette.ts';
import { lodFor } from '../scale/x.ts';
import { column, unavailable } from '../wire/manifest.ts';
import { decode } from '../wire/transfer.ts';
import { el, setClass, setText } from './dom.ts';
import type { Model, Panel } from './model.ts';

export interface LegendActions {
  layer(layer: Layer): void;
  opacity(layer: Layer, value: number): void;
  palette(name: MagnitudeName): void;
  cuts(low: number, high: number): void;
  linear(on: boolean): void;
  vacuumStyle(): void;
  pool(pool: Pool): void;
  gexFlow(): void;
}
const PALETTES: readonly MagnitudeName[] = ['cividis', 'inferno', 'viridis', 'grey', 'sides'];
const POOLS: readonly Pool[] = ['max', 'last', 'mean'];
const WORDS: Record<Layer, string> = { wall: 'Wall', vacuum: 'Vacuum', pressure: 'Pressure' };

export class Legend implements Panel {
  readonly root = el('footer', { class: 'legend', 'aria-label': 'legend' });
  private readonly ramp = el('canvas', { class: 'ramp', 'aria-label': 'wall scale' });
  private readonly low = el('span', { class: 'num' });
  private readonly high = el('span', { class: 'num' });
  private readonly note = el('span', { class: 'dim wide' });
  private readonly buttons = new Map<Layer, HTMLButtonElement>();
  private readonly palette = el('select', { 'aria-label': 'palette' });
  private readonly poolChoice = el('select', {
    'aria-label': 'pooling of depth in time',
    title: 'How several seconds on one pixel become one value',
  });
  private readonly scale = el('button', { type: 'button', title: 'logarithmic or linear' });
  private readonly vacuumStyle = el('button', { type: 'button', title: 'patterns, or outlines that fill nothing (V)' });
  private readonly sliders: { low: HTMLInputElement; high: HTMLInputElement };
  private readonly opacities = new Map<Layer, HTMLInputElement>();
  private readonly gex = el('button', { type: 'button', class: 'layer' });
  private painted = '';

  constructor(private readonly actions: LegendActions) {
    for (const layer of LAYERS) {
      const button = el('button', { type: 'button', class: `layer ${layer}` }, WORDS[layer]);
      button.onclick = () => actions.layer(layer);
      this.buttons.set(layer, button);
      const opacity = slider(`opacity of ${WORDS[layer].toLowerCase()}`, 0.1);
      opacity.oninput = () => actions.opacity(layer, Number(opacity.value));
      this.opacities.set(layer, opacity);
    }
    for (const name of PALETTES) this.palette.append(el('option', {}, name === 'sides' ? 'bid/ask' : name));
    this.palette.onchange = () => actions.palette(PALETTES[this.palette.selectedIndex]!);
    for (const pool of POOLS) this.poolChoice.append(el('option', {}, pool));
    this.poolChoice.onchange = () => actions.pool(POOLS[this.poolChoice.selectedIndex]!);
    this.sliders = {
      low: slider('lower cut-off of the wall scale', 0),
      high: slider('upper cut-off of the wall scale', 0),
    };
    const cut = (): void =>
      actions.cuts(
        Math.min(Number(this.sliders.low.value), Number(this.sliders.high.value) - 0.02),
        Number(this.sliders.high.value),
      );
    this.sliders.low.oninput = cut;
    this.sliders.high.oninput = cut;
    const key = (kind: string, word: string): HTMLElement[] => [
      el('span', { class: `swatch ${kind}` }),
      el('span', { class: 'dim' }, word),
    ];
    const group = (...parts: HTMLElement[]): HTMLElement => el('span', { class: 'group' }, ...parts);
    const row = (name: string, ...parts: HTMLElement[]): HTMLElement => el('div', {}, el('span', {}, name), ...parts);
    const menu = el(
      'details',
      { class: 'menu' },
      el('summary', {}, 'Adjust'),
      el(
        'div',
        { class: 'sheet' },
        row('Wall opacity', this.opacities.get('wall')!),
        row('Wall from', this.sliders.low),
        row('Wall to', this.sliders.high),
        row('Wall scale', this.scale),
        row('Palette', this.palette),
        row('Seconds on one pixel', this.poolChoice),
        row('Vacuum opacity', this.opacities.get('vacuum')!),
        row('Vacuum as', this.vacuumStyle),
        row('Pressure opacity', this.opacities.get('pressure')!),
      ),
    );
    this.root.append(
      group(this.buttons.get('wall')!, this.low, this.ramp, this.high),
      group(this.buttons.get('vacuum')!, ...key('hatch', 'leaving'), ...key('dots', 'building')),
      group(this.buttons.get('pressure')!, ...key('long', 'long'), ...key('short', 'short')),
      group(this.gex, ...key('call', 'call'), ...key('put', 'put')),
      menu,
      this.note,
    );
    this.gex.onclick = () => actions.gexFlow();
    this.vacuumStyle.onclick = () => actions.vacuumStyle();
  }

  update({ state, manifest }: Model): void {
    for (const [layer, button] of this.buttons) {
      const problem = unavailable(manifest, layer);
      button.disabled = problem !== null;
      button.title = problem ?? `toggle (${LAYERS.indexOf(layer) + 1})`;
      button.setAttribute('aria-pressed', String(state.layers[layer] && !problem));
      this.opacities.get(layer)!.value = String(state.opacity[layer]);
    }
    const transfer = column(manifest, 'wall', 'depth')?.transfer;
    const value = (share: number): string =>
      transfer ? formatQty(Math.round(decode(transfer, Math.round(128 + 127 * share)) ?? 0)) : '—';
    setText(this.low, value(state.cutLow));
    setText(this.high, `${value(state.cutHigh)} contracts`);
    this.sliders.low.value = String(state.cutLow);
    this.sliders.high.value = String(state.cutHigh);
    this.palette.selectedIndex = PALETTES.indexOf(state.magnitude);
    this.poolChoice.selectedIndex = POOLS.indexOf(state.pool);
    setText(this.scale, state.linear ? 'lin' : 'log');
    this.scale.onclick = () => this.actions.linear(!state.linear);
    setText(this.vacuumStyle, state.vacuumContour ? 'outline' : 'pattern');
    setClass(this.root, 'outlined', state.vacuumContour);
    this.vacuumStyle.disabled = unavailable(manifest, 'vacuum') !== null;
    const gexProblem = unavailable(manifest, 'gex');
    setText(this.gex, state.gexFlow ? 'GEX flow' : 'GEX');
    this.gex.disabled = gexProblem !== null;
    this.gex.title =
      gexProblem ??
      'Gamma exposure by strike in dollars per 1 % move: calls to the right (+), puts to the left (−), the mark is the net. Open interest of the same day is mostly missing. Click: open interest or flow.';
    const lod = lodFor(state.view.pxPerSec);
    const { calibration } = manifest;
    const basis =
      calibration.status === 'ok'
        ? `scale: ${calibration.sessions ?? '?'} earlier sessions to ${calibration.asofDt ?? '?'}`
        : calibration.status === 'same_session'
          ? 'scale: this session'
          : 'scale: defaults of the instrument';
    setText(
      this.note,
      [
        basis,
        lod === 1 ? 'every second' : `${state.pool} of ${lod} s per column`,
        state.linear ? 'linear' : 'logarithmic',
        'pale = under 500 ms old',
        'notched = shrinking',
        'dotted = no data',
        'hatched = no valid book',
        '~ = decoded, else exact',
        'n× = times the usual at that distance',
        `price as quoted, t = ${manifest.tickSize}`,
        gexProblem
          ? `no GEX: ${gexProblem.split(': ').at(-1)}`
          : 'GEX: $ per 1 % move; same-day open interest mostly missing',
      ].join(' · '),
    );
    this.paint(state.magnitude, state.theme);
  }

  private paint(name: MagnitudeName, theme: 'dark' | 'light'): void {
    if (this.painted === name + theme) return;
    this.painted = name + theme;
    this.ramp.width = 96;
    this.ramp.height = 10;
    const ctx = this.ramp.getContext('2d')!;
    for (let x = 0; x < 96; x++) {
      const u = x / 95;
      ctx.fillStyle =
        name === 'sides'
          ? css(u < 0.5 ? THEMES[theme].bid : THEMES[theme].ask, Math.abs(u - 0.5) * 2)
          : css(magnitude(name, u, theme).map(Math.round) as unknown as [number, number, number], Math.min(1, u * 5));
      ctx.fillRect(x, 0, 1, 10);
    }
  }
}

/** A slider up to 1. */
function slider(label: string, lowest: number): HTMLInputElement {
  const input = el('input', { type: 'range', 'aria-label': label, title: label });
  input.min = String(lowest);
  input.max = '1';
  input.step = '0.01';
  return input;
}
