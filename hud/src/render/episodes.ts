/** Episodes on the plot: touch markers, and for the chosen candle setup the look-back and the look-forward box. */
import { boxes, type Episode, knownEpisodes, outcomeOf } from '../model/episodes.ts';
import { css } from './palette.ts';
import { FONT, type Plot, px, py } from './plot.ts';

export function drawEpisodes(plot: Plot, episodes: readonly Episode[]): void {
  const { ctx, gate, colours, height, width, state } = plot;
  ctx.font = FONT;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  for (const episode of knownEpisodes(episodes, gate)) {
    // One setup's boxes at a time: several a candle would cover the book that they are about.
    const both = episode.id === state.episode ? boxes(episode, gate) : null;
    if (both) {
      ctx.strokeStyle = css(colours.put, 1);
      ctx.setLineDash([]);
      ctx.lineWidth = 1.5;
      const [a, b] = [px(plot, both.back[0]), px(plot, both.back[1])];
      if (b > 0 && a < width) ctx.strokeRect(a + 0.5, 24.5, b - a, height - 49);
      const [c, d] = [px(plot, both.forward[0]), px(plot, both.forward[1])];
      if (d > 0 && c < width) {
        ctx.setLineDash([3, 3]);
        ctx.strokeStyle = css(colours.dim, 0.9);
        if (!both.elapsed) {
          ctx.fillStyle = css(colours.hatch, 0.35);
          ctx.fillRect(c, 24, d - c, height - 48);
        }
        ctx.strokeRect(c + 0.5, 24.5, d - c, height - 49);
        ctx.setLineDash([]);
        ctx.fillStyle = css(colours.dim);
        ctx.fillText(
          both.elapsed ? (outcomeOf(episode, gate) ?? 'no outcome') : 'outcome not yet known',
          c + 5,
          height - 34,
        );
      }
    }
    if (episode.tick === null) continue;
    const [x, y] = [px(plot, episode.trigger), py(plot, episode.tick, Math.min(episode.trigger, gate.limit))];
    if (!(x > -10 && x < width + 10) || Number.isNaN(y)) continue;
    const up = episode.direction !== 'down';
    ctx.fillStyle = css(colours.put);
    ctx.strokeStyle = css(colours.background);
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - 6, y + (up ? 11 : -11));
    ctx.lineTo(x + 6, y + (up ? 11 : -11));
    ctx.closePath();
    ctx.stroke();
    ctx.fill();
    if (episode.touch !== null) {
      ctx.fillStyle = css(colours.text);
      ctx.fillText(`#${episode.touch}`, x + 8, y + (up ? 8 : -8));
    }
  }
}
