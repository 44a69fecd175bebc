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
}

/** Name, line style, and whether it is shown without being asked for; in the order in which a merged level is named. */
const KINDS: readonly (readonly [RegExp, (m: RegExpExecArray) => string, 'solid' | 'dotted' | 'dashed', boolean])[] = [
  [/^PM([HL])$/, (m) => `PM ${word(m[1]!)}`, 'dotted', true],
  [/^PD([HLC])$/, (m) => `Prior ${word(m[1]!)}`, 'dashed', true],
  [/^ON([HL])$/, (m) => `Overnight ${word(m[1]!)}`, 'dashed', true],
  [/^OR([HL])(\d+)$/, (m) => `OR${m[2]} ${word(m[1]!)}`, 'solid', true],
  [/^SETTLE$/, () => 'Settlement', 'dashed', true],
  [/^VWAP$/, () => 'VWAP', 'dotted', true],
  [/^RVWAP$/, () => 'RTH VWAP', 'dotted', true],
  [/^SMA(\d+)$/, (m) => `SMA ${m[1]}`, 'dotted', true],
  [/^GEXCW$/, () => 'Call wall', 'dashed', true],
  [/^GEXPW$/, () => 'Put wall', 'dashed', true],
  [/^ZG$/, () => 'Zero gamma', 'dashed', true],
  [/^(R?)VWAP_([PM])(\d)$/, (m) => `${m[1] ? 'RTH ' : ''}VWAP ${m[2] === 'P' ? '+' : '−'}${m[3]}σ`, 'dotted', false],
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
/** Place of a type among the names of one price: what traders watch first comes first. */
export function levelRank(type: string): number {
  const place = KINDS.findIndex(([pattern]) => pattern.test(type));
  return place < 0 ? KINDS.length : place;
}
export const shownByDefault = (type: string): boolean => KINDS.find(([pattern]) => pattern.test(type))?.[3] ?? false;

/** The first names of a merged level, and how many more there are. */
export const shortNames = (names: readonly string[], most: number): string =>
  `${names.slice(0, most).join(' · ')}${names.length > most ? ` +${names.length - most}` : ''}`;

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
      },
    ];
  });
}

export const validAt = (level: Level, second: number): boolean =>
  level.from <= second && (level.to === null || second < level.to);

export interface RailRow {
  /** Names of the levels merged here, the best known first; and of those that are not shown by themselves. */
  readonly names: readonly string[];
  readonly also: readonly string[];
  readonly tick: number;
  /** Signed distance from spot in ticks; null without spot. */
  readonly ticks: number | null;
  readonly nearest: boolean;
}

/** Prices of a group that far apart are rows of their own, ticks: a group may reach further than a price that is named. */
const ONE_PRICE = 1;

/**
 * One row per group and price valid at `second`, at the price of its best known level, highest first; the two nearest to
 * spot are marked.
 */
export function railRows(levels: readonly Level[], gate: Gate, second: number, spot: number): RailRow[] {
  const groups = new Map<string, Level[]>();
  for (const level of levels) {
    if (!mayKnow(gate, level.from) || !validAt(level, second)) continue;
    groups.set(level.group, [...(groups.get(level.group) ?? []), level]);
  }
  const names = (members: readonly Level[]): string[] => [...new Set(members.map((member) => levelName(member.type)))];
  const rows = [...groups.values()].flatMap((members) => {
    const out: Omit<RailRow, 'nearest'>[] = [];
    let left = members.sort((a, b) => levelRank(a.type) - levelRank(b.type) || a.from - b.from);
    for (;;) {
      const lead = left.find((member) => shownByDefault(member.type));
      if (!lead) return out;
      const here = left.filter((member) => Math.abs(member.tick - lead.tick) <= ONE_PRICE);
      left = left.filter((member) => !here.includes(member));
      out.push({
        names: names(here.filter((member) => shownByDefault(member.type))),
        also: names(here.filter((member) => !shownByDefault(member.type))),
        tick: lead.tick,
        ticks: spot === NO_TICK ? null : lead.tick - spot,
      });
    }
  });
  const near = rows
    .filter((row) => row.ticks !== null)
    .sort((a, b) => Math.abs(a.ticks!) - Math.abs(b.ticks!))
    .slice(0, 2);
  return rows.sort((a, b) => b.tick - a.tick).map((row) => ({ ...row, nearest: near.includes(row) }));
}
