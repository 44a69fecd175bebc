/** Grid, time axis below and price axis to the right. Labels use one zone; price steps are round in points. */
import { NO_TICK } from '../core/units.ts';
import { priceMarks, priceStep, timeMarks, timeStep } from '../scale/ticks.ts';
import { tickAt, yOf } from '../scale/y.ts';
import { formatPoints, formatPrice } from '../wire/manifest.ts';
import { css } from './palette.ts';
import { FONT, type Plot, px, TEXT } from './plot.ts';

export const AXIS_WIDTH = Math.round(62 * TEXT);
export const AXIS_HEIGHT = Math.round(20 * TEXT);

export function drawGrid(plot: Plot): void {
  const { ctx, view, width, height, colours } = plot;
  ctx.strokeStyle = css(colours.grid, 0.9);
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const second of marksX(plot)) {
    const x = Math.round(px(plot, second)) + 0.5;
    ctx.moveTo(x, 0);
    ctx.lineTo(x, height);
  }
  for (const tick of marksY(plot)) {
    const y = Math.round(yOf(view, height, tick)) + 0.5;
    ctx.moveTo(0, y);
    ctx.lineTo(width, y);
  }
  ctx.stroke();
}

export function drawAxes(plot: Plot): void {
  const { ctx, view, width, height, colours, labels, manifest, state } = plot;
  ctx.fillStyle = css(colours.panel);
  ctx.fillRect(width, 0, AXIS_WIDTH, height + AXIS_HEIGHT);
  ctx.fillRect(0, height, width + AXIS_WIDTH, AXIS_HEIGHT);
  ctx.font = FONT;
  ctx.fillStyle = css(colours.dim);
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  for (const tick of marksY(plot)) {
    const y = yOf(view, height, tick);
    if (y < 7 * TEXT || y > height - 7 * TEXT) continue;
    const text = state.anchor === 'price' ? formatPrice(manifest, tick) : `${formatPoints(manifest, tick)}`;
    ctx.fillText(text, width + 7, y + 0.5);
  }
  ctx.textAlign = 'center';
  const step = timeStep(view.pxPerSec, 70 * TEXT);
  for (const second of marksX(plot)) {
    const x = px(plot, second);
    if (x < 20 * TEXT || x > width - 24 * TEXT) continue;
    ctx.fillText(step < 60 ? labels.full(second - 1) : labels.minutes(second - 1), x, height + AXIS_HEIGHT / 2 + 0.5);
  }
  ctx.textAlign = 'left';
  ctx.fillText(labels.short, width + 7, height + AXIS_HEIGHT / 2 + 0.5);
  ctx.strokeStyle = css(colours.grid);
  ctx.beginPath();
  ctx.moveTo(0, height + 0.5);
  ctx.lineTo(width + 0.5, height + 0.5);
  ctx.lineTo(width + 0.5, 0);
  ctx.stroke();
}

/** Boundaries: second `s` begins when second `s - 1` ends, so the grid line of 09:45:00 lies between the two. */
function marksX(plot: Plot): number[] {
  const { view, width, labels } = plot;
  const step = timeStep(view.pxPerSec, 70 * TEXT);
  return timeMarks(view.x0, view.x0 + width / view.pxPerSec, step, (second) => labels.secondOfDay(second - 1));
}
function marksY(plot: Plot): number[] {
  const { view, height, manifest } = plot;
  const step = priceStep(view.pxPerTick, 26 * TEXT, Math.max(1, Math.round(1 / manifest.tickSize)));
  return priceMarks(tickAt(view, height, height), tickAt(view, height, 0), step).filter((tick) => tick !== NO_TICK);
}
