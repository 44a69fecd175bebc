/** What the page and its worker say to each other. */
import type { ServerMessage } from './control.gen.ts';
import type { Block } from './decode.ts';

export interface TileKey {
  readonly surface: string;
  readonly lod: number;
  /** Tile of 1,024 groups. */
  readonly tile: number;
  readonly pool: string;
}
export const TILE_ROWS = 1024;
export const keyText = (key: TileKey): string => `${key.surface}|${key.lod}|${key.tile}|${key.pool}`;

export interface CellColumn {
  readonly surface: string;
  readonly name: string;
  readonly transfer: import('./transfer.ts').Transfer;
  readonly pool: 'max' | 'last' | 'mean';
}

export type ToWorker =
  | {
      type: 'open';
      base: string;
      symbol: string;
      dt: string;
      dataVersion: string;
      seconds: number;
      width: number;
      cells: CellColumn[];
      surfaces: string[];
      from: number;
      bootstrap: number;
      speed: number;
      play: boolean;
    }
  | { type: 'want'; keys: TileKey[] }
  | { type: 'pool'; pool: 'max' | 'last' | 'mean' }
  | { type: 'control'; message: ControlRequest }
  | { type: 'close' };

export type ControlRequest =
  | { type: 'play' }
  | { type: 'pause' }
  | { type: 'step'; n: number }
  | { type: 'speed'; value: number }
  | { type: 'seek'; sec: number; bootstrap: number };

export type LinkState = 'connecting' | 'ready' | 'reconnecting' | 'stale' | 'offline' | 'incompatible' | 'ended';

export type FromWorker =
  | {
      /** Rows of one or more surfaces; `first` counts groups of `lod` seconds. */
      type: 'rows';
      source: 'stream' | 'history' | 'tile' | 'pooled';
      lod: number;
      first: number;
      count: number;
      blocks: Record<string, Block>;
      epoch: number;
    }
  | { type: 'tile'; key: TileKey; ok: boolean; problem: string | null }
  | { type: 'link'; state: LinkState; detail: string | null }
  | { type: 'control'; message: ServerMessage };
