/** Right margin: the book of the present column as bars, so that the space ahead of the present is not empty. */
import { isDrawn, NO_TICK } from '../core/units.ts';
import { yOf } from '../scale/y.ts';
import { column } from '../wire/manifest.ts';
import { decode } from '../wire/transfer.ts';
import { css } from './palette.ts';
import { longest, type Plot, px } from './plot.ts';

export function drawProfile(plot: Plot): void {
  const { ctx, view, width, height, state, data, gate, manifest, colours } = plot;
  const now = Math.min(state.now, gate.limit);
  // Where more than the present is shown, the margin holds data.
  if (gate.limit > now) return;
  const left = px(plot, now + 1);
  const cells = data.cells.get('wall.depth');
  const transfer = column(manifest, 'wall', 'depth')?.transfer;
  const spot = data.spot(now);
  if (
    left > width - 12 ||
    left < -width ||
    spot === NO_TICK ||
    !cells ||
    !transfer ||
    !isDrawn(data.state(now), data.flags(now))
  )
    return;
  const room = Math.min(width - left - 6, 150);
  const half = manifest.halfTicks;
  const thick = Math.max(1, Math.min(view.pxPerTick - 1, 14));
  const bars: { y: number; qty: number }[] = [];
  for (let rel = -half; rel <= half; rel++) {
    const y = yOf(view, height, state.anchor === 'price' ? spot + rel : rel);
    if (y < -view.pxPerTick || y > height + view.pxPerTick) continue;
    const code = cells.code(1, now, half + rel);
    const qty = decode(transfer, code);
    if (qty) bars.push({ y, qty });
  }
  const most = longest(bars.map((bar) => Math.abs(bar.qty)));
  for (const { y, qty } of bars) {
    const share = Math.min(1, Math.abs(qty) / most);
    ctx.fillStyle = css(qty < 0 ? colours.bid : colours.ask, 0.14 + 0.4 * share);
    ctx.fillRect(left + 5, y - thick / 2, share * room, thick);
  }
}
