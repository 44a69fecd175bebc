/**
 * Colour of one pixel: the specification of the heat map. Canvas2D calls it, the WebGL shader is held to it by tests.
 *
 * Order: time gate, window state (hatch), then wall, pressure, vacuum. Positions are split into an integer origin and
 * a small offset, so that 32-bit shaders find the same second and the same tick.
 */
import { HATCH_FLAGS, NO_TICK, STATE } from '../core/units.ts';
import { NOT_LOADED, type SessionData } from '../model/session.ts';
import { MAX_POOLED_TICKS } from '../scale/y.ts';
import { THEMES } from './palette.ts';
import { BUILDING_TO, CONTOUR_SIDES_PX, DETAIL_PX, ERODING_BELOW, LEAVING_FROM, type Scene } from './scene.ts';

export type Shade = (px: number, py: number, out: Float64Array) => void;

const mod = (a: number, b: number): number => ((a % b) + b) % b;

/** A shader of `scene` over `data`; `out` receives red, green, blue in 0..255. */
export function shader(scene: Scene, data: SessionData): Shade {
  const { view, lod, half, grain } = scene;
  const colours = THEMES[scene.theme];
  const rows = data.rows.get(lod)!;
  const x0 = Math.floor(view.x0);
  const xFraction = Math.fround(view.x0 - x0);
  const y0 = Math.floor(view.yMid);
  const yFraction = Math.fround(view.yMid - y0);
  const ink = scene.theme === 'dark' ? 255 : 0;
  const detail = view.pxPerTick >= DETAIL_PX * grain;
  const pooled = view.pxPerTick >= 1 ? 1 : Math.min(MAX_POOLED_TICKS, Math.ceil(1 / view.pxPerTick));
  const [depth, flow, rest, score, net] = [
    'wall.depth',
    'wall.net_flow',
    'wall.rest_share',
    'vacuum.score',
    'pressure.net',
  ].map((name) => data.cells.get(name));

  const strongest = (cells: typeof depth, group: number, first: number, centre: number): number => {
    let best = 0;
    for (let i = 0; i < pooled; i++) {
      const rel = first + i;
      if (Math.abs(rel) > half) continue;
      const code = cells?.code(lod, group, half + rel) ?? 0;
      if (code !== 0 && (best === 0 || Math.abs(code - centre) > Math.abs(best - centre))) best = code;
    }
    return best;
  };

  const secondAt = (px: number): number => x0 + Math.floor(xFraction + (px + 0.5) / view.pxPerSec);
  /** Lowest axis tick of a pixel. */
  const tickAt = (py: number): number => {
    const ticks = yFraction + (scene.height / 2 - (py + 0.5)) / view.pxPerTick;
    return y0 + Math.floor(pooled === 1 ? ticks + 0.5 : ticks - 0.5 / view.pxPerTick + 0.5);
  };
  const mayDraw = (second: number, group: number): boolean =>
    second >= 0 && second < scene.seconds && Math.min((group + 1) * lod, scene.seconds) - 1 <= scene.limit;
  const relOf = (axis: number, spot: number): number => (scene.anchor === 'spot' ? axis : axis - spot);
  const sides = lod * view.pxPerSec >= CONTOUR_SIDES_PX * grain;

  /** 1 where liquidity leaves, 2 where it builds, 0 where it idles or nothing is known. */
  const kindAt = (px: number, py: number): number => {
    const second = secondAt(px);
    const group = Math.floor(second / lod);
    if (!mayDraw(second, group) || rows.state[group] !== STATE.VALID || rows.flags[group]! & HATCH_FLAGS) return 0;
    const spot = rows.spot[group]!;
    if (spot === NO_TICK) return 0;
    const code = strongest(score, group, relOf(tickAt(py), spot), 128);
    return code > LEAVING_FROM ? 1 : code > 0 && code < BUILDING_TO ? 2 : 0;
  };
  /** Whether a pixel of a kind lies on the inner edge of its area. */
  const onEdge = (px: number, py: number, kind: number): boolean =>
    kindAt(px, py - grain) !== kind ||
    kindAt(px, py + grain) !== kind ||
    (sides && (kindAt(px - grain, py) !== kind || kindAt(px + grain, py) !== kind));

  return (px, py, out) => {
    out[0] = colours.background[0];
    out[1] = colours.background[1];
    out[2] = colours.background[2];
    const second = secondAt(px);
    const group = Math.floor(second / lod);
    if (!mayDraw(second, group)) return;
    const state = rows.state[group]!;
    if (state === NOT_LOADED) return;
    if (state !== STATE.VALID || rows.flags[group]! & HATCH_FLAGS) {
      if (mod(px + py, 8 * grain) < grain) out.set(colours.hatch);
      return;
    }
    const spot = rows.spot[group]!;
    if (spot === NO_TICK) return;
    const rel = relOf(tickAt(py), spot);
    if (rel > half || rel + pooled - 1 < -half) return;

    const blend = (r: number, g: number, b: number, alpha: number): void => {
      out[0] = out[0]! + (r - out[0]!) * alpha;
      out[1] = out[1]! + (g - out[1]!) * alpha;
      out[2] = out[2]! + (b - out[2]!) * alpha;
    };
    if (scene.wall && depth) {
      const code = strongest(depth, group, rel, 128);
      const alpha = (scene.wallLut[code * 4 + 3]! / 255) * scene.wallOpacity;
      if (code === 0) {
        if (detail && depth.loaded(lod, group) && mod(px, 6 * grain) < grain && mod(py, 6 * grain) < grain)
          blend(...colours.hatch, 0.6);
      } else if (alpha > 0) {
        const rested = pooled === 1 ? (rest?.code(lod, group, half + rel) ?? 0) : 0;
        let solid = rested === 0 ? 1 : 0.35 + (0.65 * (rested - 1)) / 254;
        const flowCode = detail && pooled === 1 ? (flow?.code(lod, group, half + rel) ?? 0) : 0;
        if (flowCode > 0 && flowCode < ERODING_BELOW && mod(px - py, 6 * grain) < 2 * grain) solid *= 0.45;
        blend(scene.wallLut[code * 4]!, scene.wallLut[code * 4 + 1]!, scene.wallLut[code * 4 + 2]!, alpha * solid);
      }
    }
    if (scene.pressure && net) {
      const code = strongest(net, group, rel, 128);
      const alpha = (scene.pressureLut[code * 4 + 3]! / 255) * scene.pressureOpacity;
      blend(scene.pressureLut[code * 4]!, scene.pressureLut[code * 4 + 1]!, scene.pressureLut[code * 4 + 2]!, alpha);
    }
    if (scene.vacuum && score && scene.vacuumContour) {
      const kind = kindAt(px, py);
      if (kind !== 0 && onEdge(px, py, kind) && (kind === 1 || mod(px, 4 * grain) < grain))
        blend(ink, ink, ink, scene.vacuumOpacity * (kind === 1 ? 0.6 : 0.45));
    } else if (scene.vacuum && score) {
      const code = strongest(score, group, rel, 128);
      if (code > LEAVING_FROM && mod(px + py, 4 * grain) < grain) {
        blend(ink, ink, ink, scene.vacuumOpacity * (0.15 + (0.45 * (code - LEAVING_FROM)) / (255 - LEAVING_FROM)));
      } else if (code > 0 && code < BUILDING_TO && mod(px, 4 * grain) < grain && mod(py, 4 * grain) < grain) {
        blend(ink, ink, ink, scene.vacuumOpacity * (0.25 + (0.5 * (BUILDING_TO - code)) / BUILDING_TO));
      }
    }
  };
}
