/** The lists beside the stream: levels, candles, episodes, evidence, overview. Asked for as of the gate. */
import { asOf, type Gate } from '../core/timegate.ts';
import { parseAnalogues } from '../model/analogues.ts';
import { parseCandles } from '../model/candles.ts';
import { parseEpisodes } from '../model/episodes.ts';
import { parseEvidence, parseIntensity, parseTried } from '../model/evidence.ts';
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

  async analogues(episode: string, gate: Gate, reveal: boolean): Promise<void> {
    const url = address(this.base, this.path(`episodes/${encodeURIComponent(episode)}/analogues`), {
      as_of: asOf(gate),
      k: 50,
      reveal,
    });
    try {
      this.lists.analogues = parseAnalogues(await getJson(url), reveal);
      this.lists.analoguesProblem = null;
    } catch (error) {
      this.lists.analogues = null;
      this.lists.analoguesProblem = error instanceof Error ? error.message : 'failed';
    }
    this.changed();
  }

  /** Exact values at one cell, as name and text. */
  async inspect(sec: number, tick: number, signal: AbortSignal): Promise<[string, string][]> {
    return inspectLines(await getJson(address(this.base, this.path('inspect'), { sec, tick }), signal));
  }
}

/** Tables with one row a price (and side): those of other kinds have columns of the same names that mean other things. */
const BY_PRICE = new Set(['wall_surface_1s', 'vacuum_surface_1s', 'pressure_surface_1s', 'gex_surface_1s']);
/** What the readout shows of the exact rows at one price, in this order; everything else is in the downloads. */
const EXACT = [
  'depth_qty_end',
  'depth_qty_rest',
  'order_count_end',
  'add_qty',
  'pull_qty_total',
  'fill_qty',
  'vacuum_score',
  'wall_strength_log',
  'long_pressure',
  'short_pressure',
  'net_pressure',
  'rest_ratio_ask',
  'rest_ratio_bid',
  'gex_call',
  'gex_put',
  'gex',
  'flow_gex',
];

/** Lines of an `inspect` answer: exact values of the tables that have rows at this price, with units. */
export function inspectLines(json: unknown): [string, string][] {
  const tables =
    (json as { tables?: Record<string, { rows?: Record<string, unknown>[]; units?: Record<string, string> }> } | null)
      ?.tables ?? {};
  const lines: [number, string, string][] = [];
  for (const [table, { rows = [], units = {} }] of Object.entries(tables)) {
    if (!BY_PRICE.has(table.split('.').at(-1)!)) continue;
    for (const row of rows) {
      const side = rows.length > 1 && row.side !== undefined ? ` ${String(row.side)}` : '';
      for (const [column, value] of Object.entries(row)) {
        const place = EXACT.indexOf(column);
        if (place < 0) continue;
        const text =
          value === null ? 'no data' : typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
        lines.push([place, `${column}${side}`, value === null || !units[column] ? text : `${text} ${units[column]}`]);
      }
    }
  }
  return lines.sort((a, b) => a[0] - b[0]).map(([, name, text]) => [name, text]);
}
