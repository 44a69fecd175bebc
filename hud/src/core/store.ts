/** What the user has chosen and where he looks: one small typed store. Data lives in model/, not here. */
import type { Zone } from './time.ts';
import type { Mode } from './timegate.ts';

export type Anchor = 'price' | 'spot';
export type Follow = 'deadband' | 'always' | 'manual';
export type Theme = 'dark' | 'light';
export type MagnitudeName = 'cividis' | 'inferno' | 'viridis' | 'grey' | 'sides';
export type Layer = 'wall' | 'vacuum' | 'pressure';
export type Pool = 'max' | 'last' | 'mean';
export const LAYERS: readonly Layer[] = ['wall', 'vacuum', 'pressure'];

export interface View {
  /** Second at the left edge of the plot, pixels per second. */
  x0: number;
  pxPerSec: number;
  /** Tick (price anchor: absolute; spot anchor: relative) at the vertical centre, pixels per tick. */
  yMid: number;
  pxPerTick: number;
}

export interface HudState {
  mode: Mode;
  now: number;
  playing: boolean;
  speed: number;
  link: 'connecting' | 'ready' | 'reconnecting' | 'stale' | 'offline' | 'incompatible' | 'ended';
  throttled: boolean;
  /** Percent of a cold load of the server, null while nothing is loading. */
  loading: number | null;
  anchor: Anchor;
  recentre: Follow;
  followNow: boolean;
  theme: Theme;
  zone: Zone;
  view: View;
  layers: Record<Layer, boolean>;
  /** Vacuum as outlines: it then fills nothing, and two filled layers may lie under it. */
  vacuumContour: boolean;
  opacity: Record<Layer, number>;
  magnitude: MagnitudeName;
  cutLow: number;
  cutHigh: number;
  linear: boolean;
  pool: Pool;
  showLevels: boolean;
  showCandles: boolean;
  showBands: boolean;
  showGex: boolean;
  gexFlow: boolean;
  /** Second and tick under the pointer or the data cursor. */
  cursor: { sec: number; tick: number } | null;
  reviewed: boolean;
  revealed: boolean;
  episode: string | null;
  tab: string;
}

export const initialState = (): HudState => ({
  mode: 'replay',
  now: 0,
  playing: false,
  speed: 1,
  link: 'connecting',
  throttled: false,
  loading: null,
  anchor: 'price',
  recentre: 'deadband',
  followNow: true,
  theme: 'dark',
  zone: 'new_york',
  view: { x0: 0, pxPerSec: 1, yMid: 0, pxPerTick: 8 },
  layers: { wall: true, vacuum: true, pressure: false },
  vacuumContour: false,
  opacity: { wall: 1, vacuum: 1, pressure: 0.8 },
  magnitude: 'cividis',
  cutLow: 0.2,
  cutHigh: 0.55,
  linear: false,
  pool: 'max',
  showLevels: true,
  showCandles: true,
  showBands: true,
  showGex: true,
  gexFlow: false,
  cursor: null,
  reviewed: false,
  revealed: false,
  episode: null,
  tab: 'now',
});

/** What a change makes dirty; the scheduler draws one frame for the union. */
export const DIRTY = { DATA: 1, VIEW: 2, STYLE: 4, HOVER: 8, PANELS: 16 } as const;
type Listener = (state: Readonly<HudState>, dirty: number) => void;

export class Store {
  private listeners: Listener[] = [];
  constructor(readonly state: HudState = initialState()) {}

  subscribe(listener: Listener): () => void {
    this.listeners.push(listener);
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }
  /** Merges a change and tells the listeners what it makes dirty; nothing happens where nothing differs. */
  set(change: Partial<HudState>, dirty: number): void {
    const changed = (Object.keys(change) as (keyof HudState)[]).some((key) => change[key] !== this.state[key]);
    if (!changed) return;
    Object.assign(this.state, change);
    this.touch(dirty);
  }
  touch(dirty: number): void {
    for (const listener of this.listeners) listener(this.state, dirty);
  }
}
