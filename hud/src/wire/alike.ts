/**
 * The question for analogues: of an episode, from its decision on, or of a second. Each is asked without what came of
 * the neighbours first, and with it only when the user reveals it. What cannot be answered is said beside what has been.
 */
import { asOf, type Gate, maySee } from '../core/timegate.ts';
import { type Analogues, parseAnalogues, withPaths } from '../model/analogues.ts';
import type { Lists } from '../panels/model.ts';
import { address, getJson, HttpError, type Query } from './http.ts';
import type { Manifest } from './manifest.ts';

export interface AnalogueQuestion {
  readonly episode: string | null;
  /** The second at whose end everything that is asked about was known. */
  readonly second: number;
}

/** Longest wait for what belongs to one question; the first about a date makes the server load it. */
export const PATIENCE_MS = 120_000;
/** So often a server that answers others first is asked again, whenever it says. */
export const TRIES = 10;

export class Alike {
  /** The request under way, or the last one; null where nothing has been asked. Of several only the last one counts. */
  private request: AbortController | null = null;
  constructor(
    private readonly base: string,
    private readonly manifest: Manifest,
    private readonly lists: Lists,
    private readonly changed: () => void,
  ) {}

  /** Takes another question, which is asked once its second is known. The same one again is asked anew. */
  choose(question: AnalogueQuestion | null, gate: Gate): void {
    this.forget();
    this.lists.analogueQuestion = question;
    this.moved(gate);
    this.changed();
  }

  /** The present is another one: what is not known by now is not told, and what has become known is asked for. */
  moved(gate: Gate): void {
    const question = this.lists.analogueQuestion;
    if (!question) return;
    if (!maySee(gate, question.second)) return this.forget();
    if (!this.request) void this.ask(question, gate, false);
  }

  /** Asks again with what came of the neighbours, where there is something to reveal. */
  reveal(gate: Gate): void {
    const { analogueQuestion: question, analogues } = this.lists;
    if (!question || !analogues || analogues.revealed || !maySee(gate, question.second)) return;
    if (analogues.answers.every(({ neighbours }) => !neighbours.length)) return;
    void this.ask(question, gate, true);
  }

  /** Nothing is asked any more, and nothing that was will be told. */
  forget(): void {
    this.request?.abort();
    this.request = null;
    this.lists.analogues = null;
    this.lists.analoguesProblem = null;
  }

  private async ask(question: AnalogueQuestion, gate: Gate, reveal: boolean): Promise<void> {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.lists.analoguesProblem = null;
    this.changed();
    const tell = (answer: Analogues): boolean => {
      if (request !== this.request) return false;
      this.lists.analogues = answer;
      this.changed();
      return true;
    };
    const late = new Error(`no answer within ${PATIENCE_MS / 1000} s`);
    const timer = setTimeout(() => request.abort(late), PATIENCE_MS);
    try {
      let answer = parseAnalogues(await patiently(this.address(question, gate, reveal), request.signal));
      if (!tell(answer)) return;
      for (const { queryId, neighbours } of answer.answers) {
        if (!neighbours.length) continue;
        const query = { query_id: queryId, reveal, format: 'json' };
        const paths = await patiently(address(this.base, '/v1/analogues/paths', query), request.signal);
        answer = withPaths(answer, paths);
        if (!tell(answer)) return;
      }
    } catch (error) {
      if (request !== this.request) return;
      this.lists.analoguesProblem = error instanceof Error ? error.message : 'failed';
      this.changed();
    } finally {
      clearTimeout(timer);
    }
  }

  private address({ episode, second }: AnalogueQuestion, gate: Gate, reveal: boolean): string {
    const { symbol, dt, t0Ns } = this.manifest;
    if (episode !== null) {
      const path = `/v1/sessions/${symbol}/${dt}/episodes/${encodeURIComponent(episode)}/analogues`;
      return address(this.base, path, { as_of: asOf(gate), reveal });
    }
    const ns = (sec: number): string => String(t0Ns + BigInt(sec + 1) * 1_000_000_000n);
    const query: Query = { symbol, ts: ns(second), as_of: ns(Math.max(second, gate.limit)), reveal };
    return address(this.base, '/v1/analogues', query);
  }
}

/** An answer, be it that the server answers others first. */
async function patiently(url: string, signal: AbortSignal): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      return await getJson(url, signal);
    } catch (error) {
      if (!(error instanceof HttpError) || error.retryAfter === null || tries === TRIES) throw error;
      const { retryAfter } = error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * retryAfter));
      signal.throwIfAborted();
    }
  }
}
