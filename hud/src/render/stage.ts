/** The plot on screen: three stacked canvases and the strip beside them; draws what is dirty and nothing else. */
import { DIRTY, type HudState, type Store } from '../core/store.ts';
import type { SessionData } from '../model/session.ts';
import type { Model } from '../panels/model.ts';
import type { Lod } from '../scale/x.ts';
import { lodFor, secAt } from '../scale/x.ts';
import { tickAt } from '../scale/y.ts';
import { column } from '../wire/manifest.ts';
import { AXIS_HEIGHT, AXIS_WIDTH } from './axes.ts';
import { drawStrip } from './columns.ts';
import { type Box, drawCrosshair } from './crosshair.ts';
import { Canvas2dHeatmap } from './heatmap-2d.ts';
import { WebglHeatmap } from './heatmap-gl.ts';
import { drawOverlay } from './overlay.ts';
import { signedLut, THEMES, wallLut } from './palette.ts';
import type { Plot } from './plot.ts';
import type { HeatmapBackend, Scene } from './scene.ts';
import { FrameBudget } from './scheduler.ts';

const SETTLE_MS = 160;
const COARSE: Lod = 16;
const RESTORE_MS = 2000;

export interface Toggles {
  spot: boolean;
  strip: boolean;
  profile: boolean;
}

export class Stage {
  readonly toggles: Toggles = { spot: true, strip: true, profile: true };
  width = 0;
  height = 0;
  box: Box | null = null;
  backend: HeatmapBackend;
  private heat: HTMLCanvasElement;
  private readonly budget = new FrameBudget();
  private settle: ReturnType<typeof setTimeout> | null = null;
  private interacting = false;
  private luts: { key: string; wall: Uint8Array; pressure: Uint8Array } | null = null;

  constructor(
    readonly host: HTMLElement,
    private readonly overlay: HTMLCanvasElement,
    private readonly cross: HTMLCanvasElement,
    private readonly strip: HTMLCanvasElement,
    private readonly store: Store,
    private readonly data: SessionData,
    private readonly onBackend: (software: boolean) => void,
    forceSoftware: boolean,
  ) {
    this.heat = this.freshCanvas();
    this.backend = this.open(forceSoftware);
    new ResizeObserver(() => this.resize()).observe(host);
    new ResizeObserver(() => this.resize()).observe(strip);
    this.resize();
  }

  private freshCanvas(): HTMLCanvasElement {
    const canvas = document.createElement('canvas');
    canvas.className = 'heat';
    canvas.setAttribute('aria-hidden', 'true');
    this.heat?.remove();
    this.host.prepend(canvas);
    return canvas;
  }

  private open(software: boolean): HeatmapBackend {
    if (!software) {
      try {
        const backend = new WebglHeatmap(this.heat, this.data);
        this.watchContext();
        this.onBackend(false);
        return backend;
      } catch {
        this.heat = this.freshCanvas();
      }
    }
    this.onBackend(true);
    return new Canvas2dHeatmap(this.heat, this.data);
  }

  /** A lost context that does not come back in two seconds is replaced by the software back end. */
  private watchContext(): void {
    const canvas = this.heat;
    let timer: ReturnType<typeof setTimeout> | null = null;
    canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault();
      timer = setTimeout(() => {
        this.heat = this.freshCanvas();
        this.backend = this.open(true);
        this.store.touch(DIRTY.VIEW);
      }, RESTORE_MS);
    });
    canvas.addEventListener('webglcontextrestored', () => {
      if (timer) clearTimeout(timer);
      this.heat = this.freshCanvas();
      this.backend = this.open(false);
      this.store.touch(DIRTY.VIEW);
    });
  }

  private resize(): void {
    const ratio = devicePixelRatio || 1;
    const [fullWidth, fullHeight] = [this.host.clientWidth, this.host.clientHeight];
    this.width = Math.max(50, fullWidth - AXIS_WIDTH);
    this.height = Math.max(50, fullHeight - AXIS_HEIGHT);
    for (const canvas of [this.overlay, this.cross]) {
      canvas.width = Math.round(fullWidth * ratio);
      canvas.height = Math.round(fullHeight * ratio);
    }
    this.strip.width = Math.round(this.strip.clientWidth * ratio);
    this.strip.height = Math.round(this.strip.clientHeight * ratio);
    this.heat.style.width = `${this.width}px`;
    this.heat.style.height = `${this.height}px`;
    this.store.touch(DIRTY.VIEW);
  }

  changed(lod: Lod, first: number, count: number): void {
    this.backend.changed(lod, first, count);
  }

  draw(model: Model, dirty: number): void {
    const { state } = model;
    const ratio = devicePixelRatio || 1;
    const ctx = this.overlay.getContext('2d')!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const plot = this.plot(model, ctx);
    if (dirty & (DIRTY.DATA | DIRTY.VIEW | DIRTY.STYLE)) {
      this.drawHeat(model, dirty, ratio);
      drawOverlay(plot, { ...model.lists, showSpot: this.toggles.spot, showProfile: this.toggles.profile });
    }
    const strip = this.strip.getContext('2d')!;
    strip.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.toggles.strip && this.strip.clientWidth > 0) drawStrip(plot, strip, this.strip.clientWidth);
    const cross = this.cross.getContext('2d')!;
    cross.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawCrosshair({ ...plot, ctx: cross }, this.box);
    this.host.classList.toggle('stale', state.link === 'stale' || state.link === 'reconnecting');
  }

  plot(model: Model, ctx: CanvasRenderingContext2D): Plot {
    const { state, gate, data, manifest, labels } = model;
    return {
      ctx,
      width: this.width,
      height: this.height,
      state,
      view: state.view,
      gate,
      data,
      manifest,
      colours: THEMES[state.theme],
      labels,
    };
  }

  private drawHeat(model: Model, dirty: number, ratio: number): void {
    // Drawing nothing costs as much as drawing: before the first rows the page's background stands in.
    this.heat.style.visibility = this.data.started ? '' : 'hidden';
    if (!this.data.started) return;
    const begun = performance.now();
    const moving = Boolean(dirty & (DIRTY.VIEW | DIRTY.DATA));
    if (moving) {
      // The next frame callback comes when the browser has taken this frame: the distance is what drawing costs.
      requestAnimationFrame(() => this.budget.add(performance.now() - begun));
      this.interacting = true;
      if (this.settle) clearTimeout(this.settle);
      this.settle = setTimeout(() => {
        this.interacting = false;
        if (this.budget.slow) this.store.touch(DIRTY.STYLE);
      }, SETTLE_MS);
    }
    const scale = this.interacting && this.budget.slow ? ratio / 2 : ratio;
    this.backend.draw(this.scene(model, scale));
  }

  /** The heat map at `scale` canvas pixels per CSS pixel. */
  scene(model: Model, scale: number): Scene {
    const { state, manifest, gate } = model;
    const transfer = column(manifest, 'wall', 'depth')?.transfer ?? { fn: 'unit' as const };
    const key = [state.magnitude, state.cutLow, state.cutHigh, state.linear, state.theme].join();
    if (this.luts?.key !== key) {
      const wall = { name: state.magnitude, low: state.cutLow, high: state.cutHigh, linear: state.linear };
      this.luts = { key, wall: wallLut(wall, transfer, state.theme), pressure: signedLut(state.theme) };
    }
    return {
      width: Math.round(this.width * scale),
      height: Math.round(this.height * scale),
      view: {
        x0: state.view.x0,
        pxPerSec: state.view.pxPerSec * scale,
        yMid: state.view.yMid,
        pxPerTick: state.view.pxPerTick * scale,
      },
      anchor: state.anchor,
      lod: this.level(model),
      limit: gate.limit,
      seconds: manifest.seconds,
      half: manifest.halfTicks,
      baseTick: manifest.baseTick,
      theme: state.theme,
      wall: state.layers.wall,
      vacuum: state.layers.vacuum,
      pressure: state.layers.pressure,
      vacuumContour: state.vacuumContour,
      wallOpacity: state.opacity.wall,
      vacuumOpacity: state.opacity.vacuum,
      pressureOpacity: state.opacity.pressure,
      wallLut: this.luts.wall,
      pressureLut: this.luts.pressure,
      grain: Math.max(1, Math.round(scale)),
    };
  }

  /** The level for this zoom; while it is still arriving, the coarse one where that is there. */
  private level(model: Model): Lod {
    const { state, gate, data } = model;
    const wanted = lodFor(state.view.pxPerSec);
    const [from, to] = [
      Math.max(0, Math.floor(state.view.x0)),
      Math.min(gate.limit, Math.floor(secAt(state.view, this.width))),
    ];
    const drawn = (['wall.depth', 'vacuum.score', 'pressure.net'] as const).filter(
      (name) => state.layers[name.split('.')[0] as 'wall'],
    );
    if (wanted >= COARSE || data.complete(wanted, from, to, drawn)) return wanted;
    return data.complete(COARSE, from, to, drawn) ? COARSE : wanted;
  }

  /** Second and absolute tick under a point of the plot; null outside it. */
  pick(state: Readonly<HudState>, x: number, y: number): { sec: number; tick: number } | null {
    if (x < 0 || y < 0 || x > this.width || y > this.height) return null;
    const second = Math.floor(secAt(state.view, x));
    const axis = Math.round(tickAt(state.view, this.height, y));
    if (second < 0 || second >= this.data.manifest.seconds) return null;
    return {
      sec: second,
      tick: state.anchor === 'price' ? axis : axis + this.data.lastSpot(Math.min(second, state.now)),
    };
  }

  /** Everything on screen of the plot as one picture, with a footer line. */
  picture(model: Model, footer: string): HTMLCanvasElement {
    const ratio = devicePixelRatio || 1;
    this.backend.draw(this.scene(model, ratio));
    const out = document.createElement('canvas');
    const bar = Math.round(26 * ratio);
    out.width = this.overlay.width + this.strip.width;
    out.height = this.overlay.height + bar;
    const ctx = out.getContext('2d')!;
    const colours = THEMES[model.state.theme];
    ctx.fillStyle = `rgb(${colours.panel.join(',')})`;
    ctx.fillRect(0, 0, out.width, out.height);
    ctx.drawImage(this.heat, 0, 0);
    ctx.drawImage(this.overlay, 0, 0);
    ctx.drawImage(this.strip, this.overlay.width, 0);
    ctx.fillStyle = `rgb(${colours.text.join(',')})`;
    ctx.font = `${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
    ctx.textBaseline = 'middle';
    ctx.fillText(footer, 8 * ratio, this.overlay.height + bar / 2);
    return out;
  }
}
