/** One session on screen: owns store, data, feed and panels, and turns what the user does into changes. */
import { Announcer } from './a11y/announce.ts';
import { PRESENT_AT, perform } from './actions.ts';
import type { Action } from './core/keymap.ts';
import { withToggled } from './core/layers.ts';
import { DIRTY, type HudState, type Layer, Store } from './core/store.ts';
import { TimeLabels } from './core/time.ts';
import { type Gate, gateFor, maySee } from './core/timegate.ts';
import { NO_TICK } from './core/units.ts';
import { toHash } from './core/url.ts';
import { Feed, type FeedEvents } from './feed.ts';
import { type Episode, SEEK_BEFORE } from './model/episodes.ts';
import type { Line } from './model/inspect.ts';
import { SessionData } from './model/session.ts';
import { Analogues } from './panels/analogues.ts';
import { Bands } from './panels/bands.ts';
import { el } from './panels/dom.ts';
import { Episodes } from './panels/episode.ts';
import { EvidencePanel } from './panels/evidence.ts';
import { Header } from './panels/header.ts';
import { Help } from './panels/help.ts';
import { Ladder } from './panels/ladder.ts';
import { Legend } from './panels/legend.ts';
import { Mechanics } from './panels/mechanics.ts';
import { emptyLists, type Model, type Panel } from './panels/model.ts';
import { Rail } from './panels/rail.ts';
import { Reading } from './panels/reading.ts';
import { Readout, readoutLines } from './panels/readout.ts';
import { SessionInfo } from './panels/session.ts';
import { Tabs } from './panels/tabs.ts';
import { Transport } from './panels/transport.ts';
import { AXIS_WIDTH } from './render/axes.ts';
import { STRIP_UNITS } from './render/columns.ts';
import { defaultCuts } from './render/palette.ts';
import { Scheduler } from './render/scheduler.ts';
import { Stage } from './render/stage.ts';
import { axisTick, recentred } from './scale/anchor.ts';
import { lodFor } from './scale/x.ts';
import { column, type Manifest } from './wire/manifest.ts';

const FORWARD_MAX = 600;

export interface AppOptions {
  readonly base: string;
  readonly session: string;
  readonly worker: Worker;
  /** Where to begin, and what the address asks for besides. */
  readonly change: Partial<HudState> & { readonly now: number };
  readonly software: boolean;
  readonly openSession: (key: string) => void;
}

export class App {
  readonly store = new Store();
  readonly data: SessionData;
  readonly lists = emptyLists();
  readonly stage: Stage;
  readonly readout = new Readout();
  readonly plotHost: HTMLElement;
  readonly transport: Transport;
  private labels: TimeLabels;
  private readonly header: Header;
  readonly help = new Help();
  private readonly info: SessionInfo;
  private readonly ladder = new Ladder();
  private readonly panels: Panel[];
  private readonly scheduler: Scheduler;
  readonly feed: Feed;
  private readonly announcer: Announcer;
  readonly zooms: HudState['view'][] = [];
  private hashTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    root: HTMLElement,
    private readonly manifest: Manifest,
    private readonly options: AppOptions,
  ) {
    this.data = new SessionData(manifest);
    const state = this.store.state;
    const last = manifest.seconds - 1;
    Object.assign(
      state,
      {
        ...defaultCuts(column(manifest, 'wall', 'depth')?.transfer ?? null),
        theme: matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark',
      },
      options.change,
    );
    state.now = Math.min(state.now, last);
    this.labels = this.makeLabels();
    document.documentElement.dataset.theme = state.theme;

    // Everything is asked for before the page is built: what comes back finds it ready.
    const events: FeedEvents = {
      gate: () => this.gate(),
      rows: (lod, first, count) => this.stage.changed(lod, first, count),
      heard: () => this.header.heard(),
      say: (text) => this.say(text),
      changed: () => options.openSession(options.session),
    };
    this.feed = new Feed(options.base, this.data, this.lists, this.store, events, options.worker);
    this.feed.start();
    this.info = new SessionInfo(manifest);
    this.header = new Header({
      zone: (zone) => {
        this.store.set({ zone }, DIRTY.VIEW | DIRTY.PANELS);
      },
      session: options.openSession,
      help: () => this.help.toggle(),
      theme: () => this.act('theme'),
      mode: () => this.act('mode'),
      info: () => this.info.toggle(),
    });
    this.setSessions([options.session]);
    const rail = new Rail();
    rail.onPick = (tick) => this.centreOn(tick);
    const legend = new Legend({
      layer: (layer) => this.toggleLayer(layer),
      opacity: (layer, value) => this.store.set({ opacity: { ...state.opacity, [layer]: value } }, DIRTY.STYLE),
      palette: (magnitude) => this.store.set({ magnitude }, DIRTY.STYLE | DIRTY.PANELS),
      cuts: (cutLow, cutHigh) => this.store.set({ cutLow, cutHigh }, DIRTY.STYLE | DIRTY.PANELS),
      vacuumStyle: () => this.act('vacuumStyle'),
      linear: (linear) => this.store.set({ linear }, DIRTY.STYLE | DIRTY.PANELS),
      gexFlow: () => this.store.set({ gexFlow: !state.gexFlow }, DIRTY.VIEW | DIRTY.PANELS),
      pool: (pool) => {
        this.store.set({ pool }, DIRTY.VIEW | DIRTY.PANELS);
        this.feed.pool(pool);
      },
    });
    this.transport = new Transport({
      playPause: () => this.act('playPause'),
      step: (seconds) => this.step(seconds),
      speed: (value) => this.setSpeed(value),
      seek: (second) => this.seek(second),
      goto: (text) => this.goTo(text),
      follow: () => this.act('follow'),
    });
    const episodes = new Episodes();
    episodes.onPick = (episode) => this.openEpisode(episode);
    const analogues = new Analogues();
    analogues.onReveal = () => this.act('reveal');
    analogues.onAgain = () => this.feed.alike.choose(this.lists.analogueQuestion, this.gate());
    analogues.onAsk = () => this.feed.alike.choose({ episode: null, second: this.store.state.now }, this.gate());
    const [reading, mechanics, bands] = [new Reading(), new Mechanics(), new Bands()];
    const tabs = new Tabs(
      [
        ['episodes', 'Episodes', episodes],
        ['analogues', 'Analogues', analogues],
        ['evidence', 'Evidence', new EvidencePanel()],
        ['ladder', 'Ladder', this.ladder],
      ],
      [['now', 'Now', el('div', { class: 'stack' }, reading.root, mechanics.root, bands.root)]],
    );
    const live = el('div', { class: 'sr', 'aria-live': 'polite', id: 'announce' });
    this.announcer = new Announcer(live);
    const [overlay, cross, strip] = [
      el('canvas', { class: 'overlay', 'aria-hidden': 'true' }),
      el('canvas', { class: 'cross', 'aria-hidden': 'true' }),
      el('canvas', {
        class: 'strip',
        role: 'img',
        'aria-label': 'depth, flow and vacuum by price at the present',
        title: STRIP_UNITS,
      }),
    ];
    this.plotHost = el(
      'div',
      {
        class: 'plot',
        role: 'application',
        'aria-label': 'surface around spot; Enter starts the data cursor',
        'data-testid': 'plot',
      },
      overlay,
      cross,
      this.readout.root,
    );
    this.plotHost.tabIndex = 0;
    root.replaceChildren(
      this.header.root,
      el('main', { class: 'workspace' }, rail.root, this.plotHost, strip, tabs.root),
      legend.root,
      this.transport.root,
      this.help.root,
      this.info.root,
      live,
    );
    this.readout.hide();
    this.place(this.plotHost.clientWidth - AXIS_WIDTH);
    this.stage = new Stage(
      this.plotHost,
      overlay,
      cross,
      strip,
      this.store,
      this.data,
      (software) => {
        this.header.software = software;
      },
      options.software,
    );
    this.panels = [this.header, rail, reading, mechanics, bands, tabs, legend, this.transport];

    this.scheduler = new Scheduler((dirty) => this.draw(dirty));
    this.store.subscribe((_, dirty) => this.scheduler.mark(dirty));
  }

  /** The view to begin with, and the tiles it needs, before anything is there to draw on. */
  private place(plotWidth: number): void {
    const { state } = this.store;
    if (this.options.change.view) Object.assign(state, { followNow: false, recentre: 'manual' });
    else {
      const yMid = state.anchor === 'spot' ? 0 : this.manifest.baseTick;
      state.view = this.followed({ ...state.view, yMid }, state.now, plotWidth);
    }
    this.feed.want(plotWidth);
  }
  setSessions(keys: readonly string[]): void {
    this.header.setSessions(keys, this.options.session);
  }
  start(): void {
    this.scheduler.mark(DIRTY.VIEW | DIRTY.PANELS | DIRTY.DATA);
  }
  dispose(): void {
    this.feed.dispose();
  }

  get frames(): number {
    return this.scheduler.frames;
  }
  gate(): Gate {
    return gateFor(this.store.state.mode, this.store.state.now, this.manifest.seconds - 1);
  }
  model(): Model {
    const { state } = this.store;
    return {
      state,
      manifest: this.manifest,
      data: this.data,
      lists: this.lists,
      gate: this.gate(),
      labels: this.labels,
      second: state.now,
    };
  }

  act(action: Action): void {
    perform(this, action);
  }

  /** A view chosen by hand; `remember` makes it undoable with Z. */
  setView(view: HudState['view'], remember = false, pan = false): void {
    if (remember) {
      this.zooms.push(this.store.state.view);
      if (this.zooms.length > 50) this.zooms.shift();
    }
    const followNow = this.store.state.followNow && !pan;
    this.store.set({ view, followNow, ...(pan ? { recentre: 'manual' as const } : {}) }, DIRTY.VIEW | DIRTY.PANELS);
  }

  setCursor(cursor: HudState['cursor']): void {
    this.store.set({ cursor }, DIRTY.HOVER);
    if (cursor && document.activeElement === this.plotHost)
      this.say(
        readoutLines(this.model())
          .map(([name, value]) => `${name} ${value}`)
          .join(', '),
      );
  }
  inspect(sec: number, tick: number, signal: AbortSignal): Promise<readonly Line[]> {
    return maySee(this.gate(), sec) ? this.feed.inspect(sec, tick, signal) : Promise.resolve([]);
  }
  say(text: string): void {
    this.announcer.say(text);
  }
  seek(second: number): void {
    const target = Math.min(this.manifest.seconds - 1, Math.max(0, Math.round(second)));
    this.feed.seek(target);
    this.store.set(
      { now: target, followNow: true, view: this.followed(this.store.state.view, target) },
      DIRTY.VIEW | DIRTY.PANELS | DIRTY.DATA,
    );
    this.feed.refreshLists();
  }
  goTo(text: string): boolean {
    const second = this.labels.parse(text);
    if (second !== null) this.seek(second);
    return second !== null;
  }
  openEpisode(episode: Episode | null): void {
    if (!episode) return this.say('no further episode');
    this.store.set({ episode: episode.id }, DIRTY.PANELS | DIRTY.VIEW);
    this.seek(episode.trigger - SEEK_BEFORE);
    this.feed.alike.choose({ episode: episode.id, second: episode.decision }, this.gate());
  }

  step(seconds: number): void {
    const { state } = this.store;
    if (seconds > 0 && !state.playing && seconds <= FORWARD_MAX) this.feed.step(seconds);
    else this.seek(state.now + seconds);
  }
  setSpeed(speed: number): void {
    this.feed.speed(speed);
    this.store.set({ speed }, DIRTY.PANELS);
  }
  toggleLayer(layer: Layer): void {
    this.store.set(withToggled(this.store.state, layer), DIRTY.STYLE | DIRTY.VIEW | DIRTY.PANELS);
  }
  toggleMode(): void {
    const { state } = this.store;
    if (state.mode === 'replay') {
      if (
        !state.reviewed &&
        !confirm('Show the whole session, including what comes after this time? The view stays marked as seen.')
      )
        return;
      this.store.set({ mode: 'review', reviewed: true }, DIRTY.VIEW | DIRTY.PANELS | DIRTY.DATA);
    } else this.store.set({ mode: 'replay' }, DIRTY.VIEW | DIRTY.PANELS | DIRTY.DATA);
    this.feed.refreshLists();
  }
  private centreOn(tick: number): void {
    const { state } = this.store;
    const axis = axisTick(state.anchor, tick, this.data.lastSpot(state.now));
    if (!Number.isNaN(axis)) this.setView({ ...state.view, yMid: axis }, true, true);
  }
  release(): void {
    this.readout.hide();
    this.store.set({ cursor: null }, DIRTY.HOVER);
  }

  followed(view: HudState['view'], now = this.store.state.now, width = this.stage.width): HudState['view'] {
    return { ...view, x0: now + 1 - (PRESENT_AT * width) / view.pxPerSec };
  }

  private makeLabels(): TimeLabels {
    const { t0Ns, seconds, exchangeTz } = this.manifest;
    return new TimeLabels({ firstEndMs: Number(t0Ns / 1_000_000n) + 1000, seconds, exchangeTz }, this.store.state.zone);
  }
  private labelsZone: HudState['zone'] | null = null;

  private draw(dirty: number): void {
    const { state } = this.store;
    if (this.labelsZone !== state.zone) {
      this.labels = this.makeLabels();
      this.labelsZone = state.zone;
    }
    let { view } = state;
    if (state.followNow) view = this.followed(view);
    const spot = this.data.lastSpot(state.now);
    if (spot !== NO_TICK && state.recentre !== 'manual')
      view = recentred(view, this.stage.height, state.anchor === 'spot' ? 0 : spot, state.recentre);
    state.view = view;
    this.transport.setPlotWidth(this.stage.width);
    const model = this.model();
    this.stage.draw(model, dirty);
    if (dirty & ~DIRTY.HOVER) for (const panel of this.panels) panel.update(model);
    else this.ladder.update(model);
    this.feed.drawn(this.stage.width);
    this.shareLater();
    this.markFirstPaint(spot);
  }
  /** The first frame with spot and, where there is a wall, some of it: what the start-up target is measured by. */
  private markFirstPaint(spot: number): void {
    if (this.painted || spot === NO_TICK) return;
    const { now, view } = this.store.state;
    const wall = this.data.cells.get('wall.depth');
    const lod = lodFor(view.pxPerSec);
    if (wall && ![lod, 16 as const].some((level) => wall.loaded(level, Math.floor(now / level) - 1))) return;
    this.painted = true;
    // The next frame begins when the browser has shown this one.
    requestAnimationFrame(() => performance.mark('spymaster:first-paint'));
  }
  private painted = false;
  private shareLater(): void {
    if (this.hashTimer) return;
    this.hashTimer = setTimeout(() => {
      this.hashTimer = null;
      history.replaceState(null, '', toHash(this.options.session, this.store.state));
    }, 600);
  }
}
