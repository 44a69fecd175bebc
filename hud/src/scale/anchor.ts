/**
 * Anchors. Under `price` the axis counts absolute ticks and spot is a path; under `spot` it counts ticks from the spot
 * of each column and spot is a straight line. Both read the same cells: only the origin of a column differs.
 */
import type { Anchor, Follow, View } from '../core/store.ts';
import { NO_TICK } from '../core/units.ts';

/** Axis position of an absolute tick in a column whose spot is `spot`; NaN where the column has no spot. */
export const axisTick = (anchor: Anchor, absolute: number, spot: number): number =>
  anchor === 'price' ? absolute : spot === NO_TICK ? Number.NaN : absolute - spot;

/** Ticks from spot at an axis position; NaN where the column has no spot. */
export const relTick = (anchor: Anchor, axis: number, spot: number): number =>
  anchor === 'spot' ? axis : spot === NO_TICK ? Number.NaN : axis - spot;

/** The same place after the anchor changed, given the spot of the column at the present. */
export const reanchored = (view: View, to: Anchor, spot: number): View =>
  spot === NO_TICK ? view : { ...view, yMid: to === 'spot' ? view.yMid - spot : view.yMid + spot };

/** Vertical middle after spot moved to `axisSpot` (its axis position): dead band is the middle half of the plot. */
export function recentred(view: View, height: number, axisSpot: number, mode: Follow): View {
  if (mode === 'manual' || Number.isNaN(axisSpot)) return view;
  const distance = Math.abs(axisSpot - view.yMid) * view.pxPerTick;
  if (mode === 'deadband' && distance <= height / 4) return view;
  return view.yMid === axisSpot ? view : { ...view, yMid: axisSpot };
}
