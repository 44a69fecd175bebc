/** Which tiles the view needs, in the order in which they help: a coarse picture first, then the sharp one, then neighbours. */
import { type HudState, LAYERS } from '../core/store.ts';
import { type Lod, lodFor } from '../scale/x.ts';
import { type Manifest, unavailable } from '../wire/manifest.ts';
import { keyText, TILE_ROWS, type TileKey } from '../wire/messages.ts';

const COARSE: Lod = 16;

function tilesBetween(from: number, to: number, lod: number, seconds: number): number[] {
  const first = Math.max(0, Math.floor(from / lod / TILE_ROWS));
  const last = Math.min(Math.ceil(seconds / lod / TILE_ROWS) - 1, Math.floor(to / lod / TILE_ROWS));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

export function wantedTiles(
  manifest: Manifest,
  state: Readonly<HudState>,
  plotWidth: number,
  have: ReadonlySet<string>,
): TileKey[] {
  const { seconds } = manifest;
  const { view } = state;
  const [from, to] = [view.x0, view.x0 + plotWidth / view.pxPerSec];
  const lod = lodFor(view.pxPerSec);
  const drawn = LAYERS.filter((layer) => state.layers[layer] && !unavailable(manifest, layer));
  const keys: TileKey[] = [];
  const add = (surface: string, level: number, tiles: readonly number[]): void => {
    const pool = surface === 'wall' && level > 1 && state.pool !== 'max' ? state.pool : '';
    for (const tile of tiles) keys.push({ surface, lod: level, tile, pool });
  };
  for (const level of lod === COARSE ? [COARSE] : [COARSE, lod]) {
    const tiles = tilesBetween(from, to, level, seconds);
    add('snap', level, tiles);
    for (const layer of drawn) add(layer, level, tiles);
  }
  // Candles, spot tags and the strip read single seconds whatever the level drawn.
  add('snap', 1, tilesBetween(from - 600, to, 1, seconds));
  for (const second of [state.now, ...(state.cursor ? [state.cursor.sec] : [])]) {
    const around = tilesBetween(second - 1, second, 1, seconds);
    for (const surface of ['snap', 'wall', 'vacuum', 'pressure'])
      if (!unavailable(manifest, surface)) add(surface, 1, around);
  }
  const span = to - from;
  for (const layer of ['snap', ...drawn]) add(layer, lod, tilesBetween(from - span / 2, to + span / 2, lod, seconds));
  const seen = new Set<string>();
  return keys.filter((key) => {
    const text = keyText(key);
    if (have.has(text) || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
