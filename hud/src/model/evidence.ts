/**
 * Evidence rows: what a test of algorithmic behaviour found, when it became known, and its negative controls; how many
 * groups each test tried; and minute by minute the share of messages owed to findings of earlier dates.
 */
import { type Gate, mayKnow } from '../core/timegate.ts';

export type Verdict = 'none' | 'weak' | 'supported' | 'fact';
export interface Evidence {
  readonly id: string;
  readonly test: string;
  readonly stratum: string;
  readonly effect: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string;
  /** Where the structure is, in words (`20.5 ms`); empty where it has no place. */
  readonly peak: string;
  /** Found on earlier dates, and known before this one began. */
  readonly earlier: boolean;
  readonly q: number | null;
  readonly nullMethod: string;
  readonly daysSeen: number | null;
  readonly daysReplicated: number | null;
  readonly pFloor: number | null;
  readonly control: boolean;
  /** A failing control of the day: its verdicts do not count. */
  readonly blocked: boolean;
  readonly verdict: Verdict;
  readonly availableFrom: number | null;
  readonly histogram: readonly number[];
  readonly nullBand: readonly number[];
}
const VERDICTS: readonly Verdict[] = ['weak', 'supported', 'fact'];
const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : []);

export function parseEvidence(json: unknown): Evidence[] {
  const rows = (json as { evidence?: unknown } | null)?.evidence;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[]).map((row, i) => ({
    id: String(row.test_row_id ?? i),
    test: String(row.test_id ?? ''),
    stratum: String(row.stratum ?? row.sub_id ?? ''),
    effect: num(row.effect),
    low: num(row.effect_lo),
    high: num(row.effect_hi),
    unit: String(row.effect_unit ?? ''),
    peak: String(row.peak ?? ''),
    earlier: row.earlier === true,
    q: num(row.q_bh),
    nullMethod: String(row.null_method ?? ''),
    daysSeen: num(row.days_seen),
    daysReplicated: num(row.days_replicated),
    pFloor: num(row.p_floor),
    control: row.is_negative_control === true,
    blocked: row.blocked_by_control === true,
    verdict: VERDICTS.find((verdict) => verdict === row.verdict) ?? 'none',
    availableFrom: num(row.available_from),
    histogram: numbers(row.histogram),
    nullBand: numbers(row.null_hi),
  }));
}
export const knownEvidence = (rows: readonly Evidence[], gate: Gate): Evidence[] =>
  rows.filter((row) => mayKnow(gate, row.availableFrom));

/** How many groups of messages a test tried on this date, and in how many it found something. */
export interface Tried {
  readonly test: string;
  readonly groups: number;
  readonly found: number;
}
export function parseTried(json: unknown): Tried[] {
  const rows = (json as { tests?: unknown } | null)?.tests;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[]).map((row) => ({
    test: String(row.test_id ?? ''),
    groups: num(row.groups) ?? 0,
    found: num(row.found) ?? 0,
  }));
}

/** A minute: share of messages owed to findings of earlier dates, and what is usual then; no number where unknown. */
export interface Intensity {
  readonly from: number;
  readonly share: number;
  readonly usual: number;
}
export const MINUTE = 60;
export function parseIntensity(json: unknown): Intensity[] {
  const rows = (json as { intensity?: unknown } | null)?.intensity;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[]).flatMap((row) => {
    const from = num(row.from);
    return from === null ? [] : [{ from, share: num(row.share) ?? Number.NaN, usual: num(row.usual) ?? Number.NaN }];
  });
}
/** The minutes that are over at the gate, `count` of them at most, the last one last; gaps are filled without a number. */
export function knownIntensity(rows: readonly Intensity[], gate: Gate, count: number): Intensity[] {
  const known = rows.filter((row) => mayKnow(gate, row.from + MINUTE - 1));
  const last = known.at(-1);
  if (!last) return [];
  const at = new Map(known.map((row) => [row.from, row]));
  const first = Math.max(known[0]!.from, last.from - (count - 1) * MINUTE);
  const filled: Intensity[] = [];
  for (let from = first; from <= last.from; from += MINUTE)
    filled.push(at.get(from) ?? { from, share: Number.NaN, usual: Number.NaN });
  return filled;
}
