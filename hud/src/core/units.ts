/** Branded integers: a tick is no second, and neither is a price or a code. */
declare const unit: unique symbol;
type Branded<T extends string> = number & { readonly [unit]: T };

/** Index of a one-second window since the start of the session (first window = 0). */
export type Sec = Branded<'sec'>;
/** Price in ticks of the instrument (price / tick size). */
export type Tick = Branded<'tick'>;

/** What stands for "no tick" on the wire (int32 minimum). */
export const NO_TICK = -2147483648;
/** What stands for "no quantity" on the wire. */
export const NO_QTY = -1;

export const sec = (value: number): Sec => Math.trunc(value) as Sec;
export const tick = (value: number): Tick => Math.trunc(value) as Tick;

/** Validity of a one-second window. Only VALID windows are drawn normally. */
export const STATE = { MISSING: 0, NO_SNAPSHOT: 1, IN_SNAPSHOT: 2, VALID: 3 } as const;
export const FLAG = {
  GAP: 1,
  MAYBE_BAD_BOOK: 2,
  CROSSED: 4,
  STALE_SPOT: 8,
  HALT_OR_PREOPEN: 16,
  CLIPPED: 32,
  PARTIAL: 64,
  WINDOW_INVALID: 128,
} as const;
/** Windows that carry any of these are hatched: their cells are no measurement of a standing book. */
export const HATCH_FLAGS = FLAG.MAYBE_BAD_BOOK | FLAG.CROSSED | FLAG.HALT_OR_PREOPEN | FLAG.WINDOW_INVALID;

/** Why a window is hatched, in words; empty for a window that is drawn normally. */
export function windowReason(state: number, flags: number): string {
  if (state === STATE.MISSING) return 'no window';
  if (state === STATE.NO_SNAPSHOT) return 'no book yet';
  if (state === STATE.IN_SNAPSHOT) return 'book being rebuilt';
  const reasons: string[] = [];
  if (flags & FLAG.WINDOW_INVALID) reasons.push('window not valid');
  if (flags & FLAG.MAYBE_BAD_BOOK) reasons.push('feed doubts the book');
  if (flags & FLAG.CROSSED) reasons.push('crossed book');
  if (flags & FLAG.HALT_OR_PREOPEN) reasons.push('not in continuous trading');
  return reasons.join(', ');
}

/** True where a window is drawn as a measurement. */
export const isDrawn = (state: number, flags: number): boolean => state === STATE.VALID && !(flags & HATCH_FLAGS);

const groups = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
/** Contracts, grouped by thousands; a dash where there is no value. */
export const formatQty = (value: number | null): string => (value === null ? '—' : groups.format(value));

/** Score with a fixed number of decimals and a true minus sign; a dash where there is no value. */
export function formatScore(value: number | null, decimals = 2, signed = false): string {
  if (value === null || Number.isNaN(value)) return '—';
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return (0).toFixed(decimals);
  if (value < 0) return `−${text}`;
  return signed ? `+${text}` : text;
}
