/** Seconds of the session to wall-clock text. One zone holds for every label on the screen. */
export type Zone = 'exchange' | 'new_york' | 'utc' | 'local';
export const ZONES: readonly Zone[] = ['exchange', 'new_york', 'utc', 'local'];

export interface SessionClock {
  /** Milliseconds (UTC) at the end of window 0: the first moment at which second 0 is known. */
  readonly firstEndMs: number;
  readonly seconds: number;
  readonly exchangeTz: string;
}

export function zoneName(zone: Zone, exchangeTz: string): string {
  if (zone === 'exchange') return exchangeTz;
  if (zone === 'new_york') return 'America/New_York';
  if (zone === 'utc') return 'UTC';
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Makes formatters of `sec` for one zone. `sec` may be fractional or outside the session. */
export class TimeLabels {
  readonly short: string;
  private readonly hms: Intl.DateTimeFormat;
  private readonly hm: Intl.DateTimeFormat;
  private readonly offsetCache = new Map<number, number>();
  private readonly tz: string;

  constructor(
    private readonly clock: SessionClock,
    zone: Zone,
  ) {
    this.tz = zoneName(zone, clock.exchangeTz);
    const base = { timeZone: this.tz, hourCycle: 'h23' } as const;
    this.hms = new Intl.DateTimeFormat('en-GB', { ...base, hour: '2-digit', minute: '2-digit', second: '2-digit' });
    this.hm = new Intl.DateTimeFormat('en-GB', { ...base, hour: '2-digit', minute: '2-digit' });
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: this.tz, timeZoneName: 'short' }).formatToParts(
      clock.firstEndMs,
    );
    this.short = parts.find((part) => part.type === 'timeZoneName')?.value ?? this.tz;
  }

  /** UTC milliseconds of the end of the window. */
  ms(second: number): number {
    return this.clock.firstEndMs + Math.floor(second) * 1000;
  }
  full(second: number): string {
    return this.hms.format(this.ms(second));
  }
  minutes(second: number): string {
    return this.hm.format(this.ms(second));
  }
  /** Seconds since local midnight at the end of the window: where grid lines are anchored. */
  secondOfDay(second: number): number {
    const hour = Math.floor(second / 3600);
    let shift = this.offsetCache.get(hour);
    if (shift === undefined) {
      const [h = 0, m = 0, s = 0] = this.full(hour * 3600)
        .split(':')
        .map(Number);
      shift = h * 3600 + m * 60 + s - hour * 3600;
      this.offsetCache.set(hour, shift);
    }
    return second + shift;
  }
  /** The session second whose end reads `hh:mm[:ss]` in this zone, or null where the text is no time. */
  parse(text: string): number | null {
    const match = /^\s*(\d{1,2}):(\d{2})(?::(\d{2}))?\s*$/.exec(text);
    if (!match) return null;
    const [h, m, s] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
    if (h > 23 || m > 59 || s > 59) return null;
    const wanted = h * 3600 + m * 60 + s;
    const at = wanted - this.secondOfDay(0);
    const wrapped = ((at % 86400) + 86400) % 86400;
    return wrapped < this.clock.seconds ? wrapped : null;
  }
}

/** 75 -> "1:15", 4000 -> "1:06:40". */
export function formatSpan(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [h, m, r] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60];
  const tail = `${String(m).padStart(h ? 2 : 1, '0')}:${String(r).padStart(2, '0')}`;
  return h ? `${h}:${tail}` : tail;
}
