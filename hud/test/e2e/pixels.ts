/** Draws scenes with both back ends and tells how far they are apart. Runs in a browser, served by Vite. */
import { SessionData } from '../../src/model/session.ts';
import { Canvas2dHeatmap } from '../../src/render/heatmap-2d.ts';
import { WebglHeatmap } from '../../src/render/heatmap-gl.ts';
import { signedLut, wallLut } from '../../src/render/palette.ts';
import type { Scene } from '../../src/render/scene.ts';
import { parseManifest } from '../../src/wire/manifest.ts';
import truth from '../fixtures/manifest.json';

const SECONDS = 2600;
const HALF = 200;
const WIDTH = 2 * HALF + 1;
const BASE = 27200;

function manifest() {
  const surfaces = truth.surfaces.map((surface) => ({ ...surface, status: 'ok' }));
  return parseManifest({ ...truth, surfaces, seconds: SECONDS, half_ticks: HALF, base_tick: BASE });
}

/** Codes that vary with second and tick, with holes; the state of some seconds is not valid. */
function data(): SessionData {
  const session = new SessionData(manifest());
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 4294967296;
  };
  for (const lod of [1, 4, 16, 64] as const) {
    const rows = Math.ceil(SECONDS / lod);
    const cells = (): Uint8Array =>
      Uint8Array.from({ length: rows * WIDTH }, () => (random() < 0.15 ? 0 : Math.floor(random() * 256)));
    const state = Uint8Array.from({ length: rows }, (_, i) => (i % 97 === 5 ? 0 : i % 131 === 7 ? 2 : 3));
    const flags = Uint8Array.from({ length: rows }, (_, i) => (i % 53 === 3 ? 128 : i % 7 === 0 ? 8 : 0));
    const spot = Int32Array.from({ length: rows }, (_, i) => BASE + Math.round(20 * Math.sin(i / 40)));
    session.ingest(lod, 0, rows, {
      snap: { rows, columns: { spot_tick: spot, state, flags } },
      wall: { rows, columns: { depth: cells(), net_flow: cells(), rest_share: cells() } },
      vacuum: { rows, columns: { score: cells() } },
      pressure: { rows, columns: { net: cells() } },
    });
  }
  return session;
}

const transfer = { fn: 'signed_log', c: 10, max: 20000 } as const;
const base: Scene = {
  width: 320,
  height: 200,
  view: { x0: 400.3, pxPerSec: 1, yMid: BASE + 0.4, pxPerTick: 6 },
  anchor: 'price',
  lod: 1,
  limit: SECONDS - 1,
  seconds: SECONDS,
  half: HALF,
  baseTick: BASE,
  theme: 'dark',
  wall: true,
  vacuum: false,
  pressure: false,
  vacuumContour: false,
  wallOpacity: 1,
  vacuumOpacity: 1,
  pressureOpacity: 0.8,
  wallLut: wallLut({ name: 'cividis', low: 0.2, high: 0.7, linear: false }, transfer, 'dark'),
  pressureLut: signedLut('dark'),
  grain: 1,
};
const spotView = { ...base.view, yMid: 0.2 };
const scenes: Record<string, Scene> = {
  'price anchor, wall': base,
  'spot anchor, wall': { ...base, anchor: 'spot', view: spotView },
  vacuum: { ...base, wall: false, vacuum: true },
  'vacuum, outlined': { ...base, vacuum: true, vacuumContour: true },
  'vacuum, outlined with sides': {
    ...base,
    wall: false,
    vacuum: true,
    vacuumContour: true,
    anchor: 'spot',
    view: { ...spotView, pxPerSec: 9 },
  },
  pressure: { ...base, wall: false, pressure: true },
  'all layers': { ...base, vacuum: true, pressure: true },
  'light theme': {
    ...base,
    theme: 'light',
    vacuum: true,
    wallLut: wallLut({ name: 'viridis', low: 0.1, high: 0.9, linear: true }, transfer, 'light'),
    pressureLut: signedLut('light'),
  },
  'zoomed in': { ...base, view: { x0: 900.7, pxPerSec: 17, yMid: BASE - 3.3, pxPerTick: 19 } },
  'ticks pooled': { ...base, vacuum: true, view: { ...base.view, pxPerTick: 0.55 } },
  'seconds pooled': { ...base, lod: 4, view: { ...base.view, x0: 12.5, pxPerSec: 0.22 } },
  'coarse, across tiles': { ...base, view: { ...base.view, x0: 880.2, pxPerSec: 1.1 } },
  'behind the gate': { ...base, limit: 500 },
  'invalid and out of the session': {
    ...base,
    view: { x0: -60.5, pxPerSec: 0.9, yMid: BASE + 190, pxPerTick: 4 },
    grain: 2,
  },
};

interface Result {
  name: string;
  share: number;
  worst: number;
  drawn: number;
}
const session = data();
const gl = new WebglHeatmap(document.createElement('canvas'), session);
const flat = new Canvas2dHeatmap(document.createElement('canvas'), session);
const results: Result[] = Object.entries(scenes).map(([name, scene]) => {
  gl.draw(scene);
  flat.draw(scene);
  const [a, b] = [gl.pixels(), flat.pixels()];
  let [near, worst] = [0, 0];
  const colours = new Set<number>();
  for (let i = 0; i < a.length; i += 4) {
    const off = Math.max(Math.abs(a[i]! - b[i]!), Math.abs(a[i + 1]! - b[i + 1]!), Math.abs(a[i + 2]! - b[i + 2]!));
    if (off <= 2) near += 1;
    worst = Math.max(worst, off);
    colours.add((b[i]! << 16) | (b[i + 1]! << 8) | b[i + 2]!);
  }
  return { name, share: near / (a.length / 4), worst, drawn: colours.size };
});
Object.assign(window, { results });
