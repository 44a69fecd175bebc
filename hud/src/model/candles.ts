/** Two-minute candles: closed bars from the table where there is one, else from the trades of each second. */
import { type Gate, mayKnow } from '../core/timegate.ts';
import { NO_TICK } from '../core/units.ts';
import type { SessionData } from './session.ts';

export const BAR_SECONDS = 120;

export interface Candle {
  /** First second, and the first one after the bar. */
  readonly from: number;
  readonly to: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** False for the bar that is still forming. */
  readonly closed: boolean;
  /** True where only last trades were known, so that high and low may be too small. */
  readonly approximate: boolean;
  readonly sma200: number | null;
  readonly sma400: number | null;
}

/** First second of the bar that holds `second`; bars start at whole multiples of two minutes of UTC. */
export function barStart(second: number, t0Ns: bigint): number {
  const phase = Number((t0Ns / 1_000_000_000n) % BigInt(BAR_SECONDS));
  return Math.floor((second + phase) / BAR_SECONDS) * BAR_SECONDS - phase;
}

/** The bar `[from, from + 120)` out of the seconds up to `limit`; null where nothing traded. */
export function barFromSeconds(data: SessionData, from: number, limit: number): Candle | null {
  const { open_tick, high_tick, low_tick, last_tick } = data.snap;
  let [open, high, low, close] = [NO_TICK, NO_TICK, NO_TICK, NO_TICK];
  let approximate = false;
  const to = from + BAR_SECONDS;
  for (let second = Math.max(0, from); second < to && second <= limit; second++) {
    const traded = open_tick[second] !== NO_TICK;
    const [o, h, l] = traded
      ? [open_tick[second]!, high_tick[second]!, low_tick[second]!]
      : [NO_TICK, NO_TICK, NO_TICK];
    if (!traded) continue;
    const c = last_tick[second]!;
    if (open === NO_TICK) open = o;
    const [top, bottom] = h === NO_TICK || l === NO_TICK ? [Math.max(o, c), Math.min(o, c)] : [h, l];
    if (h === NO_TICK || l === NO_TICK) approximate = true;
    high = high === NO_TICK ? top : Math.max(high, top);
    low = low === NO_TICK ? bottom : Math.min(low, bottom);
    close = c;
  }
  if (open === NO_TICK) return null;
  return { from, to, open, high, low, close, closed: to - 1 <= limit, approximate, sma200: null, sma400: null };
}

interface RawCandle {
  readonly bar_start?: unknown;
  readonly [field: string]: unknown;
}
const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

/** Bars of `GET .../candles`; rows without four prices are left out. */
export function parseCandles(json: unknown): Candle[] {
  const rows = (json as { candles?: unknown } | null)?.candles;
  if (!Array.isArray(rows)) return [];
  return (rows as RawCandle[]).flatMap((row) => {
    const [from, open, high, low, close] = ['from', 'open_tick', 'high_tick', 'low_tick', 'close_tick'].map((f) =>
      num(row[f]),
    );
    if (from == null || open == null || high == null || low == null || close == null) return [];
    return [
      {
        from,
        to: num(row.to) ?? from + BAR_SECONDS,
        open,
        high,
        low,
        close,
        closed: true,
        approximate: false,
        sma200: num(row.sma200_tick),
        sma400: num(row.sma400_tick),
      },
    ];
  });
}

/** Bars that touch `[first, last]` and may be seen; the forming bar last. */
export function candlesIn(
  data: SessionData,
  table: readonly Candle[],
  gate: Gate,
  first: number,
  last: number,
): Candle[] {
  const t0 = data.manifest.t0Ns;
  const known = new Map(table.map((bar) => [bar.from, bar]));
  const out: Candle[] = [];
  const end = Math.min(last, gate.limit);
  for (let from = barStart(first, t0); from <= end; from += BAR_SECONDS) {
    const stored = known.get(from);
    const bar = stored && mayKnow(gate, stored.to - 1) ? stored : barFromSeconds(data, from, gate.limit);
    if (bar) out.push(bar);
  }
  return out;
}
