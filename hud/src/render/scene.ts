/** What a heat map is drawn from, in pixels of its canvas: the same description for every back end. */
import type { Anchor, Theme, View } from '../core/store.ts';
import type { Lod } from '../scale/x.ts';

export interface Scene {
  readonly width: number;
  readonly height: number;
  /** View in pixels of this canvas (device pixels, or fewer while interacting). */
  readonly view: View;
  readonly anchor: Anchor;
  readonly lod: Lod;
  /** Last second that may be seen, and seconds of the session. */
  readonly limit: number;
  readonly seconds: number;
  readonly half: number;
  readonly baseTick: number;
  readonly theme: Theme;
  readonly wall: boolean;
  readonly vacuum: boolean;
  readonly pressure: boolean;
  /** Vacuum as outlines of where liquidity leaves or builds, instead of hatch and dots. */
  readonly vacuumContour: boolean;
  readonly wallOpacity: number;
  readonly vacuumOpacity: number;
  readonly pressureOpacity: number;
  readonly wallLut: Uint8Array;
  readonly pressureLut: Uint8Array;
  /** Size of a pattern's pixel: device pixel ratio, rounded, at least 1. */
  readonly grain: number;
}

export interface HeatmapBackend {
  readonly kind: 'webgl2' | 'canvas2d';
  /** Data of groups `[first, first + count)` of a level changed. */
  changed(lod: Lod, first: number, count: number): void;
  draw(scene: Scene): void;
  /** RGBA rows from the top; for exports and tests. */
  pixels(): Uint8ClampedArray;
  dispose(): void;
}

export const COLUMNS = ['wall.depth', 'wall.net_flow', 'wall.rest_share', 'vacuum.score', 'pressure.net'] as const;

/** Vacuum codes beyond which liquidity is told to leave or to build; between them nothing is drawn. */
export const LEAVING_FROM = 158;
export const BUILDING_TO = 98;
/** Pixels per column from which outlines of vacuum have sides too; narrower columns would be nothing but sides. */
export const CONTOUR_SIDES_PX = 4;
/** Net flow codes below this mark a cell as eroding: 12 steps under zero on the flow scale. */
export const ERODING_BELOW = 116;
/** Pixels per tick from which missing cells carry dots and eroding cells notches. */
export const DETAIL_PX = 5;
