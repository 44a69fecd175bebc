/** Spot, best bid and ask, and the windows between them. */
import { FLAG, NO_TICK, STATE } from '../core/units.ts';
import { axisTick } from '../scale/anchor.ts';
import { lodFor } from '../scale/x.ts';
import { yOf } from '../scale/y.ts';
import { css } from './palette.ts';
import { type Plot, px, visible } from './plot.ts';

/** Seconds per pixel from which best bid and ask would only be noise. */
const BBO_MAX_SECONDS_PER_PX = 4;

function steps(plot: Plot, values: Int32Array, lod: number, spots: Int32Array, dashed: boolean): void {
  const { ctx, view, height, state } = plot;
  const rows = plot.data.rows.get(lodFor(view.pxPerSec))!;
  const [first, last] = visible(plot);
  let drawing = false;
  ctx.beginPath();
  for (let group = Math.floor(first / lod); (group + 1) * lod - 1 <= last; group++) {
    const value = values[group]!;
    const stale = Boolean(rows.flags[group]! & FLAG.STALE_SPOT);
    if (value === NO_TICK || rows.state[group] !== STATE.VALID || stale !== dashed) {
      drawing = false;
      continue;
    }
    const y = yOf(view, height, axisTick(state.anchor, value, spots[group]!));
    const x = px(plot, group * lod);
    if (drawing) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    ctx.lineTo(px(plot, (group + 1) * lod), y);
    drawing = true;
  }
  ctx.stroke();
}

export function drawSpot(plot: Plot): void {
  const { ctx, view, data, colours } = plot;
  const lod = lodFor(view.pxPerSec);
  const rows = data.rows.get(lod)!;
  ctx.lineJoin = 'round';
  if (1 / view.pxPerSec <= BBO_MAX_SECONDS_PER_PX && lod === 1) {
    ctx.lineWidth = 1;
    for (const [column, colour] of [
      ['ask_tick', colours.ask],
      ['bid_tick', colours.bid],
    ] as const) {
      ctx.strokeStyle = css(colour, 0.9);
      steps(plot, data.snap[column], 1, data.snap.spot_tick, false);
    }
  }
  for (const [width, colour] of [
    [3.5, css(colours.background, 0.7)],
    [1.6, css(colours.spot)],
  ] as const) {
    ctx.lineWidth = width;
    ctx.strokeStyle = colour;
    ctx.setLineDash([]);
    steps(plot, rows.spot, lod, rows.spot, false);
    ctx.setLineDash([4, 3]);
    steps(plot, rows.spot, lod, rows.spot, true);
  }
  ctx.setLineDash([]);
}
