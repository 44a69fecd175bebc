/** A small session for drawing: ten seconds, eleven ticks, one feature per second. */
import { initialState } from '../../src/core/store.ts';
import { TimeLabels } from '../../src/core/time.ts';
import { gateFor } from '../../src/core/timegate.ts';
import { NO_TICK } from '../../src/core/units.ts';
import { SessionData } from '../../src/model/session.ts';
import { signedLut, THEMES, wallLut } from '../../src/render/palette.ts';
import type { Plot } from '../../src/render/plot.ts';
import type { Scene } from '../../src/render/scene.ts';
import { type Manifest, parseManifest } from '../../src/wire/manifest.ts';
import { json } from '../contract/fixtures.ts';

export const HALF = 5;
export const WIDTH = 2 * HALF + 1;
export const SECONDS = 10;
export const SPOT = 27200;

export const smallManifest = (change: object = {}): Manifest => {
  const base = json('manifest.json');
  return parseManifest({
    ...base,
    seconds: SECONDS,
    half_ticks: HALF,
    ladder_ticks: HALF,
    base_tick: SPOT,
    surfaces: base.surfaces.map((surface: object) => ({ ...surface, status: 'ok' })),
    ...change,
  });
};

type Cells = (second: number, rel: number) => number;
const idle: Cells = () => 128;

/** Spot rises a tick a second; best bid and ask stand a tick from it. */
export function smallSession(cells: {
  depth?: Cells;
  flow?: Cells;
  rest?: Cells;
  score?: Cells;
  net?: Cells;
}): SessionData {
  const data = new SessionData(smallManifest());
  const codes = (of: Cells): Uint8Array =>
    Uint8Array.from({ length: SECONDS * WIDTH }, (_, i) => of(Math.floor(i / WIDTH), (i % WIDTH) - HALF));
  const at = (of: (second: number) => number): Int32Array => Int32Array.from({ length: SECONDS }, (_, s) => of(s));
  data.ingest(1, 0, SECONDS, {
    snap: {
      rows: SECONDS,
      columns: {
        spot_tick: at((s) => SPOT + s),
        bid_tick: at((s) => SPOT + s - 1),
        ask_tick: at((s) => SPOT + s + 1),
        last_tick: at((s) => SPOT + s),
        state: new Uint8Array(SECONDS).fill(3),
        flags: new Uint8Array(SECONDS),
      },
    },
    wall: {
      rows: SECONDS,
      columns: {
        depth: codes(cells.depth ?? idle),
        net_flow: codes(cells.flow ?? idle),
        rest_share: codes(cells.rest ?? (() => 255)),
      },
    },
    vacuum: { rows: SECONDS, columns: { score: codes(cells.score ?? idle) } },
    pressure: { rows: SECONDS, columns: { net: codes(cells.net ?? idle) } },
    ladder: {
      rows: SECONDS,
      columns: {
        bid: Int32Array.from({ length: SECONDS * WIDTH }, (_, i) => (i % WIDTH < HALF ? 10 : 0)),
        ask: Int32Array.from({ length: SECONDS * WIDTH }, (_, i) =>
          i % WIDTH === WIDTH - 1 ? 90 : i % WIDTH > HALF ? 10 : 0,
        ),
        add: new Int32Array(SECONDS * WIDTH).fill(3),
        pull: new Int32Array(SECONDS * WIDTH).fill(1),
        fill: new Int32Array(SECONDS * WIDTH).fill(0),
      },
    },
    gex: {
      rows: SECONDS,
      columns: {
        strike_tick: Int32Array.from({ length: SECONDS * 2 }, (_, i) => (i % 2 ? NO_TICK : SPOT + 8)),
        call: new Float32Array(SECONDS * 2).fill(5e6),
        put: new Float32Array(SECONDS * 2).fill(-3e6),
        net: new Float32Array(SECONDS * 2).fill(2e6),
        share: new Float32Array(SECONDS * 2).fill(0.5),
        flow: new Float32Array(SECONDS * 2).fill(Number.NaN),
      },
    },
  });
  return data;
}

const transfer = { fn: 'signed_log', c: 10, max: 20000 } as const;
/** Twenty pixels a second and a tick, spot of second 0 in the middle. */
export const smallScene: Scene = {
  width: SECONDS * 20,
  height: 20 * WIDTH,
  view: { x0: 0, pxPerSec: 20, yMid: SPOT, pxPerTick: 20 },
  anchor: 'price',
  lod: 1,
  limit: SECONDS - 1,
  seconds: SECONDS,
  half: HALF,
  baseTick: SPOT,
  theme: 'dark',
  wall: false,
  vacuum: false,
  pressure: false,
  vacuumContour: false,
  wallOpacity: 1,
  vacuumOpacity: 1,
  pressureOpacity: 1,
  wallLut: wallLut({ name: 'grey', low: 0, high: 1, linear: false }, transfer, 'dark'),
  pressureLut: signedLut('dark'),
  grain: 1,
};

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}
/** A canvas context that records what is called on it. */
export function recorder(): { ctx: CanvasRenderingContext2D; calls: Call[] } {
  const calls: Call[] = [];
  const target: Record<string | symbol, unknown> = { canvas: { width: 300 }, measureText: () => ({ width: 20 }) };
  const ctx = new Proxy(target, {
    get: (held, name) =>
      name in held
        ? held[name]
        : (...args: unknown[]) => {
            calls.push({ name: String(name), args });
          },
  });
  return { ctx: ctx as unknown as CanvasRenderingContext2D, calls };
}

export function smallPlot(data: SessionData, ctx: CanvasRenderingContext2D, change: Partial<Plot['view']> = {}): Plot {
  const { manifest } = data;
  const view = { ...smallScene.view, ...change };
  const state = { ...initialState(), now: SECONDS - 1, view };
  const clock = { firstEndMs: Number(manifest.t0Ns / 1_000_000n) + 1000, seconds: SECONDS, exchangeTz: 'UTC' };
  return {
    ctx,
    width: smallScene.width,
    height: smallScene.height,
    state,
    view,
    gate: gateFor('replay', SECONDS - 1, SECONDS - 1),
    data,
    manifest,
    colours: THEMES.dark,
    labels: new TimeLabels(clock, 'utc'),
  };
}
