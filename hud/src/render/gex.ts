/** Gamma exposure by strike: calls to the right, puts to the left, the net as a mark. Never invented: missing stays empty. */
import { NO_TICK } from '../core/units.ts';
import { axisTick } from '../scale/anchor.ts';
import { yOf } from '../scale/y.ts';
import { css } from './palette.ts';
import { type Plot, TEXT, traceTick } from './plot.ts';

interface Strike {
  readonly tick: number;
  readonly call: number;
  readonly put: number;
  readonly net: number;
  readonly flow: number;
}

/** Strikes of a second; an unused slot or a strike without any value is left out. */
export function strikesAt(plot: Plot, second: number): Strike[] {
  const row = plot.data.second('gex', second);
  if (!row) return [];
  const ticks = row.strike_tick as Int32Array;
  const values = (name: string): Float32Array => row[name] as Float32Array;
  return Array.from(ticks, (tick, i) => ({
    tick,
    call: values('call')[i]!,
    put: values('put')[i]!,
    net: values('net')[i]!,
    flow: values('flow')[i]!,
  })).filter((strike) => strike.tick !== NO_TICK && !(Number.isNaN(strike.net) && Number.isNaN(strike.flow)));
}

export function drawGex(plot: Plot, ctx: CanvasRenderingContext2D, x: number, width: number, second: number): void {
  const { view, height, colours, state, data } = plot;
  const strikes = strikesAt(plot, second);
  const spot = data.lastSpot(second);
  const middle = x + width / 2;
  ctx.fillStyle = css(colours.grid);
  ctx.fillRect(middle, 0, 1, height);
  const most = strikes.reduce(
    (top, s) =>
      Math.max(top, ...(state.gexFlow ? [Math.abs(s.flow) || 0] : [Math.abs(s.call) || 0, Math.abs(s.put) || 0])),
    0,
  );
  if (!data.second('gex', second)) {
    // Strikes come with the stream only: a second that was jumped over has none here, which is no exposure of zero.
    ctx.fillStyle = css(colours.dim);
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    ctx.fillText('not loaded', middle, height / 2 - 24);
  }
  if (most === 0) return;
  const thick = Math.max(3, Math.min(10, view.pxPerTick * 4));
  const bar = (value: number, y: number, colour: string): void => {
    const length = (value / most) * (width / 2 - 4);
    ctx.fillStyle = colour;
    ctx.fillRect(Math.min(middle, middle + length), y - thick / 2, Math.abs(length), thick);
  };
  const yAt = ({ tick }: Strike): number => yOf(view, height, axisTick(state.anchor, tick, spot));
  for (const strike of strikes) {
    const y = yAt(strike);
    if (!(y > -thick && y < height + thick)) continue;
    if (state.gexFlow) {
      if (!Number.isNaN(strike.flow)) bar(strike.flow, y, css(strike.flow > 0 ? colours.call : colours.put, 0.85));
      continue;
    }
    if (!Number.isNaN(strike.call)) bar(Math.abs(strike.call), y, css(colours.call, 0.8));
    if (!Number.isNaN(strike.put)) bar(-Math.abs(strike.put), y, css(colours.put, 0.8));
    if (Number.isNaN(strike.net)) continue;
    ctx.fillStyle = css(colours.text);
    ctx.fillRect(middle + (strike.net / most) * (width / 2 - 4) - 1, y - thick / 2 - 1, 2.5, thick + 2);
  }
  // The value drawn, of the strikes in view that matter most: the net, or what today's flow has added.
  const value = (strike: Strike): number => (state.gexFlow ? strike.flow : strike.net);
  ctx.fillStyle = css(colours.text);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  const textY = (strike: Strike): number => yAt(strike) - thick / 2 - 7 * TEXT;
  const inView = strikes.filter((strike) => textY(strike) > 6 * TEXT && textY(strike) < height);
  for (const strike of largest(inView, value)) ctx.fillText(formatDollars(value(strike)), middle, textY(strike));
}

/** Dollars per 1 % move in three digits: −1.24B, +52M. */
export function formatDollars(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '+';
  for (const [unit, name] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (size >= unit) return `${sign}${Number((size / unit).toPrecision(size >= 100 * unit ? 3 : 2))}${name}`;
  return `${sign}${Math.round(size)}`;
}

const LARGEST = 3;
const largest = (strikes: readonly Strike[], value: (strike: Strike) => number): Strike[] =>
  strikes
    .filter((strike) => !Number.isNaN(value(strike)))
    .sort((a, b) => Math.abs(value(b)) - Math.abs(value(a)))
    .slice(0, LARGEST);

/** Faint lines of the largest strikes across the plot. */
export function drawGexLines(plot: Plot): void {
  const now = Math.min(plot.state.now, plot.gate.limit);
  const { ctx, colours, view, width } = plot;
  const top = largest(strikesAt(plot, now), (strike) => strike.net);
  ctx.lineWidth = 1;
  for (const strike of top) {
    ctx.strokeStyle = css(strike.net > 0 ? colours.call : colours.put, 0.45);
    ctx.beginPath();
    traceTick(plot, strike.tick, Math.max(0, Math.floor(view.x0)), Math.ceil(view.x0 + width / view.pxPerSec));
    ctx.stroke();
  }
}
