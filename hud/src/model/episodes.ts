/** Approach episodes: touches and candle setups. What lies after the gate is neither shown nor asked for. */
import { type Gate, mayKnow } from '../core/timegate.ts';

export interface Episode {
  readonly id: string;
  readonly kind: string;
  readonly direction: string;
  readonly levelType: string;
  readonly tick: number | null;
  readonly touch: number | null;
  /** Seconds: approach, trigger, decision (when the episode became known). */
  readonly approach: number;
  readonly trigger: number;
  readonly decision: number;
  readonly valid: boolean;
  /** Why it is not; empty where it is. */
  readonly invalidReason: string;
  /** Only once its time has come; null before. */
  readonly outcome: string | null;
  readonly outcomeAt: number | null;
  /** What was reached within each time looked at, in words, and the second at which it is known. */
  readonly outcomes: readonly { readonly words: string; readonly at: number | null }[];
}

export const LOOK_BACK_BARS = 6;
export const LOOK_FORWARD_BARS = 3;
export const BAR = 120;

const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const str = (value: unknown): string => (typeof value === 'string' ? value : '');
/** Tables write +1 for a level met from below and -1 for one from above. */
const directionOf = (value: unknown): string => (value === 1 ? 'up' : value === -1 ? 'down' : str(value));

/** `300 s: break of 8 ticks after 41 s`. */
function outcomeWords(value: unknown): string {
  const row = (value ?? {}) as Record<string, unknown>;
  const [horizon, ticks, hit] = [num(row.horizon_s), num(row.barrier_ticks), num(row.t_hit_s)];
  const outcome = str(row.outcome) || 'not scored';
  return `${horizon ?? '?'} s: ${outcome}${ticks === null ? '' : ` of ${ticks} ticks`}${hit === null ? '' : ` after ${Math.round(hit)} s`}`;
}

/** Episodes of `GET .../episodes`, in order of decision; placebos are never shown. */
export function parseEpisodes(json: unknown): Episode[] {
  const rows = (json as { episodes?: unknown } | null)?.episodes;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[])
    .flatMap((row) => {
      const decision = num(row.decision);
      if (row.is_placebo === true || decision === null || typeof row.episode_id !== 'string') return [];
      const trigger = num(row.trigger) ?? decision;
      const types = Array.isArray(row.level_types) ? row.level_types.map(String) : [];
      return [
        {
          id: row.episode_id,
          kind: str(row.kind),
          direction: directionOf(row.direction),
          levelType: types[0] ?? str(row.level_type),
          tick: num(row.level_tick),
          touch: num(row.touch_index),
          approach: num(row.approach) ?? trigger,
          trigger,
          decision,
          valid: row.valid !== false,
          invalidReason: str(row.invalid_reason).replaceAll('_', ' '),
          outcome: str(row.outcome) || null,
          outcomeAt: num(row.outcome_at),
          outcomes: Array.isArray(row.outcomes)
            ? row.outcomes.map((one) => ({ words: outcomeWords(one), at: num((one as { at?: unknown } | null)?.at) }))
            : [],
        },
      ];
    })
    .sort((a, b) => a.decision - b.decision);
}

export const knownEpisodes = (episodes: readonly Episode[], gate: Gate): Episode[] =>
  episodes.filter((e) => mayKnow(gate, e.decision));

/** Outcome, or null while its time has not come. Trading may have ended or the book failed before it could be scored. */
export const outcomeOf = (episode: Episode, gate: Gate): string | null =>
  mayKnow(gate, episode.outcomeAt) ? (episode.outcome ?? 'not scored') : null;

/** The outcomes whose time has come, in words. */
export const toldOutcomes = (episode: Episode, gate: Gate): string[] =>
  episode.outcomes.filter((one) => mayKnow(gate, one.at)).map((one) => one.words);

/** Next or previous known episode seen from `second`. */
export function neighbour(episodes: readonly Episode[], gate: Gate, second: number, step: 1 | -1): Episode | null {
  const known = knownEpisodes(episodes, gate);
  if (step > 0) return known.find((e) => e.trigger - SEEK_BEFORE > second) ?? null;
  return known.filter((e) => e.trigger - SEEK_BEFORE < second).at(-1) ?? null;
}
/** A click on an episode goes to this many seconds before its trigger. */
export const SEEK_BEFORE = 30;

export interface Boxes {
  readonly back: readonly [number, number];
  readonly forward: readonly [number, number];
  /** Whether the look-forward time has elapsed. */
  readonly elapsed: boolean;
}

/** Candle episodes: bars k-4..k+1 (six, ending at the decision) and k+2..k+4, in seconds. */
export function boxes(episode: Episode, gate: Gate): Boxes | null {
  if (episode.kind !== 'candle') return null;
  const end = episode.decision + 1;
  const forward = [end, end + LOOK_FORWARD_BARS * BAR] as const;
  return { back: [end - LOOK_BACK_BARS * BAR, end], forward, elapsed: mayKnow(gate, forward[1] - 1) };
}
