/**
 * The only place that answers "may this be shown?".
 *
 * Renderer, panels, hover, scrubber and exports ask the gate; nothing else compares a second with the present.
 */
export type Mode = 'replay' | 'review' | 'live';

export interface Gate {
  readonly mode: Mode;
  /** Last second whose window is known. In REVIEW the last of the session. */
  readonly limit: number;
}

export const gateFor = (mode: Mode, now: number, lastSec: number): Gate => ({
  mode,
  limit: mode === 'review' ? lastSec : Math.min(now, lastSec),
});

/** A single second. */
export const maySee = (gate: Gate, second: number): boolean => second >= 0 && second <= gate.limit;

/** A pooled group of `lod` seconds: shown only once its last member is known, as the pooled value mixes all of them. */
export const maySeeGroup = (gate: Gate, group: number, lod: number, seconds: number): boolean =>
  Math.min((group + 1) * lod, seconds) - 1 <= gate.limit;

/** An item that became known at `availableFrom`, null where it never did. */
export const mayKnow = (gate: Gate, availableFrom: number | null): boolean =>
  availableFrom !== null && availableFrom <= gate.limit;

/** `as_of` of a request: absent in REVIEW, where the whole session may be asked for. */
export const asOf = (gate: Gate): number | undefined => (gate.mode === 'review' ? undefined : gate.limit);
