/** Analogues of an episode: strictly earlier dates. Outcomes and probabilities are present only after revealing. */
export interface Analogue {
  readonly rank: number;
  readonly date: string;
  readonly distance: number;
  readonly weight: number | null;
  readonly levelTypes: string;
  readonly touch: number | null;
  readonly outcome: string | null;
  /** Spot relative to the level in ticks, one per second up to the decision. */
  readonly path: readonly number[];
}
export interface AnalogueAnswer {
  readonly abstain: boolean;
  readonly reason: string;
  readonly sessions: number | null;
  readonly effective: number | null;
  readonly novelty: number | null;
  readonly revealed: boolean;
  /** Outcome -> [probability, base rate]; empty unless revealed. */
  readonly odds: ReadonlyMap<string, readonly [number, number]>;
  readonly neighbours: readonly Analogue[];
}
const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

export function parseAnalogues(json: unknown, reveal: boolean): AnalogueAnswer {
  const body = (json ?? {}) as Record<string, unknown>;
  const rows = Array.isArray(body.neighbours) ? (body.neighbours as Record<string, unknown>[]) : [];
  const odds = new Map<string, readonly [number, number]>();
  if (reveal) {
    for (const outcome of ['break', 'reject', 'chop']) {
      const [p, p0] = [num(body[`p_${outcome}`]), num(body[`p0_${outcome}`])];
      // A probability is never shown without its base rate.
      if (p !== null && p0 !== null) odds.set(outcome, [p, p0]);
    }
  }
  return {
    abstain: body.abstain === true,
    reason: String(body.abstain_reason ?? ''),
    sessions: num(body.n_sessions),
    effective: num(body.n_eff),
    novelty: num(body.novelty),
    revealed: reveal,
    odds,
    neighbours: rows.map((row, i) => ({
      rank: num(row.rank) ?? i + 1,
      date: String(row.session_date ?? ''),
      distance: num(row.distance) ?? Number.NaN,
      weight: num(row.weight),
      levelTypes: Array.isArray(row.level_types) ? row.level_types.join(' ') : '',
      touch: num(row.touch_index),
      outcome: reveal && typeof row.outcome === 'string' ? row.outcome : null,
      path: Array.isArray(row.path) ? row.path.map((value) => num(value) ?? Number.NaN) : [],
    })),
  };
}

/** Wilson interval (Wilson 1927) of `hits` out of `n` at 95 %. */
export function wilson(hits: number, n: number): readonly [number, number] {
  if (n === 0) return [0, 1];
  const z = 1.959964;
  const p = hits / n;
  const centre = p + (z * z) / (2 * n);
  const spread = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [(centre - spread) / (1 + (z * z) / n), (centre + spread) / (1 + (z * z) / n)];
}
