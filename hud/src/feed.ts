/** What comes from the sidecar for the session on screen: the stream, and the lists beside it, asked for as of the gate. */
import { DIRTY, type HudState, type Store } from './core/store.ts';
import type { Gate } from './core/timegate.ts';
import type { Line } from './model/inspect.ts';
import { NOT_LOADED, type SessionData } from './model/session.ts';
import type { Lists } from './panels/model.ts';
import type { Lod } from './scale/x.ts';
import { Alike } from './wire/alike.ts';
import { Context } from './wire/context.ts';
import type { ServerMessage } from './wire/control.gen.ts';
import { Link, type LinkEvents } from './wire/link.ts';

/**
 * How long the data on disk must have been left alone, in ms, before the session is opened anew: a run makes table after
 * table of a date, and a page that began again with each of them would be of no use meanwhile.
 */
export const AT_REST_MS = 10_000;
/** Costs of taking rows that are kept, for the append target. */
const KEPT_COSTS = 2000;

export interface FeedEvents {
  /** The gate of this moment: lists are asked for as of it. */
  gate(): Gate;
  /** Rows of a level of detail have been taken into the data. */
  rows(lod: Lod, first: number, count: number): void;
  /** Something arrived, or the connection is whole: the age of what is shown counts from here. */
  heard(): void;
  say(text: string): void;
  /** The data on disk is another one, and at rest: the session must be opened anew. */
  changed(): void;
}

export class Feed {
  private readonly link: Link;
  private readonly context: Context;
  readonly alike: Alike;
  /** Longest and recent costs of taking streamed rows, in ms. */
  readonly appendMs: number[] = [];
  private askedMinute = -1;
  /** Second of the latest thing told of in advance of its window; the lists have it once that second is the present. */
  private toldOf: number | null = null;
  private listsTimer: ReturnType<typeof setTimeout> | null = null;
  private changeTimer: ReturnType<typeof setTimeout> | null = null;
  private ageTimer: ReturnType<typeof setInterval> | null = null;

  constructor(
    base: string,
    private readonly data: SessionData,
    private readonly lists: Lists,
    private readonly store: Store,
    private readonly events: FeedEvents,
    worker: Worker,
  ) {
    this.context = new Context(base, data.manifest, lists, () => store.touch(DIRTY.DATA | DIRTY.PANELS));
    this.alike = new Alike(base, data.manifest, lists, () => {
      // What has been seen cannot be unseen: the mark stays when another question is asked.
      if (lists.analogues?.revealed) store.set({ revealed: true }, DIRTY.PANELS);
      store.touch(DIRTY.PANELS);
    });
    const taken: LinkEvents = {
      rows: (lod, first, count) => {
        events.rows(lod, first, count);
        store.touch(DIRTY.DATA | DIRTY.PANELS);
      },
      now: (second) => this.arrived(second),
      link: (state) => this.linkChanged(state),
      control: (message) => this.onControl(message),
      retry: () => store.touch(DIRTY.PANELS),
      took: (ms) => {
        this.appendMs.push(ms);
        if (this.appendMs.length > KEPT_COSTS) this.appendMs.shift();
      },
    };
    this.link = new Link(base, data, taken, worker);
  }

  /** Subscribes so that the present of the store is the last second known, and asks for the lists. */
  start(): void {
    const { now, speed } = this.store.state;
    this.link.open(Math.min(now + 1, this.data.manifest.seconds - 1), speed, false);
    this.refreshLists();
  }
  dispose(): void {
    if (this.ageTimer) clearInterval(this.ageTimer);
    if (this.listsTimer) clearTimeout(this.listsTimer);
    if (this.changeTimer) clearTimeout(this.changeTimer);
    this.alike.forget();
    this.link.close();
  }

  play(on: boolean): void {
    this.link.control({ type: on ? 'play' : 'pause' });
  }
  step(seconds: number): void {
    this.link.control({ type: 'step', n: seconds });
  }
  speed(value: number): void {
    this.link.control({ type: 'speed', value });
  }
  seek(second: number): void {
    this.link.seek(second);
  }
  pool(pool: HudState['pool']): void {
    this.link.setPool(pool);
  }
  inspect(second: number, tick: number, signal: AbortSignal): Promise<readonly Line[]> {
    return this.context.inspect(second, tick, signal);
  }
  refreshLists(): void {
    if (this.listsTimer) clearTimeout(this.listsTimer);
    this.listsTimer = null;
    this.askedMinute = Math.floor(this.store.state.now / 60);
    void this.context.refresh(this.events.gate());
    this.alike.moved(this.events.gate());
  }

  /** Asks for the tiles that a plot of this width still lacks. */
  want(plotWidth: number): void {
    this.link.want(this.store.state, plotWidth);
  }
  /** After each frame: asks for what the view still lacks, and closes gaps that have been filled over HTTP. */
  drawn(plotWidth: number): void {
    this.want(plotWidth);
    const open = this.lists.gaps.filter(([from, to]) => [from, to].some((s) => this.data.state(s) === NOT_LOADED));
    if (open.length !== this.lists.gaps.length) this.lists.gaps = open;
  }

  private arrived(second: number): void {
    this.events.heard();
    this.store.set({ now: second }, DIRTY.DATA | DIRTY.PANELS);
    this.alike.moved(this.events.gate());
    const due = this.toldOf !== null && second >= this.toldOf;
    if (due) this.toldOf = null;
    // What no event tells of changes with the minute; it is asked for then, not every second.
    if (due || Math.floor(second / 60) !== this.askedMinute) this.refreshListsSoon(second);
  }

  /** In a task of its own: to put six questions costs more than to take a second, which must not wait for them. */
  private refreshListsSoon(second: number): void {
    this.askedMinute = Math.floor(second / 60);
    this.listsTimer ??= setTimeout(() => this.refreshLists());
  }

  /** While nothing arrives the age of the last second is counted on screen; the timer runs only then. */
  private linkChanged(link: HudState['link']): void {
    this.store.set({ link }, DIRTY.PANELS | DIRTY.DATA);
    const silent = link === 'stale' || link === 'reconnecting';
    if (silent) {
      this.ageTimer ??= setInterval(() => this.store.touch(DIRTY.PANELS), 1000);
    } else if (this.ageTimer) {
      clearInterval(this.ageTimer);
      this.ageTimer = null;
    }
    if (!silent) this.events.heard();
  }

  private onControl(message: ServerMessage): void {
    const { store } = this;
    switch (message.type) {
      case 'loading':
        return store.set({ loading: message.pct }, DIRTY.PANELS);
      case 'subscribed':
        return store.set({ loading: null }, DIRTY.PANELS);
      case 'state': {
        const playing = message.clock === 'playing' || message.clock === 'throttled';
        return store.set({ playing, throttled: message.clock === 'throttled' }, DIRTY.PANELS);
      }
      case 'event':
        this.toldOf = message.sec;
        return;
      case 'gap':
        this.lists.gaps.push([message.from, message.to]);
        this.link.refetch(message.from, message.to);
        return store.touch(DIRTY.DATA);
      case 'eos':
        return store.set({ playing: false, link: 'ended' }, DIRTY.PANELS);
      case 'session_changed':
        if (this.changeTimer) clearTimeout(this.changeTimer);
        this.changeTimer = null;
        if (message.data_version !== this.data.manifest.dataVersion)
          this.changeTimer = setTimeout(() => this.events.changed(), AT_REST_MS);
        return;
      case 'error':
        return this.events.say(`${message.code}: ${message.message}`);
    }
  }
}
