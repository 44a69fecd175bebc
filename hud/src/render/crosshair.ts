/** The top canvas: lines through the cursor and their tags on the axes. Pointer moves repaint only this. */
import { axisTick } from '../scale/anchor.ts';
import { yOf } from '../scale/y.ts';
import { formatPoints, formatPrice } from '../wire/manifest.ts';
import { AXIS_HEIGHT, AXIS_WIDTH } from './axes.ts';
import { css } from './palette.ts';
import { FONT, type Plot, px, TEXT, tag } from './plot.ts';

export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

export function drawCrosshair(plot: Plot, box: Box | null): void {
  const { ctx, width, height, state, colours, labels, manifest, view, data } = plot;
  ctx.clearRect(0, 0, width + AXIS_WIDTH, height + AXIS_HEIGHT);
  if (box) {
    ctx.strokeStyle = css(colours.focus);
    ctx.fillStyle = css(colours.focus, 0.12);
    ctx.fillRect(
      Math.min(box.x0, box.x1),
      Math.min(box.y0, box.y1),
      Math.abs(box.x1 - box.x0),
      Math.abs(box.y1 - box.y0),
    );
    ctx.strokeRect(
      Math.min(box.x0, box.x1) + 0.5,
      Math.min(box.y0, box.y1) + 0.5,
      Math.abs(box.x1 - box.x0),
      Math.abs(box.y1 - box.y0),
    );
  }
  const cursor = state.cursor;
  if (!cursor) return;
  const spot = data.lastSpot(Math.min(cursor.sec, plot.gate.limit));
  const axis = axisTick(state.anchor, cursor.tick, spot);
  const x = Math.round(px(plot, cursor.sec + 0.5)) + 0.5;
  const y = Math.round(yOf(view, height, axis)) + 0.5;
  ctx.strokeStyle = css(colours.text, 0.55);
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  if (x >= 0 && x <= width) {
    ctx.moveTo(x, 0);
    ctx.lineTo(x, height);
  }
  if (y >= 0 && y <= height) {
    ctx.moveTo(0, y);
    ctx.lineTo(width, y);
  }
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.font = FONT;
  if (y >= 0 && y <= height) {
    const text = state.anchor === 'price' ? formatPrice(manifest, cursor.tick) : formatPoints(manifest, axis);
    tag(ctx, text, width + 1, y, css(colours.hatch), css(colours.text));
  }
  if (x >= 0 && x <= width) {
    const time = labels.full(cursor.sec);
    tag(
      ctx,
      time,
      Math.min(width - 60 * TEXT, Math.max(0, x - 28 * TEXT)),
      height + AXIS_HEIGHT / 2,
      css(colours.hatch),
      css(colours.text),
    );
  }
}
