/** Marks of the reading right of the present: how far a side outpaces, what stands in the way, where it is thin. */
import { NO_TICK } from '../core/units.ts';
import { type Facts, parseFacts, type SideFacts } from '../model/facts.ts';
import { axisTick } from '../scale/anchor.ts';
import { yOf } from '../scale/y.ts';
import { css, type Rgb } from './palette.ts';
import { FONT_BOLD, type Plot, px, TEXT } from './plot.ts';

const TRENDS = { building: '▲', eroding: '▼', holding: '▬' } as const;
/** Room that the text of an obstacle needs, px. */
const MIN_ROOM = 48 * TEXT;

export function drawMarks(plot: Plot): void {
  const { state, gate, data, width } = plot;
  const now = Math.min(state.now, gate.limit);
  const left = px(plot, now + 1);
  const spot = data.spot(now);
  const row = data.second('reading', now);
  if (!row || spot === NO_TICK || gate.limit > now || left < 0 || left > width - MIN_ROOM) return;
  const facts: Facts | null = parseFacts(String(row.facts));
  if (!facts) return;
  drawSide(plot, facts.above, 1, left, spot);
  drawSide(plot, facts.below, -1, left, spot);
}

function drawSide(plot: Plot, facts: SideFacts, side: 1 | -1, left: number, spot: number): void {
  const { ctx, manifest, state, view, height, colours, width } = plot;
  const yAt = (tick: number): number => yOf(view, height, axisTick(state.anchor, tick, spot));
  const tickOf = (price: number): number => Math.round(price / manifest.tickSize);
  const half = view.pxPerTick / 2;
  // A price of the facts names the lowest tick of its bucket.
  const bucket = (price: number): readonly [number, number] => [
    yAt(tickOf(price) + manifest.bucketTicks - 1) - half,
    yAt(tickOf(price)) + half,
  ];
  if (facts.run !== null) {
    const [top, bottom] = bucket(facts.run);
    const [from, to] = side > 0 ? [top, yAt(spot)] : [yAt(spot), bottom];
    ctx.fillStyle = css(side > 0 ? colours.bid : colours.ask);
    ctx.fillRect(left + 1, Math.min(from, to), 3, Math.abs(to - from));
  }
  if (facts.thin) {
    const [near, far] = facts.thin.map((price) => yAt(tickOf(price)));
    const [top, bottom] = [Math.min(near!, far!) - half, Math.max(near!, far!) + half];
    ctx.strokeStyle = css(colours.text, 0.7);
    ctx.lineWidth = 1;
    ctx.setLineDash([2, 2]);
    ctx.strokeRect(left + 6.5, Math.round(top) + 0.5, width - left - 10, Math.round(bottom - top));
    ctx.setLineDash([]);
    label(plot, 'thin', left + 10, (top + bottom) / 2, colours.text);
  }
  if (facts.obstacle) {
    const { price, ratio, trend } = facts.obstacle;
    // The bucket of spot holds both sides: the mark stays on its own.
    const [upper, lower] = bucket(price);
    const top = side > 0 ? upper : Math.max(upper, yAt(spot) - half);
    const bottom = side > 0 ? Math.min(lower, yAt(spot) + half) : lower;
    const colour = side > 0 ? colours.ask : colours.bid;
    ctx.strokeStyle = css(colour);
    ctx.lineWidth = 1.5;
    ctx.strokeRect(left + 6, top, width - left - 10, bottom - top);
    label(plot, `${ratio.toFixed(1)}×${TRENDS[trend]}`, left + 9, (top + bottom) / 2, colour);
  }
}

function label({ ctx, colours }: Plot, text: string, x: number, y: number, colour: Rgb): void {
  ctx.font = FONT_BOLD;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  ctx.fillStyle = css(colours.background, 0.82);
  ctx.fillRect(x - 2, y - 7 * TEXT, ctx.measureText(text).width + 4, 14 * TEXT);
  ctx.fillStyle = css(colour);
  ctx.fillText(text, x, y + 0.5);
}
