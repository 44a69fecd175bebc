/**
 * Time level of detail: `L` seconds become one column. Columns are shifted into the price frame of the group's anchor
 * before they are pooled, since a moving spot would smear prices otherwise. Shared with the server by one fixture.
 */
import { NO_TICK, STATE } from '../core/units.ts';
import { codeMagnitude, decode, encode, type Transfer } from '../wire/transfer.ts';

export type PoolName = 'max' | 'last' | 'mean';

/** Spot of the last VALID member, else of the last member with a spot; NO_TICK where no member has one. */
export function groupAnchor(spots: ArrayLike<number>, states: ArrayLike<number>): number {
  for (let i = spots.length - 1; i >= 0; i--) {
    if (states[i] === STATE.VALID && spots[i] !== NO_TICK) return spots[i]!;
  }
  for (let i = spots.length - 1; i >= 0; i--) if (spots[i] !== NO_TICK) return spots[i]!;
  return NO_TICK;
}

/** Worst state of the members. */
export const groupState = (states: Uint8Array): number => states.reduce((a, b) => Math.min(a, b), 255);
/** Flags of any member. */
export const groupFlags = (flags: Uint8Array): number => flags.reduce((a, b) => a | b, 0);

/** Pools the cells of the members (row-major, `width` codes each, oldest first) into `width` codes. */
export function poolCells(
  cells: Uint8Array,
  width: number,
  spots: ArrayLike<number>,
  anchor: number,
  pool: PoolName,
  transfer: Transfer,
): Uint8Array {
  const out = new Uint8Array(width);
  if (anchor === NO_TICK) return out;
  const sums = pool === 'mean' ? new Float64Array(width) : null;
  const counts = pool === 'mean' ? new Uint16Array(width) : null;
  for (let member = 0; member < spots.length; member++) {
    const spot = spots[member]!;
    if (spot === NO_TICK) continue;
    const shift = spot - anchor;
    const first = Math.max(0, -shift);
    const last = Math.min(width, width - shift);
    for (let i = first; i < last; i++) {
      const code = cells[member * width + i]!;
      if (code === 0) continue;
      const at = i + shift;
      if (sums && counts) {
        sums[at] = sums[at]! + (decode(transfer, code) ?? 0);
        counts[at] = counts[at]! + 1;
      } else if (pool === 'last' || out[at] === 0 || codeMagnitude(transfer, code) >= codeMagnitude(transfer, out[at]!))
        out[at] = code;
    }
  }
  if (sums && counts) for (let i = 0; i < width; i++) if (counts[i]) out[i] = encode(transfer, sums[i]! / counts[i]!);
  return out;
}
