/** The page's end of the worker: opens a session, forwards control, keeps the books on tiles. */
import type { HudState } from '../core/store.ts';
import type { SessionData } from '../model/session.ts';
import { wantedTiles } from '../model/tiles.ts';
import type { Lod } from '../scale/x.ts';
import type { ServerMessage } from './control.gen.ts';
import { unavailable } from './manifest.ts';
import { type ControlRequest, type FromWorker, keyText, type LinkState, type ToWorker } from './messages.ts';

/** Seconds of history sent ahead of a seek: panels draw two minutes of trail, the strip and the ladder need the present. */
const BOOTSTRAP = 300;
const RETRY_MS = 3000;
const SURFACES = ['snap', 'wall', 'vacuum', 'pressure', 'bands', 'moves', 'gex', 'ladder', 'reading'];

export interface LinkEvents {
  rows(lod: Lod, first: number, count: number): void;
  /** The last second of a streamed or history frame. */
  now(second: number): void;
  link(state: LinkState, detail: string | null): void;
  control(message: ServerMessage): void;
  /** A tile that failed may be asked for again. */
  retry(): void;
  /** Time in ms that taking the rows of one message cost. */
  took(ms: number): void;
}

/** Starts the worker; it can load while the page still asks what to open. */
export const spawnWorker = (): Worker => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });

export class Link {
  private readonly have = new Set<string>();
  private readonly failed = new Map<string, number>();
  private seeking = false;
  private lastWant = '';

  constructor(
    private readonly base: string,
    private readonly data: SessionData,
    private readonly events: LinkEvents,
    private readonly worker: Worker,
  ) {
    this.worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data);
  }

  open(from: number, speed: number, play: boolean): void {
    const { manifest, width, cellColumns } = this.data;
    const { symbol, dt, dataVersion, seconds } = manifest;
    const surfaces = SURFACES.filter((name) => !unavailable(manifest, name));
    this.post({
      type: 'open',
      base: this.base,
      symbol,
      dt,
      dataVersion,
      seconds,
      width,
      cells: cellColumns,
      surfaces,
      from,
      bootstrap: BOOTSTRAP,
      speed,
      play,
    });
  }
  control(message: Exclude<ControlRequest, { type: 'seek' }>): void {
    this.post({ type: 'control', message });
  }
  /** Goes to `second`: it becomes the last known one, the stream goes on after it. */
  seek(second: number): void {
    this.seeking = true;
    this.post({
      type: 'control',
      message: { type: 'seek', sec: Math.min(second + 1, this.data.manifest.seconds - 1), bootstrap: BOOTSTRAP },
    });
  }
  want(state: Readonly<HudState>, plotWidth: number): void {
    const now = performance.now();
    const keys = wantedTiles(this.data.manifest, state, plotWidth, this.have).filter(
      (key) => (this.failed.get(keyText(key)) ?? 0) < now,
    );
    const text = keys.map(keyText).join(' ');
    if (text === this.lastWant) return;
    this.lastWant = text;
    this.post({ type: 'want', keys });
  }
  /** Pooled depth changes with the pooling: coarse wall tiles are asked for again. */
  setPool(pool: 'max' | 'last' | 'mean'): void {
    for (const key of [...this.have]) if (key.startsWith('wall|') && !key.startsWith('wall|1|')) this.have.delete(key);
    this.lastWant = '';
    this.post({ type: 'pool', pool });
  }
  /** Fetches seconds that the stream left out. */
  refetch(from: number, to: number): void {
    for (let tile = Math.floor(from / 1024); tile <= Math.floor(to / 1024); tile++) {
      for (const key of [...this.have]) if (key.includes(`|1|${tile}|`)) this.have.delete(key);
    }
    this.lastWant = '';
  }
  close(): void {
    this.post({ type: 'close' });
    this.worker.terminate();
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private receive(message: FromWorker): void {
    if (message.type === 'rows') {
      const begun = performance.now();
      const { lod, first, count, source } = message;
      this.data.ingest(lod as Lod, first, count, message.blocks);
      for (const cells of this.data.cells.values()) {
        for (const dropped of cells.trim()) {
          const [level, tile] = dropped.split('|');
          for (const key of [...this.have])
            if (key.includes(`|${level}|${tile}|`) && !key.startsWith('snap')) this.have.delete(key);
        }
      }
      this.events.rows(lod as Lod, first, count);
      if (!this.seeking && lod === 1 && (source === 'stream' || source === 'history'))
        this.events.now(first + count - 1);
      if (source === 'stream') this.events.took(performance.now() - begun);
    } else if (message.type === 'tile') {
      const key = keyText(message.key);
      if (message.ok) this.have.add(key);
      // A tile that failed is asked for again a little later, not in a tight loop.
      else {
        this.failed.set(key, performance.now() + RETRY_MS);
        setTimeout(() => this.events.retry(), RETRY_MS + 50);
      }
    } else if (message.type === 'link') this.events.link(message.state, message.detail);
    else {
      if (message.message.type === 'subscribed') this.seeking = false;
      this.events.control(message.message);
    }
  }
}
