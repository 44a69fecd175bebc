/** Everything above the heat map, in order; one call per frame. */
import { isDrawn, NO_TICK, windowReason } from '../core/units.ts';
import { type Candle, candlesIn } from '../model/candles.ts';
import type { Episode } from '../model/episodes.ts';
import type { Level } from '../model/levels.ts';
import { NOT_LOADED } from '../model/session.ts';
import { yOf } from '../scale/y.ts';
import { formatPrice } from '../wire/manifest.ts';
import { AXIS_HEIGHT, AXIS_WIDTH, drawAxes, drawGrid } from './axes.ts';
import { drawCandles } from './candles.ts';
import { drawEpisodes } from './episodes.ts';
import { drawGexLines } from './gex.ts';
import { drawLevelLabel, drawLevels } from './levels.ts';
import { drawMarks } from './marks.ts';
import { css } from './palette.ts';
import { FONT, FONT_BOLD, type Plot, px, py, TEXT, tag, visible } from './plot.ts';
import { drawProfile } from './profile.ts';
import { drawSpot } from './spot.ts';

export interface Items {
  readonly levels: readonly Level[];
  readonly candles: readonly Candle[];
  readonly episodes: readonly Episode[];
  /** Seconds that were not delivered and not yet fetched. */
  readonly gaps: readonly (readonly [number, number])[];
  readonly showSpot: boolean;
  readonly showProfile: boolean;
}

export function drawOverlay(plot: Plot, items: Items): void {
  const { ctx, width, height, state } = plot;
  ctx.clearRect(0, 0, width + AXIS_WIDTH, height + AXIS_HEIGHT);
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, 0, width, height);
  ctx.clip();
  ctx.globalAlpha = 0.55;
  drawGrid(plot);
  ctx.globalAlpha = 1;
  if (items.showProfile) drawProfile(plot);
  if (state.showGex) drawGexLines(plot);
  const [first, last] = visible(plot);
  if (state.showCandles) drawCandles(plot, candlesIn(plot.data, items.candles, plot.gate, first, last));
  const labels = state.showLevels ? drawLevels(plot, items.levels) : [];
  if (state.showBands) {
    drawBandEdges(plot);
    drawMarks(plot);
  }
  drawEpisodes(plot, items.episodes);
  if (items.showSpot) drawSpot(plot);
  for (const label of labels) drawLevelLabel(plot, label);
  drawGaps(plot, items.gaps);
  drawPresent(plot);
  if (plot.manifest.simulated) watermark(plot);
  ctx.restore();
  drawAxes(plot);
  drawSpotTag(plot);
}

/** Edges of the bands around spot at the present, on the margin to its right. */
function drawBandEdges(plot: Plot): void {
  const { ctx, view, width, height, state, manifest, colours, data } = plot;
  const now = Math.min(state.now, plot.gate.limit);
  const spot = data.lastSpot(now);
  const left = px(plot, now + 1);
  if (spot === NO_TICK || left > width - 8 || plot.gate.limit > now) return;
  ctx.strokeStyle = css(colours.dim, 0.55);
  ctx.font = FONT;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  ctx.setLineDash([1, 3]);
  ctx.lineWidth = 1;
  for (const band of manifest.bands) {
    for (const side of [1, -1]) {
      const edge = side * (band.hi + 0.5);
      const y = Math.round(yOf(view, height, state.anchor === 'price' ? spot + edge : edge)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(Math.max(0, left), y);
      ctx.lineTo(width, y);
      ctx.stroke();
      const middle = side * ((band.lo + band.hi) / 2);
      if ((band.hi - band.lo + 1) * view.pxPerTick >= 13 * TEXT) {
        const y = yOf(view, height, state.anchor === 'price' ? spot + middle : middle);
        const w = ctx.measureText(band.name).width;
        ctx.fillStyle = css(colours.background, 0.82);
        ctx.fillRect(width - 6 - w, y - 7 * TEXT, w + 4, 14 * TEXT);
        ctx.fillStyle = css(colours.dim);
        ctx.fillText(band.name, width - 4, y);
      }
    }
  }
  ctx.setLineDash([]);
}

function drawPresent(plot: Plot): void {
  const { ctx, width, height, state, colours, gate } = plot;
  const x = Math.round(px(plot, Math.min(state.now, gate.limit) + 1)) + 0.5;
  if (x < 0 || x > width) return;
  ctx.strokeStyle = css(colours.text, 0.5);
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(x, 0);
  ctx.lineTo(x, height);
  ctx.stroke();
  const now = Math.min(state.now, gate.limit);
  if (plot.data.state(now) === NOT_LOADED || isDrawn(plot.data.state(now), plot.data.flags(now))) return;
  ctx.font = FONT_BOLD;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  ctx.fillStyle = css(colours.focus);
  ctx.fillText(windowReason(plot.data.state(now), plot.data.flags(now)), x - 8, 14 * TEXT);
}

function drawGaps(plot: Plot, gaps: Items['gaps']): void {
  const { ctx, colours } = plot;
  ctx.font = FONT;
  for (const [from, to] of gaps) {
    const [a, b] = [px(plot, from), px(plot, to + 1)];
    if (b < 0 || a > plot.width) continue;
    ctx.strokeStyle = css(colours.focus);
    ctx.lineWidth = 1.5;
    ctx.strokeRect(a, 2, Math.max(2, b - a), 8);
    ctx.fillStyle = css(colours.focus);
    ctx.textAlign = 'left';
    ctx.fillText(`${to - from + 1} s not delivered`, a + 2, 20 * TEXT);
  }
}

function drawSpotTag(plot: Plot): void {
  const { ctx, width, height, state, data, colours, manifest, gate } = plot;
  const now = Math.min(state.now, gate.limit);
  const spot = data.lastSpot(now);
  if (spot === NO_TICK) return;
  const y = Math.min(height - 8 * TEXT, Math.max(8 * TEXT, py(plot, spot, now)));
  ctx.font = FONT_BOLD;
  ctx.fillStyle = css(colours.spot);
  ctx.fillRect(width + 1, y - 9 * TEXT, AXIS_WIDTH - 1, 18 * TEXT);
  tag(ctx, formatPrice(manifest, spot), width + 3, y, css(colours.spot), css(colours.background));
}

function watermark(plot: Plot): void {
  const { ctx, width, height, colours } = plot;
  ctx.save();
  ctx.font = `700 ${Math.round(Math.min(64, width / 12))}px ui-sans-serif, system-ui, sans-serif`;
  ctx.fillStyle = css(colours.text, 0.07);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.translate(width * 0.44, height / 2);
  ctx.rotate(-0.32);
  ctx.fillText('SIMULATED', 0, 0);
  ctx.restore();
}
