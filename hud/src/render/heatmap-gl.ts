/**
 * Heat map in WebGL2: one triangle, one fragment shader that follows `shade.ts` line by line.
 *
 * Cells lie in integer texture arrays (one per column): width = ticks, height = 1,024 groups, layers = slots. A slot
 * holds one tile of one level; slots out of view are taken over by tiles in view. Fetches are exact, nothing filters.
 */

import { HATCH_FLAGS, NO_TICK, STATE } from '../core/units.ts';
import type { SessionData } from '../model/session.ts';
import { NOT_LOADED } from '../model/session.ts';
import type { Lod } from '../scale/x.ts';
import { MAX_POOLED_TICKS } from '../scale/y.ts';
import { TILE_ROWS } from '../wire/messages.ts';
import { THEMES } from './palette.ts';
import {
  BUILDING_TO,
  COLUMNS,
  CONTOUR_SIDES_PX,
  DETAIL_PX,
  ERODING_BELOW,
  type HeatmapBackend,
  LEAVING_FROM,
  type Scene,
} from './scene.ts';

const SLOTS = 12;
/** Bit of the row texture: the wall row has arrived, so that code 0 means missing. */
const ARRIVED = 1 << 16;

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3. : -1., gl_VertexID == 2 ? 3. : -1., 0., 1.); }`;

const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp usampler2DArray; precision highp isampler2DArray;
uniform usampler2DArray uDepth, uFlow, uRest, uScore, uNet;
uniform isampler2DArray uRows;
uniform sampler2D uLuts;
uniform int uSlots[${SLOTS}]; uniform int uTile0;
uniform ivec2 uSize, uOrigin; uniform vec2 uFraction, uScale;
uniform int uLod, uLimit, uSeconds, uHalf, uSpotAnchor, uGrain, uPooled, uDetail, uBase, uContour, uSides;
uniform ivec3 uOn; uniform vec3 uOpacity, uBack, uHatch; uniform float uInk;
out vec4 colour;
int wrap(int a, int b) { int r = a % b; return r < 0 ? r + b : r; }
int strongest(usampler2DArray cells, int row, int slot, int first) {
  int best = 0;
  for (int i = 0; i < ${MAX_POOLED_TICKS}; i++) {
    if (i >= uPooled) break;
    int rel = first + i;
    if (abs(rel) > uHalf) continue;
    int code = int(texelFetch(cells, ivec3(uHalf + rel, row, slot), 0).r);
    if (code != 0 && (best == 0 || abs(code - 128) > abs(best - 128))) best = code;
  }
  return best;
}
bool locate(int px, out int row, out int slot, out ivec2 known) {
  int second = uOrigin.x + int(floor(uFraction.x + (float(px) + 0.5) / uScale.x));
  if (second < 0 || second >= uSeconds) return false;
  int group = second / uLod;
  if (min((group + 1) * uLod, uSeconds) - 1 > uLimit) return false;
  int tile = group / ${TILE_ROWS} - uTile0;
  if (tile < 0 || tile >= ${SLOTS}) return false;
  slot = uSlots[tile];
  if (slot < 0) return false;
  row = group % ${TILE_ROWS};
  known = texelFetch(uRows, ivec3(0, row, slot), 0).rg;
  return (known.g & 255) != ${NOT_LOADED};
}
bool hatched(ivec2 known) { return (known.g & 255) != ${STATE.VALID} || ((known.g >> 8) & ${HATCH_FLAGS}) != 0; }
int relAt(int py, int spot) {
  float ticks = uFraction.y + (float(uSize.y) / 2. - (float(py) + 0.5)) / uScale.y;
  int lowest = uOrigin.y + int(floor(uPooled == 1 ? ticks + 0.5 : ticks - 0.5 / uScale.y + 0.5));
  return uSpotAnchor == 1 ? lowest : lowest - spot - uBase;
}
int kindAt(int px, int py) {
  int row, slot; ivec2 known;
  if (!locate(px, row, slot, known) || hatched(known) || known.r == ${NO_TICK}) return 0;
  int code = strongest(uScore, row, slot, relAt(py, known.r));
  return code > ${LEAVING_FROM} ? 1 : code > 0 && code < ${BUILDING_TO} ? 2 : 0;
}
bool onEdge(int px, int py, int kind) {
  if (kindAt(px, py - uGrain) != kind || kindAt(px, py + uGrain) != kind) return true;
  return uSides == 1 && (kindAt(px - uGrain, py) != kind || kindAt(px + uGrain, py) != kind);
}
vec3 shade() {
  int px = int(gl_FragCoord.x), py = uSize.y - 1 - int(gl_FragCoord.y);
  int row, slot; ivec2 known;
  if (!locate(px, row, slot, known)) return uBack;
  if (hatched(known)) return wrap(px + py, 8 * uGrain) < uGrain ? uHatch : uBack;
  if (known.r == ${NO_TICK}) return uBack;
  int rel = relAt(py, known.r);
  if (rel > uHalf || rel + uPooled - 1 < -uHalf) return uBack;
  vec3 rgb = uBack;
  if (uOn.x == 1) {
    int code = strongest(uDepth, row, slot, rel);
    vec4 lut = texelFetch(uLuts, ivec2(code, 0), 0);
    float alpha = lut.a * uOpacity.x;
    if (code == 0) {
      if (uDetail == 1 && (known.g & ${ARRIVED}) != 0 && wrap(px, 6 * uGrain) < uGrain && wrap(py, 6 * uGrain) < uGrain) rgb = mix(rgb, uHatch, 0.6);
    } else if (alpha > 0.) {
      int rested = uPooled == 1 ? int(texelFetch(uRest, ivec3(uHalf + rel, row, slot), 0).r) : 0;
      float solid = rested == 0 ? 1. : 0.35 + 0.65 * float(rested - 1) / 254.;
      int flow = uDetail == 1 && uPooled == 1 ? int(texelFetch(uFlow, ivec3(uHalf + rel, row, slot), 0).r) : 0;
      if (flow > 0 && flow < ${ERODING_BELOW} && wrap(px - py, 6 * uGrain) < 2 * uGrain) solid *= 0.45;
      rgb = mix(rgb, lut.rgb, alpha * solid);
    }
  }
  if (uOn.z == 1) {
    vec4 lut = texelFetch(uLuts, ivec2(strongest(uNet, row, slot, rel), 1), 0);
    rgb = mix(rgb, lut.rgb, lut.a * uOpacity.z);
  }
  if (uOn.y == 1 && uContour == 1) {
    int kind = kindAt(px, py);
    if (kind != 0 && onEdge(px, py, kind) && (kind == 1 || wrap(px, 4 * uGrain) < uGrain))
      rgb = mix(rgb, vec3(uInk), uOpacity.y * (kind == 1 ? 0.6 : 0.45));
  } else if (uOn.y == 1) {
    int code = strongest(uScore, row, slot, rel);
    if (code > ${LEAVING_FROM} && wrap(px + py, 4 * uGrain) < uGrain)
      rgb = mix(rgb, vec3(uInk), uOpacity.y * (0.15 + 0.45 * float(code - ${LEAVING_FROM}) / ${255 - LEAVING_FROM}.));
    else if (code > 0 && code < ${BUILDING_TO} && wrap(px, 4 * uGrain) < uGrain && wrap(py, 4 * uGrain) < uGrain)
      rgb = mix(rgb, vec3(uInk), uOpacity.y * (0.25 + 0.5 * float(${BUILDING_TO} - code) / ${BUILDING_TO}.));
  }
  return rgb;
}
void main() { colour = vec4(shade(), 1.); }`;

export class WebglHeatmap implements HeatmapBackend {
  readonly kind = 'webgl2';
  private readonly gl: WebGL2RenderingContext;
  private readonly program: WebGLProgram;
  private readonly places = new Map<string, WebGLUniformLocation | null>();
  private readonly textures: WebGLTexture[] = [];
  private readonly rows: WebGLTexture;
  private readonly luts: WebGLTexture;
  private readonly slots: { key: string; used: number }[] = Array.from({ length: SLOTS }, () => ({ key: '', used: 0 }));
  private clock = 0;
  private lutSource: readonly [Uint8Array, Uint8Array] | null = null;
  private readonly staging = new Int32Array(TILE_ROWS * 2);

  constructor(
    private readonly canvas: HTMLCanvasElement | OffscreenCanvas,
    private readonly data: SessionData,
  ) {
    const gl = canvas.getContext('webgl2', {
      alpha: false,
      antialias: false,
      depth: false,
      preserveDrawingBuffer: true,
    }) as WebGL2RenderingContext | null;
    if (!gl) throw new Error('no WebGL2');
    this.gl = gl;
    this.program = this.link();
    gl.useProgram(this.program);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const width = data.width > 512 ? 1024 : 512;
    COLUMNS.forEach((name, unit) => {
      const texture = this.texture(unit, gl.TEXTURE_2D_ARRAY);
      const there = data.cells.has(name);
      gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.R8UI, there ? width : 1, there ? TILE_ROWS : 1, there ? SLOTS : 1);
      this.textures.push(texture);
    });
    this.rows = this.texture(5, gl.TEXTURE_2D_ARRAY);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.RG32I, 1, TILE_ROWS, SLOTS);
    this.luts = this.texture(6, gl.TEXTURE_2D);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, 256, 2);
    ['uDepth', 'uFlow', 'uRest', 'uScore', 'uNet', 'uRows', 'uLuts'].forEach((name, unit) => {
      gl.uniform1i(this.place(name), unit);
    });
    if (gl.getError() !== gl.NO_ERROR) throw new Error('WebGL2 refused the textures');
  }

  changed(lod: Lod, first: number, count: number): void {
    for (let tile = Math.floor(first / TILE_ROWS); tile * TILE_ROWS < first + count; tile++) {
      const slot = this.slots.findIndex((held) => held.key === `${lod}|${tile}`);
      if (slot < 0) continue;
      const begin = Math.max(first, tile * TILE_ROWS);
      this.upload(lod, tile, slot, begin, Math.min(first + count, (tile + 1) * TILE_ROWS) - begin);
    }
  }

  draw(scene: Scene): void {
    const { gl, canvas } = this;
    if (canvas.width !== scene.width || canvas.height !== scene.height) {
      canvas.width = scene.width;
      canvas.height = scene.height;
    }
    gl.viewport(0, 0, scene.width, scene.height);
    this.setTiles(scene);
    this.setLuts(scene);
    const { view } = scene;
    const [x0, y0] = [Math.floor(view.x0), Math.floor(view.yMid)];
    gl.uniform2i(this.place('uSize'), scene.width, scene.height);
    gl.uniform2i(this.place('uOrigin'), x0, y0);
    gl.uniform2f(this.place('uFraction'), view.x0 - x0, view.yMid - y0);
    gl.uniform2f(this.place('uScale'), view.pxPerSec, view.pxPerTick);
    const numbers: Record<string, number> = {
      uLod: scene.lod,
      uLimit: scene.limit,
      uSeconds: scene.seconds,
      uHalf: scene.half,
      uSpotAnchor: scene.anchor === 'spot' ? 1 : 0,
      uGrain: scene.grain,
      uPooled: view.pxPerTick >= 1 ? 1 : Math.min(MAX_POOLED_TICKS, Math.ceil(1 / view.pxPerTick)),
      uDetail: view.pxPerTick >= DETAIL_PX * scene.grain ? 1 : 0,
      uBase: scene.baseTick,
      uContour: scene.vacuumContour ? 1 : 0,
      uSides: scene.lod * view.pxPerSec >= CONTOUR_SIDES_PX * scene.grain ? 1 : 0,
    };
    for (const [name, value] of Object.entries(numbers)) gl.uniform1i(this.place(name), value);
    const has = (name: string, on: boolean): number => (on && this.data.cells.has(name) ? 1 : 0);
    gl.uniform3i(
      this.place('uOn'),
      has('wall.depth', scene.wall),
      has('vacuum.score', scene.vacuum),
      has('pressure.net', scene.pressure),
    );
    gl.uniform3f(this.place('uOpacity'), scene.wallOpacity, scene.vacuumOpacity, scene.pressureOpacity);
    const colours = THEMES[scene.theme];
    gl.uniform3fv(
      this.place('uBack'),
      colours.background.map((v) => v / 255),
    );
    gl.uniform3fv(
      this.place('uHatch'),
      colours.hatch.map((v) => v / 255),
    );
    gl.uniform1f(this.place('uInk'), scene.theme === 'dark' ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  pixels(): Uint8ClampedArray {
    const { gl, canvas } = this;
    const raw = new Uint8Array(canvas.width * canvas.height * 4);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, raw);
    const out = new Uint8ClampedArray(raw.length);
    const stride = canvas.width * 4;
    for (let y = 0; y < canvas.height; y++)
      out.set(raw.subarray(y * stride, (y + 1) * stride), (canvas.height - 1 - y) * stride);
    return out;
  }

  dispose(): void {
    const { gl } = this;
    for (const texture of [...this.textures, this.rows, this.luts]) gl.deleteTexture(texture);
    gl.deleteProgram(this.program);
  }

  /** Gives every tile in view a slot; a tile that has none takes the one longest unused. */
  private setTiles(scene: Scene): void {
    const { gl } = this;
    const groups = Math.ceil(scene.seconds / scene.lod);
    const firstGroup = Math.max(0, Math.floor(scene.view.x0 / scene.lod));
    const lastGroup = Math.min(groups - 1, Math.floor((scene.view.x0 + scene.width / scene.view.pxPerSec) / scene.lod));
    const tile0 = Math.floor(firstGroup / TILE_ROWS);
    const slots = new Int32Array(SLOTS).fill(-1);
    this.clock += 1;
    for (let i = 0; i < SLOTS && (tile0 + i) * TILE_ROWS <= lastGroup; i++) {
      const key = `${scene.lod}|${tile0 + i}`;
      let slot = this.slots.findIndex((held) => held.key === key);
      if (slot < 0) {
        slot = this.slots.reduce((best, held, at) => (held.used < this.slots[best]!.used ? at : best), 0);
        this.slots[slot]!.key = key;
        this.upload(scene.lod, tile0 + i, slot, (tile0 + i) * TILE_ROWS, TILE_ROWS);
      }
      this.slots[slot]!.used = this.clock;
      slots[i] = slot;
    }
    gl.uniform1iv(this.place('uSlots[0]'), slots);
    gl.uniform1i(this.place('uTile0'), tile0);
  }

  private setLuts(scene: Scene): void {
    const { gl } = this;
    if (this.lutSource?.[0] === scene.wallLut && this.lutSource[1] === scene.pressureLut) return;
    this.lutSource = [scene.wallLut, scene.pressureLut];
    gl.activeTexture(gl.TEXTURE6);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 256, 1, gl.RGBA, gl.UNSIGNED_BYTE, scene.wallLut);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 1, 256, 1, gl.RGBA, gl.UNSIGNED_BYTE, scene.pressureLut);
  }

  private upload(lod: Lod, tile: number, slot: number, first: number, count: number): void {
    const { gl, data } = this;
    const row = first - tile * TILE_ROWS;
    COLUMNS.forEach((name, unit) => {
      const tiles = data.cells.get(name);
      if (!tiles) return;
      const codes = tiles.get(lod, tile);
      gl.activeTexture(gl.TEXTURE0 + unit);
      const source = codes
        ? codes.subarray(row * data.width, (row + count) * data.width)
        : new Uint8Array(count * data.width);
      gl.texSubImage3D(
        gl.TEXTURE_2D_ARRAY,
        0,
        0,
        row,
        slot,
        data.width,
        count,
        1,
        gl.RED_INTEGER,
        gl.UNSIGNED_BYTE,
        source,
      );
    });
    const rows = data.rows.get(lod)!;
    const base = data.manifest.baseTick;
    for (let i = 0; i < count; i++) {
      const spot = rows.spot[first + i] ?? NO_TICK;
      this.staging[2 * i] = spot === NO_TICK ? NO_TICK : spot - base;
      this.staging[2 * i + 1] =
        (rows.state[first + i] ?? NOT_LOADED) |
        ((rows.flags[first + i] ?? 0) << 8) |
        (data.cells.get('wall.depth')?.loaded(lod, first + i) ? ARRIVED : 0);
    }
    gl.activeTexture(gl.TEXTURE5);
    gl.texSubImage3D(
      gl.TEXTURE_2D_ARRAY,
      0,
      0,
      row,
      slot,
      1,
      count,
      1,
      gl.RG_INTEGER,
      gl.INT,
      this.staging.subarray(0, 2 * count),
    );
  }

  private texture(unit: number, target: number): WebGLTexture {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(target, texture);
    gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    return texture;
  }

  private place(name: string): WebGLUniformLocation | null {
    if (!this.places.has(name)) this.places.set(name, this.gl.getUniformLocation(this.program, name));
    return this.places.get(name)!;
  }

  private link(): WebGLProgram {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const part = gl.createShader(type);
      if (!part) throw new Error('WebGL2 context is lost');
      gl.shaderSource(part, source);
      gl.compileShader(part);
      gl.attachShader(program, part);
      if (!gl.getShaderParameter(part, gl.COMPILE_STATUS)) throw new Error(`shader: ${gl.getShaderInfoLog(part)}`);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`shader: ${gl.getProgramInfoLog(program)}`);
    return program;
  }
}
