/** Day overview: spot by minute, valid share, segments, episodes and the present. Nothing right of it in REPLAY. */
import type { TimeLabels } from '../core/time.ts';
import { type Gate, mayKnow } from '../core/timegate.ts';
import type { Episode } from '../model/episodes.ts';
import { timeMarks } from '../scale/ticks.ts';
import type { SegmentSpec } from '../wire/manifest.ts';
import { type Colours, css } from './palette.ts';
import { FONT, TEXT } from './plot.ts';

export interface Minute {
  readonly sec: number;
  readonly low: number;
  readonly high: number;
  readonly close: number;
  readonly valid: number;
}
const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

export function parseOverview(json: unknown): Minute[] {
  const rows = (json as { minutes?: unknown } | null)?.minutes;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[]).flatMap((row) => {
    const [sec, low, high, close] = ['from', 'spot_min', 'spot_max', 'spot_close'].map((field) => num(row[field]));
    if (sec == null || low == null || high == null || close == null) return [];
    return [{ sec, low, high, close, valid: num(row.valid_share) ?? 1 }];
  });
}

export interface ScrubberInput {
  readonly ctx: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
  readonly now: number;
  readonly window: readonly [number, number];
  readonly gate: Gate;
  readonly minutes: readonly Minute[];
  readonly segments: readonly SegmentSpec[];
  readonly episodes: readonly Episode[];
  readonly colours: Colours;
  readonly labels: TimeLabels;
}

export function drawScrubber(input: ScrubberInput): void {
  const { ctx, width, height, seconds, colours, gate, labels } = input;
  const x = (second: number): number => (second / seconds) * width;
  ctx.fillStyle = css(colours.background);
  ctx.fillRect(0, 0, width, height);
  for (const segment of input.segments) {
    ctx.fillStyle = css(colours.grid, 0.75);
    ctx.fillRect(x(segment.from), 0, x(segment.to) - x(segment.from), height);
  }
  const known = input.minutes.filter((minute) => mayKnow(gate, Math.min(minute.sec + 59, seconds - 1)));
  if (known.length) {
    const low = Math.min(...known.map((m) => m.low));
    const high = Math.max(...known.map((m) => m.high), low + 8);
    const y = (tick: number): number => height - 14 * TEXT - ((tick - low) / (high - low)) * (height - 20 * TEXT);
    ctx.fillStyle = css(colours.spot, 0.75);
    for (const minute of known) {
      ctx.globalAlpha = minute.valid < 0.5 ? 0.35 : 1;
      ctx.fillRect(
        x(minute.sec),
        y(minute.high),
        Math.max(1, x(60) - 0.5),
        Math.max(1, y(minute.low) - y(minute.high)),
      );
    }
    ctx.globalAlpha = 1;
    ctx.fillStyle = css(colours.hatch);
    for (const minute of known) if (minute.valid < 0.99) ctx.fillRect(x(minute.sec), height - 3, Math.max(1, x(60)), 3);
  }
  ctx.fillStyle = css(colours.put);
  for (const episode of input.episodes) {
    if (!mayKnow(gate, episode.decision)) continue;
    ctx.beginPath();
    ctx.arc(x(episode.trigger), 5, 3, 0, 7);
    ctx.fill();
  }
  ctx.font = FONT;
  ctx.fillStyle = css(colours.dim);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  const step = [600, 900, 1800, 3600, 7200, 10800].find((s) => x(s) > 56 * TEXT) ?? 14400;
  for (const second of timeMarks(0, seconds, step, (s) => labels.secondOfDay(s - 1))) {
    if (x(second) > 18 * TEXT && x(second) < width - 18 * TEXT)
      ctx.fillText(labels.minutes(second - 1), x(second), height - 7 * TEXT);
  }
  ctx.strokeStyle = css(colours.text, 0.6);
  ctx.lineWidth = 1;
  const [from, to] = input.window;
  ctx.strokeRect(
    x(Math.max(0, from)) + 0.5,
    0.5,
    Math.max(3, x(Math.min(to, seconds)) - x(Math.max(0, from))),
    height - 1,
  );
  ctx.fillStyle = css(colours.focus);
  ctx.fillRect(x(input.now + 1) - 1, 0, 2, height);
}
