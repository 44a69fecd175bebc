/** Level lines with their names at the left edge, only where and while they are valid. */
import { mayKnow } from '../core/timegate.ts';
import { type Level, levelName, levelRank, levelStyle, shortNames, shownByDefault, validAt } from '../model/levels.ts';
import { css } from './palette.ts';
import { FONT, type Plot, px, py, TEXT, traceTick } from './plot.ts';

const DASH = { solid: [], dotted: [2, 3], dashed: [7, 4] } as const;

/** Levels closer than this share one label, px. */
const LABEL_PX = 14 * TEXT;
const MOST_NAMES = 3;

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly names: string[];
  /** How many of them are written. */
  readonly most: number;
}

/** Draws the lines; the labels are returned, to be drawn above what comes later. */
export function drawLevels(plot: Plot, levels: readonly Level[]): readonly Label[] {
  const { ctx, gate, width, colours, view } = plot;
  const end = view.x0 + width / view.pxPerSec;
  ctx.lineWidth = 1.25;
  const labels: Label[] = [];
  const ranked = levels
    .filter((level) => mayKnow(gate, level.from) && shownByDefault(level.type) && level.from <= end)
    .sort((a, b) => levelRank(a.type) - levelRank(b.type));
  for (const level of ranked) {
    const open = level.to === null || level.to > gate.limit;
    const to = open ? end : level.to!;
    if (to < view.x0) continue;
    ctx.strokeStyle = css(colours.focus, plot.state.anchor === 'spot' ? 0.6 : 0.85);
    ctx.setLineDash([...DASH[levelStyle(level.type)]]);
    ctx.beginPath();
    traceTick(plot, level.tick, level.from, to);
    ctx.stroke();
    if (!open && !validAt(level, gate.limit)) continue;
    // Where spot is straight, lines are not: their names stand right of the present, where the lines are now.
    const bent = plot.state.anchor === 'spot';
    const at = bent ? gate.limit : Math.min(gate.limit, Math.max(level.from, Math.ceil(view.x0)));
    const y = py(plot, level.tick, at);
    if (!(y > 8 && y < plot.height - 8)) continue;
    const near = labels.find((label) => Math.abs(label.y - y) < LABEL_PX);
    const x = bent ? px(plot, gate.limit + 1) + 9 : Math.max(6, px(plot, level.from) + 6);
    if (!near) labels.push({ x, y, names: [levelName(level.type)], most: bent ? 1 : MOST_NAMES });
    else if (!near.names.includes(levelName(level.type))) near.names.push(levelName(level.type));
  }
  ctx.setLineDash([]);
  return labels;
}

export function drawLevelLabel({ ctx, colours, width }: Plot, { x, y, names, most }: Label): void {
  const text = shortNames(names, most);
  ctx.font = FONT;
  const w = ctx.measureText(text).width;
  const left = Math.min(x, width - w - 6);
  ctx.fillStyle = css(colours.background, 0.78);
  ctx.fillRect(left - 3, y - 15 * TEXT, w + 6, 13 * TEXT);
  ctx.fillStyle = css(colours.focus);
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  ctx.fillText(text, left, y - 8 * TEXT);
}
