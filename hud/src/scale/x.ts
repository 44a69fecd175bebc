/** Time axis: linear in seconds. */
import type { View } from '../core/store.ts';

export const MIN_PX_PER_SEC = 0.02;
export const MAX_PX_PER_SEC = 24;
export const LOD_LEVELS = [1, 4, 16, 64] as const;
export type Lod = (typeof LOD_LEVELS)[number];

export const xOf = (view: View, second: number): number => (second - view.x0) * view.pxPerSec;
export const secAt = (view: View, px: number): number => view.x0 + px / view.pxPerSec;

/** Largest level that is no coarser than a pixel. */
export function lodFor(pxPerSec: number): Lod {
  const perPixel = 1 / pxPerSec;
  let level: Lod = 1;
  for (const candidate of LOD_LEVELS) if (candidate <= perPixel) level = candidate;
  return level;
}

/** Zoomed by `factor` with the second under `px` held in place. */
export function zoomTime(view: View, factor: number, px: number): View {
  const pxPerSec = Math.min(MAX_PX_PER_SEC, Math.max(MIN_PX_PER_SEC, view.pxPerSec * factor));
  return { ...view, pxPerSec, x0: secAt(view, px) - px / pxPerSec };
}
