/** Price axis: linear in ticks. A tick owns the pixels within half a tick of it. */
import type { View } from '../core/store.ts';

export const MIN_PX_PER_TICK = 0.5;
export const MAX_PX_PER_TICK = 24;
/** Several ticks on one pixel are pooled up to this many; the zoom stops there. */
export const MAX_POOLED_TICKS = 4;

export const yOf = (view: View, height: number, tick: number): number =>
  height / 2 - (tick - view.yMid) * view.pxPerTick;
export const tickAt = (view: View, height: number, py: number): number =>
  view.yMid + (height / 2 - py) / view.pxPerTick;

/** Zoomed by `factor` with the price under `py` held in place. */
export function zoomPrice(view: View, height: number, factor: number, py: number): View {
  const pxPerTick = Math.min(MAX_PX_PER_TICK, Math.max(MIN_PX_PER_TICK, view.pxPerTick * factor));
  return { ...view, pxPerTick, yMid: tickAt(view, height, py) - (height / 2 - py) / pxPerTick };
}
