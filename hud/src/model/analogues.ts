/** Setups of strictly earlier dates that resemble an episode or a second. How they ended is there only once revealed. */
export interface Analogue {
  readonly rank: number;
  readonly date: string;
  /** +1 price came from below, -1 from above. */
  readonly direction: number;
  readonly distance: number;
  readonly weight: number | null;
  readonly levelTypes: readonly string[];
  /** Which touch of its level that day it was; null where the lake no longer holds it. */
  readonly touch: number | null;
  readonly outcome: string | null;
  /** Seconds to the barrier, and ticks along the direction: furthest, against it, at the end. Null unless revealed. */
  readonly hit: number | null;
  readonly moves: readonly [number | null, number | null, number | null] | null;
  /** Mid in ticks from that at the decision, along the direction, one per second from `span[0]` on; empty where none is known. */
  readonly path: readonly number[];
}
/** One answer; a question without a clear direction has two. */
export interface AnalogueAnswer {
  readonly queryId: string;
  readonly direction: number;
  readonly abstain: boolean;
  readonly reason: string;
  readonly provisional: boolean;
  readonly sessions: number | null;
  readonly effective: number | null;
  readonly novelty: number | null;
  /** Outcome -> [probability, base rate]; empty unless revealed, and without the number of days behind it. */
  readonly odds: ReadonlyMap<string, readonly [number, number]>;
  readonly neighbours: readonly Analogue[];
  /** Whether the paths of the neighbours have come. */
  readonly drawn: boolean;
}
export interface Analogues {
  readonly episode: string | null;
  readonly kind: string;
  readonly horizon: number;
  readonly provenance: string;
  readonly revealed: boolean;
  /** Seconds from the decision at which paths begin and end. */
  readonly span: readonly [number, number];
  readonly answers: readonly AnalogueAnswer[];
}
type Row = Record<string, unknown>;
export const OUTCOMES = ['break', 'reject', 'chop'] as const;

const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const str = (value: unknown): string => (typeof value === 'string' ? value : '');
const rows = (value: unknown): Row[] => (Array.isArray(value) ? (value as Row[]) : []);

/** An answer of `GET .../episodes/{id}/analogues` or `GET /v1/analogues`, without paths. */
export function parseAnalogues(json: unknown): Analogues {
  const body = (json ?? {}) as Row;
  const query = (body.query ?? {}) as Row;
  const revealed = body.revealed === true;
  return {
    episode: typeof query.episode_id === 'string' ? query.episode_id : null,
    kind: str(query.kind),
    horizon: num(query.horizon_s) ?? 0,
    provenance: str(body.provenance),
    revealed,
    span: [0, 0],
    answers: rows(body.answers).map((row) => parseAnswer(row, revealed)),
  };
}

function parseAnswer(row: Row, revealed: boolean): AnalogueAnswer {
  const result = (row.result ?? {}) as Row;
  const sessions = num(result.n_sessions);
  const odds = new Map<string, readonly [number, number]>();
  if (revealed && sessions !== null) {
    for (const outcome of OUTCOMES) {
      const [p, p0] = [num(result[`p_${outcome}`]), num(result[`p0_${outcome}`])];
      // A probability is never shown without its base rate and the days behind it.
      if (p !== null && p0 !== null) odds.set(outcome, [p, p0]);
    }
  }
  return {
    queryId: str(result.query_id),
    direction: num(row.direction) ?? 0,
    abstain: result.abstain === true,
    reason: str(result.abstain_reason),
    provisional: result.provisional === true,
    sessions,
    effective: num(result.n_eff),
    novelty: num(result.novelty),
    odds,
    drawn: false,
    neighbours: rows(row.neighbours).map((near, i) => ({
      rank: num(near.rank) ?? i + 1,
      date: str(near.session_date),
      direction: num(near.direction) ?? 0,
      distance: num(near.distance) ?? Number.NaN,
      weight: num(near.weight),
      levelTypes: Array.isArray(near.level_types) ? near.level_types.map(String) : [],
      touch: num(near.touch_index),
      outcome: revealed && typeof near.outcome === 'string' ? near.outcome : null,
      hit: revealed ? num(near.t_hit_s) : null,
      moves: revealed ? [num(near.mfe_ticks), num(near.mae_ticks), num(near.end_ticks)] : null,
      path: [],
    })),
  };
}

/** The same with the paths of `GET /v1/analogues/paths`; those of other answers change nothing. */
export function withPaths(asked: Analogues, json: unknown): Analogues {
  const body = (json ?? {}) as Row;
  const [first, last] = [num(body.first_s) ?? 0, num(body.last_s) ?? 0];
  const found = new Map(
    rows(body.paths).map((row) => [
      num(row.rank) ?? 0,
      Array.isArray(row.ticks) ? row.ticks.map((value) => num(value) ?? Number.NaN) : [],
    ]),
  );
  const stop = asked.revealed ? last - first + 1 : 1 - first;
  return {
    ...asked,
    span: [first, asked.revealed ? last : 0],
    answers: asked.answers.map((answer) =>
      answer.queryId === body.query_id
        ? {
            ...answer,
            drawn: true,
            neighbours: answer.neighbours.map((near) => ({
              ...near,
              path: (found.get(near.rank) ?? []).slice(0, stop),
            })),
          }
        : answer,
    ),
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
