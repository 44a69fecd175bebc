/** Level lines with their names at the left edge, only where and while they are valid. */
import { mayKnow } from '../core/timegate.ts';
import { type Level, levelName, levelStyle, shownByDefault, validAt } from '../model/levels.ts';
import { css } from './palette.ts';
import { FONT, type Plot, px, py, traceTick } from './plot.ts';

const DASH = { solid: [], dotted: [2, 3], dashed: [7, 4] } as const;

export function drawLevels(plot: Plot, levels: readonly Level[]): void {
  const { ctx, gate, width, colours, view } = plot;
  const end = view.x0 + width / view.pxPerSec;
  ctx.lineWidth = 1.25;
  ctx.font = FONT;
  const labelled: number[] = [];
  for (const level of levels) {
    if (!mayKnow(gate, level.from) || !shownByDefault(level.type) || level.from > end) continue;
    const open = level.to === null || level.to > gate.limit;
    const to = open ? end : level.to!;
    if (to < view.x0) continue;
    ctx.strokeStyle = css(colours.focus, 0.85);
    ctx.setLineDash([...DASH[levelStyle(level.type)]]);
    ctx.beginPath();
    traceTick(plot, level.tick, level.from, to);
    ctx.stroke();
    if (!open && !validAt(level, gate.limit)) continue;
    const y = py(plot, level.tick, Math.min(gate.limit, Math.max(level.from, Math.ceil(view.x0))));
    if (!(y > 8 && y < plot.height - 8) || labelled.some((other) => Math.abs(other - y) < 14)) continue;
    labelled.push(y);
    ctx.setLineDash([]);
    const text = levelName(level.type);
    const x = Math.max(6, px(plot, level.from) + 6);
    const w = ctx.measureText(text).width;
    ctx.fillStyle = css(colours.background, 0.72);
    ctx.fillRect(x - 3, y - 15, w + 6, 13);
    ctx.fillStyle = css(colours.focus);
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    ctx.fillText(text, x, y - 8);
  }
  ctx.setLineDash([]);
}
