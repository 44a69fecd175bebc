/** Evidence rows: what a test of algorithmic behaviour found, when it became known, and its negative controls. */
import { type Gate, mayKnow } from '../core/timegate.ts';

export type Verdict = 'none' | 'weak' | 'supported';
export interface Evidence {
  readonly id: string;
  readonly test: string;
  readonly stratum: string;
  readonly effect: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string;
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
    q: num(row.q_bh),
    nullMethod: String(row.null_method ?? ''),
    daysSeen: num(row.days_seen),
    daysReplicated: num(row.days_replicated),
    pFloor: num(row.p_floor),
    control: row.is_negative_control === true,
    blocked: row.blocked_by_control === true,
    verdict: row.verdict === 'weak' || row.verdict === 'supported' ? row.verdict : 'none',
    availableFrom: num(row.available_from),
    histogram: numbers(row.histogram),
    nullBand: numbers(row.null_hi),
  }));
}
export const knownEvidence = (rows: readonly Evidence[], gate: Gate): Evidence[] =>
  rows.filter((row) => mayKnow(gate, row.availableFrom));
