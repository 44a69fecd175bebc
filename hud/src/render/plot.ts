/** What every painter of the overlay gets: the context, the geometry and what may be seen. */
import type { HudState, View } from '../core/store.ts';
import type { TimeLabels } from '../core/time.ts';
import type { Gate } from '../core/timegate.ts';
import { NO_TICK } from '../core/units.ts';
import type { SessionData } from '../model/session.ts';
import { axisTick } from '../scale/anchor.ts';
import { lodFor, xOf } from '../scale/x.ts';
import { yOf } from '../scale/y.ts';
import type { Manifest } from '../wire/manifest.ts';
import type { Colours } from './palette.ts';

export interface Plot {
  readonly ctx: CanvasRenderingContext2D;
  /** Size of the heat map in CSS pixels; axes lie to the right of and below it. */
  readonly width: number;
  readonly height: number;
  readonly state: Readonly<HudState>;
  readonly view: View;
  readonly gate: Gate;
  readonly data: SessionData;
  readonly manifest: Manifest;
  readonly colours: Colours;
  readonly labels: TimeLabels;
}

/** Drawn text follows the size that the reader has set for text, as the rest of the page does: 1 is 16px. */
export const TEXT =
  typeof document === 'undefined'
    ? 1
    : Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 12 || 1;
export const FONT = `${11 * TEXT}px ui-sans-serif, system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
export const FONT_BOLD = `600 ${FONT}`;

export const px = (plot: Plot, second: number): number => xOf(plot.view, second);
/** Pixel row of an absolute tick at a second; NaN where the spot anchor has no spot. */
export function py(plot: Plot, tick: number, second: number): number {
  const axis = axisTick(
    plot.state.anchor,
    tick,
    plot.state.anchor === 'spot' ? plot.data.lastSpot(second, 120) : NO_TICK,
  );
  return yOf(plot.view, plot.height, axis);
}

/** Seconds in view that may be seen, `[first, last]`. */
export function visible(plot: Plot): [number, number] {
  const first = Math.max(0, Math.floor(plot.view.x0));
  return [first, Math.min(plot.gate.limit, Math.ceil(plot.view.x0 + plot.width / plot.view.pxPerSec))];
}

/**
 * A horizontal run at one absolute tick from second to second: straight in the price anchor, bent along spot in the
 * spot anchor.
 */
export function traceTick(plot: Plot, tick: number, from: number, to: number): void {
  const { ctx } = plot;
  if (plot.state.anchor === 'price') {
    const y = Math.round(py(plot, tick, from)) + 0.5;
    ctx.moveTo(Math.max(-2, px(plot, from)), y);
    ctx.lineTo(Math.min(plot.width + 2, px(plot, to)), y);
    return;
  }
  const step = lodFor(plot.view.pxPerSec);
  const [low, high] = [
    Math.max(from, Math.floor(plot.view.x0)),
    Math.min(to, Math.ceil(plot.view.x0 + plot.width / plot.view.pxPerSec)),
  ];
  let drawing = false;
  for (let second = low; second <= high; second += step) {
    const known = Math.min(second, plot.gate.limit);
    const y = py(plot, tick, known);
    if (Number.isNaN(y)) drawing = false;
    else if (drawing) ctx.lineTo(px(plot, second), y);
    else {
      ctx.moveTo(px(plot, second), y);
      drawing = true;
    }
  }
}

/** Times the median at which bars of quantity end: one huge order must not flatten all others. */
const LONGEST_MEDIANS = 12;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
/** Quantity of the longest bar, on a scale linear from 0. */
export const longest = (quantities: readonly number[]): number =>
  Math.max(1, Math.min(Math.max(0, ...quantities), LONGEST_MEDIANS * median(quantities)));

/** Text on a filled tag, left edge at `x`, vertically centred on `y`. Returns its width. */
export function tag(
  ctx: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  fill: string,
  ink: string,
): number {
  const width = Math.ceil(ctx.measureText(text).width) + 8;
  ctx.fillStyle = fill;
  ctx.fillRect(x, y - 8 * TEXT, width, 16 * TEXT);
  ctx.fillStyle = ink;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  ctx.fillText(text, x + 4, y + 0.5);
  return width;
}
