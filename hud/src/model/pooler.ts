/** Pools streamed seconds into the coarser levels, each group once its last member has arrived. */
import { LOD_LEVELS } from '../scale/x.ts';
import type { Block } from '../wire/decode.ts';
import type { CellColumn } from '../wire/messages.ts';
import { groupAnchor, groupFlags, groupState, type PoolName, poolCells } from './lod.ts';

const KEEP = 64;
export interface PooledRows {
  readonly lod: number;
  readonly first: number;
  readonly count: number;
  readonly blocks: Record<string, Block>;
}

export class StreamPooler {
  private readonly spots = new Int32Array(KEEP);
  private readonly states = new Uint8Array(KEEP);
  private readonly flags = new Uint8Array(KEEP);
  private readonly held = new Int32Array(KEEP).fill(-1);
  private readonly cells = new Map<string, Uint8Array>();
  private depthPool: PoolName = 'max';

  constructor(
    private readonly width: number,
    private readonly seconds: number,
    private readonly columns: readonly CellColumn[],
  ) {
    for (const column of columns) this.cells.set(`${column.surface}.${column.name}`, new Uint8Array(KEEP * width));
  }

  setPool(pool: PoolName): void {
    this.depthPool = pool;
  }

  add(first: number, count: number, blocks: Record<string, Block>): PooledRows[] {
    const snap = blocks.snap?.columns;
    if (!snap) return [];
    const out: PooledRows[] = [];
    for (let row = 0; row < count; row++) {
      const sec = first + row;
      const at = sec % KEEP;
      this.held[at] = sec;
      this.spots[at] = (snap.spot_tick as Int32Array)[row]!;
      this.states[at] = (snap.state as Uint8Array)[row]!;
      this.flags[at] = (snap.flags as Uint8Array)[row]!;
      for (const { surface, name } of this.columns) {
        const source = blocks[surface]?.columns[name] as Uint8Array | undefined;
        const target = this.cells.get(`${surface}.${name}`)!.subarray(at * this.width, (at + 1) * this.width);
        if (source) target.set(source.subarray(row * this.width, (row + 1) * this.width));
        else target.fill(0);
      }
      for (const lod of LOD_LEVELS) {
        const last = (sec + 1) % lod === 0 || sec === this.seconds - 1;
        if (lod > 1 && last && this.complete(sec, lod)) out.push(this.pool(sec, lod, Object.keys(blocks)));
      }
    }
    return out;
  }

  private complete(sec: number, lod: number): boolean {
    for (let s = sec - (sec % lod); s <= sec; s++) if (this.held[s % KEEP] !== s) return false;
    return true;
  }

  private pool(sec: number, lod: number, surfaces: readonly string[]): PooledRows {
    const begin = (sec - (sec % lod)) % KEEP;
    const end = begin + (sec % lod) + 1;
    const spots = this.spots.subarray(begin, end);
    const anchor = groupAnchor(spots, this.states.subarray(begin, end));
    const blocks: Record<string, Block> = {
      snap: {
        rows: 1,
        columns: {
          spot_tick: Int32Array.of(anchor),
          state: Uint8Array.of(groupState(this.states.subarray(begin, end))),
          flags: Uint8Array.of(groupFlags(this.flags.subarray(begin, end))),
        },
      },
    };
    for (const { surface, name, pool, transfer } of this.columns) {
      if (!surfaces.includes(surface)) continue;
      const cells = this.cells.get(`${surface}.${name}`)!.subarray(begin * this.width, end * this.width);
      const how = name === 'depth' ? this.depthPool : pool;
      const pooled = poolCells(cells, this.width, spots, anchor, how, transfer);
      const block = blocks[surface] ?? { rows: 1, columns: {} };
      block.columns[name] = pooled;
      blocks[surface] = block;
    }
    return { lod, first: Math.floor(sec / lod), count: 1, blocks };
  }
}
