/** The lists beside the stream: levels, candles, episodes, evidence, overview. Asked for as of the gate. */
import { asOf, type Gate } from '../core/timegate.ts';
import { parseCandles } from '../model/candles.ts';
import { parseEpisodes } from '../model/episodes.ts';
import { parseEvidence, parseIntensity, parseTried } from '../model/evidence.ts';
import { inspectLines, type Line } from '../model/inspect.ts';
import { parseLevels } from '../model/levels.ts';
import type { Lists } from '../panels/model.ts';
import { parseOverview } from '../render/scrubber.ts';
import { address, getJson, HttpError } from './http.ts';
import { type Manifest, unavailable } from './manifest.ts';

export class Context {
  private running = false;
  private next: Gate | null = null;
  constructor(
    private readonly base: string,
    private readonly manifest: Manifest,
    private readonly lists: Lists,
    private readonly changed: () => void,
  ) {}

  private path(rest: string): string {
    return `/v1/sessions/${this.manifest.symbol}/${this.manifest.dt}/${rest}`;
  }

  /** Fetches every list that exists. One round at a time: of the gates that come meanwhile, the latest has the next. */
  async refresh(gate: Gate): Promise<void> {
    this.next = gate;
    if (this.running) return;
    this.running = true;
    try {
      while (this.next) {
        const now: Gate = this.next;
        this.next = null;
        await this.round(now);
        this.changed();
      }
    } finally {
      this.running = false;
    }
  }

  /** A list that fails keeps what it had. */
  private async round(gate: Gate): Promise<void> {
    const query = { as_of: asOf(gate), v: this.manifest.dataVersion };
    const get = async (name: string, panel: string | null, take: (json: unknown) => void): Promise<void> => {
      if (panel && unavailable(this.manifest, panel)) return;
      try {
        take(await getJson(address(this.base, this.path(name), query)));
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
      }
    };
    try {
      await Promise.all([
        get('overview', null, (json) => {
          this.lists.minutes = parseOverview(json);
        }),
        get('levels', 'levels', (json) => {
          this.lists.levels = parseLevels(json);
        }),
        get('candles', 'candles', (json) => {
          this.lists.candles = parseCandles(json);
        }),
        get('episodes', 'episodes', (json) => {
          this.lists.episodes = parseEpisodes(json);
        }),
        get('evidence', 'evidence', (json) => {
          this.lists.evidence = parseEvidence(json);
          this.lists.tried = parseTried(json);
          this.lists.intensity = parseIntensity(json);
        }),
      ]);
    } catch {
      // No network for a moment: the socket says so on screen, the next round tries again.
    }
  }

  /** Exact values at one cell, as name and text. */
  async inspect(sec: number, tick: number, signal: AbortSignal): Promise<readonly Line[]> {
    return inspectLines(await getJson(address(this.base, this.path('inspect'), { sec, tick }), signal), this.manifest);
  }
}
