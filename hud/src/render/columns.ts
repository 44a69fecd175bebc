/** Column strip: depth, flow and vacuum of one second on the price axis of the plot. */

import { maySee } from '../core/timegate.ts';
import { formatQty, isDrawn, NO_TICK } from '../core/units.ts';
import { NOT_LOADED } from '../model/session.ts';
import { yOf } from '../scale/y.ts';
import { column } from '../wire/manifest.ts';
import { decode } from '../wire/transfer.ts';
import { drawGex } from './gex.ts';
import { css } from './palette.ts';
import { FONT, longest, median, type Plot, TEXT } from './plot.ts';

export const STRIP_HEADER = Math.round(20 * TEXT);
/** What the numbers and bars of the strip are; its tooltip. */
export const STRIP_UNITS =
  'depth: contracts (~ decoded); pull·add: contracts of this second, by square root, fills in white; vac: 0..1, idle in the middle; GEX: dollars per 1 % move, calls right, puts left, the mark is the net';
/** Distance of two numbers, px, and the times the median from which a quantity is worth one where room is short. */
const NUMBER_PX = 10 * TEXT;
const STANDS_OUT = 2;

/** Second that the strip shows: the one under the cursor, else the present. */
export function stripSecond(plot: Plot): number {
  const { cursor, now } = plot.state;
  const second = cursor ? cursor.sec : now;
  return maySee(plot.gate, second) ? second : Math.min(now, plot.gate.limit);
}

interface Lane {
  readonly x: number;
  readonly width: number;
}

/** `ctx` covers the strip; rows line up with the plot. */
export function drawStrip(plot: Plot, ctx: CanvasRenderingContext2D, width: number): void {
  const { view, height, data, manifest, colours, state } = plot;
  ctx.fillStyle = css(colours.background);
  ctx.fillRect(0, 0, width, height + STRIP_HEADER);
  ctx.font = FONT;
  const second = stripSecond(plot);
  const spot = data.spot(second);
  const gex = state.showGex && manifest.surfaces.get('gex')?.status === 'ok';
  const unit = width / (gex ? 10.5 : 7.5);
  const lanes: Record<string, Lane> = {
    depth: { x: 0, width: unit * 3 },
    flow: { x: unit * 3, width: unit * 3 },
    vacuum: { x: unit * 6, width: unit * 1.5 },
    gex: { x: unit * 7.5, width: unit * 3 },
  };
  const arrived = data.second('ladder', second) !== null || (data.cells.get('wall.depth')?.loaded(1, second) ?? true);
  if (arrived && spot !== NO_TICK && isDrawn(data.state(second), data.flags(second))) {
    drawDepth(plot, ctx, lanes.depth!, second, spot);
    drawFlow(plot, ctx, lanes.flow!, second, spot);
    drawVacuum(plot, ctx, lanes.vacuum!, second, spot);
  } else {
    ctx.fillStyle = css(colours.dim);
    ctx.textAlign = 'center';
    const loading = data.state(second) === NOT_LOADED || !arrived;
    ctx.fillText(loading ? 'loading' : 'no valid book', width * 0.35, height / 2 - 24);
  }
  if (gex) drawGex(plot, ctx, lanes.gex!.x, lanes.gex!.width, second);
  ctx.strokeStyle = css(colours.grid);
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const lane of [lanes.flow!, lanes.vacuum!, ...(gex ? [lanes.gex!] : [])]) {
    ctx.moveTo(Math.round(lane.x) + 0.5, 0);
    ctx.lineTo(Math.round(lane.x) + 0.5, height);
  }
  if (spot !== NO_TICK) {
    const y = Math.round(yOf(view, height, state.anchor === 'price' ? spot : 0)) + 0.5;
    ctx.moveTo(0, y);
    ctx.lineTo(width, y);
  }
  ctx.stroke();
  if (second !== state.now) {
    ctx.font = FONT;
    const text = plot.labels.full(second);
    ctx.fillStyle = css(colours.panel, 0.9);
    ctx.fillRect(width - 66 * TEXT, 3, 62 * TEXT, 16 * TEXT);
    ctx.fillStyle = css(colours.focus);
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    ctx.fillText(text, width - 8 * TEXT, 3 + 8 * TEXT);
  }
  heads(plot, ctx, [
    ['depth', lanes.depth!],
    ['pull·add', lanes.flow!],
    ['vac', lanes.vacuum!],
    ...(gex ? ([[state.gexFlow ? 'GEX flow' : 'GEX', lanes.gex!]] as [string, Lane][]) : []),
  ]);
}

function heads(plot: Plot, ctx: CanvasRenderingContext2D, names: readonly (readonly [string, Lane])[]): void {
  const { colours, height } = plot;
  ctx.fillStyle = css(colours.panel);
  ctx.fillRect(0, height, ctx.canvas.width, STRIP_HEADER);
  ctx.fillStyle = css(colours.dim);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  for (const [name, lane] of names) ctx.fillText(name, lane.x + lane.width / 2, height + STRIP_HEADER / 2);
}

function rowsInView(plot: Plot, spot: number, draw: (rel: number, y: number) => void, reach: number): void {
  const { view, height, state } = plot;
  for (let rel = -reach; rel <= reach; rel++) {
    const y = yOf(view, height, state.anchor === 'price' ? spot + rel : rel);
    if (y > -view.pxPerTick && y < height + view.pxPerTick) draw(rel, y);
  }
}
const thickness = (plot: Plot): number => Math.max(1, plot.view.pxPerTick - (plot.view.pxPerTick > 4 ? 1 : 0));

function drawDepth(plot: Plot, ctx: CanvasRenderingContext2D, lane: Lane, second: number, spot: number): void {
  const { manifest, data, colours, view } = plot;
  const cells = data.cells.get('wall.depth');
  const transfer = column(manifest, 'wall', 'depth')?.transfer;
  if (!cells || !transfer) return;
  const ladder = data.second('ladder', second);
  const reach = manifest.ladderTicks;
  const thick = thickness(plot);
  const values: Rung[] = [];
  rowsInView(
    plot,
    spot,
    (rel, y) => {
      const exact =
        ladder && Math.abs(rel) <= reach
          ? [(ladder.bid as Int32Array)[reach + rel]!, (ladder.ask as Int32Array)[reach + rel]!]
          : null;
      const decoded = decode(transfer, cells.code(1, second, manifest.halfTicks + rel));
      const qty = exact ? (exact[1]! > exact[0]! ? exact[1]! : -exact[0]!) : decoded;
      if (qty !== null && qty !== 0 && Math.abs(qty) !== 0) values.push({ y, qty, approximate: !exact });
    },
    manifest.halfTicks,
  );
  const most = longest(values.map(({ qty }) => Math.abs(qty)));
  const room = lane.width - 30 * TEXT;
  for (const { y, qty, approximate } of values) {
    const colour = qty < 0 ? colours.bid : colours.ask;
    const length = Math.max(1, Math.min(1, Math.abs(qty) / most) * room);
    ctx.fillStyle = css(colour, approximate ? 0.4 : 0.75);
    ctx.fillRect(lane.x + 2, y - thick / 2, length, thick);
  }
  for (const { y, qty, approximate } of numbered(values, view.pxPerTick)) {
    ctx.fillStyle = css(colours.text, approximate ? 0.6 : 0.95);
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    ctx.fillText(
      approximate ? `~${formatQty(Math.round(Math.abs(qty)))}` : formatQty(Math.abs(qty)),
      lane.x + lane.width - 3,
      y + 0.5,
    );
  }
}

interface Rung {
  readonly y: number;
  readonly qty: number;
  readonly approximate: boolean;
}
/** Rungs whose quantity is written: all where there is room, else the largest that keep clear of each other. */
function numbered(rungs: readonly Rung[], pxPerTick: number): readonly Rung[] {
  if (pxPerTick >= NUMBER_PX) return rungs;
  const usual = median(rungs.map(({ qty }) => Math.abs(qty)));
  const out: Rung[] = [];
  for (const rung of [...rungs].sort((a, b) => Math.abs(b.qty) - Math.abs(a.qty))) {
    if (Math.abs(rung.qty) < STANDS_OUT * usual) break;
    if (out.every((other) => Math.abs(other.y - rung.y) >= NUMBER_PX)) out.push(rung);
  }
  return out;
}

function drawFlow(plot: Plot, ctx: CanvasRenderingContext2D, lane: Lane, second: number, spot: number): void {
  const { manifest, data, colours } = plot;
  const middle = lane.x + lane.width / 2;
  const ladder = data.second('ladder', second);
  const thick = thickness(plot);
  const room = lane.width / 2 - 3;
  ctx.fillStyle = css(colours.grid);
  ctx.fillRect(middle, 0, 1, plot.height);
  if (ladder) {
    const reach = manifest.ladderTicks;
    const [add, pull, fill] = ['add', 'pull', 'fill'].map((name) => ladder[name] as Int32Array);
    let most = 20;
    for (let i = 0; i <= 2 * reach; i++) most = Math.max(most, add![i]!, pull![i]! + Math.max(0, fill![i]!));
    const length = (qty: number): number => Math.sqrt(Math.max(0, qty) / most) * room;
    rowsInView(
      plot,
      spot,
      (rel, y) => {
        const i = reach + rel;
        const colour = rel >= 0 ? colours.ask : colours.bid;
        ctx.fillStyle = css(colour, 0.8);
        ctx.fillRect(middle, y - thick / 2, length(add![i]!), thick);
        ctx.fillStyle = css(colour, 0.38);
        ctx.fillRect(middle - length(pull![i]!), y - thick / 2, length(pull![i]!), thick);
        if (fill![i]! > 0) {
          ctx.fillStyle = css(colours.text);
          ctx.fillRect(
            middle - length(pull![i]! + fill![i]!),
            y - thick / 4,
            Math.max(2, length(pull![i]! + fill![i]!) - length(pull![i]!)),
            Math.max(1, thick / 2),
          );
        }
      },
      reach,
    );
    return;
  }
  const cells = data.cells.get('wall.net_flow');
  if (!cells) return;
  rowsInView(
    plot,
    spot,
    (rel, y) => {
      const code = cells.code(1, second, manifest.halfTicks + rel);
      if (code === 0 || code === 128) return;
      const length = ((code - 128) / 127) * room;
      ctx.fillStyle = css(rel >= 0 ? colours.ask : colours.bid, length > 0 ? 0.6 : 0.35);
      ctx.fillRect(Math.min(middle, middle + length), y - thick / 2, Math.abs(length), thick);
    },
    manifest.halfTicks,
  );
}

function drawVacuum(plot: Plot, ctx: CanvasRenderingContext2D, lane: Lane, second: number, spot: number): void {
  const { manifest, data, colours } = plot;
  const cells = data.cells.get('vacuum.score');
  const transfer = column(manifest, 'vacuum', 'score')?.transfer;
  if (!cells || !transfer) return;
  const middle = lane.x + lane.width / 2;
  const thick = thickness(plot);
  rowsInView(
    plot,
    spot,
    (rel, y) => {
      const score = decode(transfer, cells.code(1, second, manifest.halfTicks + rel));
      if (score === null) return;
      const length = (score - 0.5) * (lane.width - 6);
      ctx.fillStyle = css(colours.text, score > 0.5 ? 0.8 : 0.35);
      ctx.fillRect(Math.min(middle, middle + length), y - thick / 2, Math.max(1, Math.abs(length)), thick);
    },
    manifest.halfTicks,
  );
}
