/** The second at which a session is opened when the address names none: a quarter of an hour into its trading. */
import type { Minute } from '../render/scrubber.ts';
import type { Manifest } from '../wire/manifest.ts';

/** The opening range of 15 minutes is about to close: the first moment at which most of the picture exists. */
const AFTER_OPEN_S = 14 * 60;
/** Minutes in a row in which spot must move: an indicative price before the open jumps now and then, and stands. */
const MOVING_MINUTES = 3;

/** First second of regular hours; null where the session has none. */
export const regularOpen = (manifest: Manifest): number | null =>
  manifest.segments.find((segment) => segment.name === 'RTH')?.from ?? null;

/** First second at which spot begins to move for good; 0 where it never does. */
export function tradingStart(minutes: readonly Minute[]): number {
  const at = minutes.findIndex((_, i) => {
    const run = minutes.slice(i, i + MOVING_MINUTES);
    return run.length === MOVING_MINUTES && run.every((minute) => minute.high > minute.low);
  });
  return minutes[at]?.sec ?? 0;
}

export const openingSecond = (manifest: Manifest, open: number): number =>
  Math.min(manifest.seconds - 1, open + AFTER_OPEN_S - 1);
