/** Levels: merged groups, visible only from the second they became valid, sorted around spot. */
import { type Gate, mayKnow } from '../core/timegate.ts';
import { NO_TICK } from '../core/units.ts';

export interface Level {
  readonly id: string;
  readonly type: string;
  readonly tick: number;
  /** First second at which it is valid, and the first at which it no longer is (null: open). */
  readonly from: number;
  readonly to: number | null;
  readonly moving: boolean;
  readonly group: string;
  readonly tags: readonly string[];
}

/** Name, line style, and whether it is shown without being asked for. */
const KINDS: readonly (readonly [RegExp, (m: RegExpExecArray) => string, 'solid' | 'dotted' | 'dashed', boolean])[] = [
  [/^PM([HL])$/, (m) => `PM ${word(m[1]!)}`, 'dotted', true],
  [/^ON([HL])$/, (m) => `Overnight ${word(m[1]!)}`, 'dashed', true],
  [/^PD([HLC])$/, (m) => `Prior ${word(m[1]!)}`, 'dashed', true],
  [/^OR([HL])(\d+)$/, (m) => `OR${m[2]} ${word(m[1]!)}`, 'solid', true],
  [/^SMA(\d+)$/, (m) => `SMA ${m[1]}`, 'dotted', true],
  [/^SETTLE$/, () => 'Settlement', 'dashed', true],
  [/^VWAP$/, () => 'VWAP', 'dotted', true],
  [/^GEXCW$/, () => 'Call wall', 'dashed', true],
  [/^GEXPW$/, () => 'Put wall', 'dashed', true],
  [/^ZG$/, () => 'Zero gamma', 'dashed', true],
  [/^SW([HL])$/, (m) => `Swing ${word(m[1]!)}`, 'dotted', false],
  [/^HVN$/, () => 'Volume node', 'dotted', false],
  [/^ROUND(\d+)$/, (m) => `Round ${m[1]}`, 'dotted', false],
];
const word = (letter: string): string => ({ H: 'High', L: 'Low', C: 'Close' })[letter] ?? letter;

export function levelName(type: string): string {
  for (const [pattern, name] of KINDS) {
    const match = pattern.exec(type);
    if (match) return name(match);
  }
  return type;
}
export const levelStyle = (type: string): 'solid' | 'dotted' | 'dashed' =>
  KINDS.find(([pattern]) => pattern.test(type))?.[2] ?? 'dashed';
export const shownByDefault = (type: string): boolean => KINDS.find(([pattern]) => pattern.test(type))?.[3] ?? false;

/** Levels of `GET .../levels`. Placebos are never shown. */
export function parseLevels(json: unknown): Level[] {
  const rows = (json as { levels?: unknown } | null)?.levels;
  if (!Array.isArray(rows)) return [];
  return (rows as Record<string, unknown>[]).flatMap((row) => {
    if (row.is_placebo === true) return [];
    const { level_id: id, level_type: type, price_tick: tick, valid_from: from, valid_to: to } = row;
    if (typeof id !== 'string' || typeof type !== 'string' || typeof tick !== 'number' || typeof from !== 'number')
      return [];
    return [
      {
        id,
        type,
        tick,
        from,
        to: typeof to === 'number' ? to : null,
        moving: row.is_moving === true,
        group: typeof row.group_id === 'string' ? row.group_id : id,
        tags: Array.isArray(row.tags) ? row.tags.map(String) : [type],
      },
    ];
  });
}

export const validAt = (level: Level, second: number): boolean =>
  level.from <= second && (level.to === null || second < level.to);

export interface RailRow {
  readonly names: string;
  readonly tick: number;
  /** Signed distance from spot in ticks; null without spot. */
  readonly ticks: number | null;
  readonly nearest: boolean;
}

/** One row per group valid at `second`, highest first; the two nearest to spot are marked. */
export function railRows(levels: readonly Level[], gate: Gate, second: number, spot: number): RailRow[] {
  const groups = new Map<string, { tick: number; from: number; types: Set<string> }>();
  for (const level of levels) {
    if (!mayKnow(gate, level.from) || !validAt(level, second) || !shownByDefault(level.type)) continue;
    const held = groups.get(level.group) ?? { tick: level.tick, from: level.from, types: new Set<string>() };
    if (level.from < held.from) Object.assign(held, { tick: level.tick, from: level.from });
    for (const type of [level.type, ...level.tags]) held.types.add(type);
    groups.set(level.group, held);
  }
  const rows = [...groups.values()].map((held) => ({
    names: [...new Set([...held.types].map(levelName))].join(' · '),
    tick: held.tick,
    ticks: spot === NO_TICK ? null : held.tick - spot,
  }));
  const near = rows
    .filter((row) => row.ticks !== null)
    .sort((a, b) => Math.abs(a.ticks!) - Math.abs(b.ticks!))
    .slice(0, 2);
  return rows.sort((a, b) => b.tick - a.tick).map((row) => ({ ...row, nearest: near.includes(row) }));
}
