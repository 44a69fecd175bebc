/** Two-minute candles: hollow up, filled down, the forming bar dashed where its extremes are only last trades. */
import type { Candle } from '../model/candles.ts';
import { lodFor } from '../scale/x.ts';
import { css } from './palette.ts';
import { type Plot, px, py } from './plot.ts';

/** Bodies that bend along spot need room to be read. */
const BENT_MIN_PX = 24;

export function drawCandles(plot: Plot, candles: readonly Candle[]): void {
  const { ctx, colours, view } = plot;
  for (const bar of candles) {
    const up = bar.close >= bar.open;
    const end = Math.min(bar.to, plot.gate.limit + 1);
    const inset = Math.min(4, view.pxPerSec * 8);
    const [left, right] = [
      px(plot, bar.from) + inset,
      px(plot, bar.closed ? bar.to : Math.max(end, bar.from + 8)) - inset,
    ];
    if (right - left < (plot.state.anchor === 'spot' ? BENT_MIN_PX : 1)) continue;
    ctx.strokeStyle = css(colours.text, bar.closed ? 0.62 : 0.85);
    ctx.fillStyle = css(colours.text, 0.16);
    ctx.lineWidth = 1;
    ctx.setLineDash(bar.approximate ? [3, 3] : []);
    const middle = Math.round((left + right) / 2) + 0.5;
    const centre = Math.min(Math.floor((bar.from + end) / 2), plot.gate.limit);
    ctx.beginPath();
    ctx.moveTo(middle, py(plot, bar.high, centre));
    ctx.lineTo(middle, py(plot, Math.max(bar.open, bar.close), centre));
    ctx.moveTo(middle, py(plot, Math.min(bar.open, bar.close), centre));
    ctx.lineTo(middle, py(plot, bar.low, centre));
    ctx.stroke();
    body(plot, bar, left, right, end);
    if (!up) ctx.fill();
    ctx.stroke();
  }
  ctx.setLineDash([]);
}

/** Outline of the body: a box in the price anchor; in the spot anchor its edges follow spot. */
function body(plot: Plot, bar: Candle, left: number, right: number, end: number): void {
  const { ctx, state } = plot;
  const [top, bottom] = [Math.max(bar.open, bar.close), Math.min(bar.open, bar.close)];
  ctx.beginPath();
  if (state.anchor === 'price') {
    const [y0, y1] = [Math.round(py(plot, top, bar.from)), Math.round(py(plot, bottom, bar.from))];
    ctx.rect(Math.round(left) + 0.5, y0 + 0.5, Math.round(right - left), Math.max(1, y1 - y0));
    return;
  }
  const step = Math.max(lodFor(plot.view.pxPerSec), 2);
  const seconds: number[] = [];
  for (let second = Math.max(0, bar.from); second < end; second += step) seconds.push(second);
  const at = (second: number): number => Math.min(right, Math.max(left, px(plot, second)));
  seconds.forEach((second, i) => {
    if (i) ctx.lineTo(at(second), py(plot, top, second));
    else ctx.moveTo(at(second), py(plot, top, second));
  });
  for (const second of seconds.reverse()) ctx.lineTo(at(second), py(plot, bottom, second));
  ctx.closePath();
}
