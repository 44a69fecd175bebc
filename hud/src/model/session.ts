/** All data of one session that has arrived: the CPU copy that hover, panels and the software renderer read. */
import { NO_TICK } from '../core/units.ts';
import { LOD_LEVELS, type Lod } from '../scale/x.ts';
import type { Block } from '../wire/decode.ts';
import { type Manifest, unavailable } from '../wire/manifest.ts';
import { type CellColumn, TILE_ROWS } from '../wire/messages.ts';

/** State of a row that has not arrived: drawn as background, unlike MISSING, which is a fact about the session. */
export const NOT_LOADED = 255;
/** Tiles kept per column; the oldest used go first (410 KB each at 401 ticks). */
const MAX_TILES = 48;

export const SNAP_INTS = [
  'spot_tick',
  'bid_tick',
  'ask_tick',
  'last_tick',
  'bid_qty',
  'ask_qty',
  'open_tick',
  'high_tick',
  'low_tick',
  'buy_vol',
  'sell_vol',
] as const;
export type SnapColumn = (typeof SNAP_INTS)[number];

export interface LodRows {
  readonly spot: Int32Array;
  readonly state: Uint8Array;
  readonly flags: Uint8Array;
}

export class CellTiles {
  private readonly tiles = new Map<string, Uint8Array>();
  private readonly arrived = new Map<string, Uint8Array>();
  constructor(readonly width: number) {}

  /** Whether the row of a group has arrived: code 0 in a row that has not is no statement about the book. */
  loaded(lod: Lod, group: number): boolean {
    return this.arrived.get(`${lod}|${Math.floor(group / TILE_ROWS)}`)?.[group % TILE_ROWS] === 1;
  }

  get(lod: Lod, tile: number): Uint8Array | undefined {
    return this.tiles.get(`${lod}|${tile}`);
  }
  /** Writes rows `[first, first + rows)` of a level. */
  write(lod: Lod, first: number, rows: number, codes: Uint8Array): void {
    for (let done = 0; done < rows; ) {
      const tile = Math.floor((first + done) / TILE_ROWS);
      const row = (first + done) % TILE_ROWS;
      const take = Math.min(rows - done, TILE_ROWS - row);
      const key = `${lod}|${tile}`;
      const target = this.tiles.get(key) ?? new Uint8Array(TILE_ROWS * this.width);
      this.tiles.delete(key);
      this.tiles.set(key, target);
      target.set(codes.subarray(done * this.width, (done + take) * this.width), row * this.width);
      const arrived = this.arrived.get(key) ?? new Uint8Array(TILE_ROWS);
      this.arrived.set(key, arrived.fill(1, row, row + take));
      done += take;
    }
  }
  /** Drops the oldest written tiles over the limit; returns their keys. */
  trim(): string[] {
    const dropped: string[] = [];
    for (const key of this.tiles.keys()) {
      if (this.tiles.size - dropped.length <= MAX_TILES) break;
      dropped.push(key);
    }
    for (const key of dropped) {
      this.tiles.delete(key);
      this.arrived.delete(key);
    }
    return dropped;
  }
  code(lod: Lod, group: number, index: number): number {
    if (index < 0 || index >= this.width) return 0;
    return this.get(lod, Math.floor(group / TILE_ROWS))?.[(group % TILE_ROWS) * this.width + index] ?? 0;
  }
}

const CELL_SURFACES = ['wall', 'vacuum', 'pressure'] as const;
/** Per-second blocks that panels read; a bounded number of seconds is kept. */
const KEPT_SECONDS = 1800;
export type SecondRow = Record<string, Float32Array | Int32Array | number | string>;

export class SessionData {
  readonly width: number;
  readonly cellColumns: CellColumn[] = [];
  readonly cells = new Map<string, CellTiles>();
  readonly rows = new Map<Lod, LodRows>();
  readonly snap: Record<SnapColumn, Int32Array>;
  /** Whether any rows have arrived. */
  started = false;
  private readonly recent = new Map<string, Map<number, SecondRow>>();

  constructor(readonly manifest: Manifest) {
    this.width = 2 * manifest.halfTicks + 1;
    const seconds = manifest.seconds;
    this.snap = Object.fromEntries(SNAP_INTS.map((name) => [name, new Int32Array(seconds).fill(NO_TICK)])) as Record<
      SnapColumn,
      Int32Array
    >;
    for (const lod of LOD_LEVELS) {
      const groups = Math.ceil(seconds / lod);
      this.rows.set(lod, {
        spot: lod === 1 ? this.snap.spot_tick : new Int32Array(groups).fill(NO_TICK),
        state: new Uint8Array(groups).fill(NOT_LOADED),
        flags: new Uint8Array(groups),
      });
    }
    for (const surface of CELL_SURFACES) {
      if (unavailable(manifest, surface)) continue;
      for (const spec of manifest.surfaces.get(surface)!.columns) {
        if (!spec.transfer) continue;
        this.cellColumns.push({ surface, name: spec.name, transfer: spec.transfer, pool: spec.pool ?? 'last' });
        this.cells.set(`${surface}.${spec.name}`, new CellTiles(this.width));
      }
    }
  }

  /** Takes rows of any surfaces; the arrays are kept or copied. */
  ingest(lod: Lod, first: number, count: number, blocks: Record<string, Block>): void {
    this.started = true;
    const snap = blocks.snap;
    if (snap) this.ingestSnap(lod, first, count, snap);
    for (const { surface, name } of this.cellColumns) {
      const codes = blocks[surface]?.columns[name];
      if (codes instanceof Uint8Array) this.cells.get(`${surface}.${name}`)!.write(lod, first, count, codes);
    }
    if (lod !== 1) return;
    for (const [surface, block] of Object.entries(blocks)) {
      if (surface !== 'snap' && !CELL_SURFACES.includes(surface as 'wall'))
        this.ingestSeconds(surface, first, count, block);
    }
  }

  private ingestSnap(lod: Lod, first: number, count: number, block: Block): void {
    const rows = this.rows.get(lod)!;
    const room = Math.min(count, rows.state.length - first);
    if (room <= 0) return;
    const put = (target: Int32Array | Uint8Array, name: string): void => {
      const source = block.columns[name];
      if (source && !Array.isArray(source)) target.set(source.subarray(0, room) as Uint8Array, first);
    };
    put(rows.spot, 'spot_tick');
    put(rows.state, 'state');
    put(rows.flags, 'flags');
    if (lod === 1) for (const name of SNAP_INTS) if (name !== 'spot_tick') put(this.snap[name], name);
  }

  private ingestSeconds(surface: string, first: number, count: number, block: Block): void {
    const kept = this.recent.get(surface) ?? new Map<number, SecondRow>();
    this.recent.set(surface, kept);
    for (let row = 0; row < count; row++) {
      const values: SecondRow = {};
      for (const [name, column] of Object.entries(block.columns)) {
        if (name === 'sec') continue;
        const width = column.length / block.rows;
        if (Array.isArray(column)) values[name] = column[row]!;
        else if (width === 1) values[name] = column[row]!;
        else values[name] = column.slice(row * width, (row + 1) * width) as Float32Array;
      }
      kept.delete(first + row);
      kept.set(first + row, values);
    }
    for (const second of kept.keys()) {
      if (kept.size <= KEPT_SECONDS) break;
      kept.delete(second);
    }
  }

  /** Whether every group of `[from, to]` has arrived at a level, for `columns` and for the rows themselves. */
  complete(lod: Lod, from: number, to: number, columns: readonly string[]): boolean {
    const last = Math.floor((to + 1) / lod) - 1;
    const state = this.rows.get(lod)!.state;
    const held = columns.flatMap((name) => this.cells.get(name) ?? []);
    for (let group = Math.max(0, Math.floor(from / lod)); group <= last; group++) {
      if (state[group] === NOT_LOADED || held.some((cells) => !cells.loaded(lod, group))) return false;
    }
    return true;
  }

  second(surface: string, sec: number): SecondRow | null {
    return this.recent.get(surface)?.get(sec) ?? null;
  }
  spot(sec: number): number {
    return this.snap.spot_tick[sec] ?? NO_TICK;
  }
  /** Spot at `sec`, or the last known before it within `back` seconds; NO_TICK without one. */
  lastSpot(sec: number, back = 600): number {
    for (let s = Math.min(sec, this.snap.spot_tick.length - 1); s >= Math.max(0, sec - back); s--) {
      if (this.snap.spot_tick[s] !== NO_TICK) return this.snap.spot_tick[s]!;
    }
    return NO_TICK;
  }
  state(sec: number): number {
    return this.rows.get(1)!.state[sec] ?? NOT_LOADED;
  }
  flags(sec: number): number {
    return this.rows.get(1)!.flags[sec] ?? 0;
  }
}
