/** Tile requests: the wanted list in order, six at a time; what is no longer wanted is aborted. */
import { keyText, type TileKey } from './messages.ts';

export const PARALLEL = 6;
export type FetchTile = (key: TileKey, signal: AbortSignal) => Promise<void>;

export class TileScheduler {
  private queue: TileKey[] = [];
  private readonly running = new Map<string, AbortController>();

  constructor(
    private readonly fetchTile: FetchTile,
    private readonly done: (key: TileKey, problem: string | null) => void,
  ) {}

  want(keys: readonly TileKey[]): void {
    const wanted = new Set(keys.map(keyText));
    for (const [text, controller] of this.running) if (!wanted.has(text)) controller.abort();
    this.queue = keys.filter((key) => !this.running.has(keyText(key)));
    this.pump();
  }

  private pump(): void {
    while (this.running.size < PARALLEL && this.queue.length) {
      const key = this.queue.shift()!;
      const controller = new AbortController();
      this.running.set(keyText(key), controller);
      this.fetchTile(key, controller.signal)
        .then(
          () => this.done(key, null),
          (error: unknown) => {
            if (!controller.signal.aborted) this.done(key, error instanceof Error ? error.message : String(error));
          },
        )
        .finally(() => {
          this.running.delete(keyText(key));
          this.pump();
        });
    }
  }
}
