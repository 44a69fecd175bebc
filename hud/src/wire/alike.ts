/**
 * The question for analogues: of an episode, from its decision on, or of a second. Each is asked without what came of
 * the neighbours first, and with it only when the user reveals it.
 */
import { asOf, type Gate, maySee } from '../core/timegate.ts';
import { type Analogues, parseAnalogues, withPaths } from '../model/analogues.ts';
import type { Lists } from '../panels/model.ts';
import { address, getJson, type Query } from './http.ts';
import type { Manifest } from './manifest.ts';

export interface AnalogueQuestion {
  readonly episode: string | null;
  /** The second at whose end everything that is asked about was known. */
  readonly second: number;
}

export class Alike {
  private asked = false;
  /** Counts requests: of those under way only the last one counts. */
  private round = 0;
  constructor(
    private readonly base: string,
    private readonly manifest: Manifest,
    private readonly lists: Lists,
    private readonly changed: () => void,
  ) {}

  /** Takes another question, which is asked once its second is known. */
  choose(question: AnalogueQuestion | null, gate: Gate): void {
    this.forget();
    this.lists.analogueQuestion = question;
    this.moved(gate);
  }

  /** The present is another one: what is not known by now is not told, and what has become known is asked for. */
  moved(gate: Gate): void {
    const question = this.lists.analogueQuestion;
    if (!question) return;
    if (!maySee(gate, question.second)) return this.forget();
    if (!this.asked) void this.ask(question, gate, false);
  }

  /** Asks again with what came of the neighbours; false where nothing was asked, or nothing is to be revealed. */
  reveal(gate: Gate): boolean {
    const { analogueQuestion: question, analogues } = this.lists;
    if (!question || !analogues || analogues.revealed || !maySee(gate, question.second)) return false;
    if (analogues.answers.every(({ neighbours }) => !neighbours.length)) return false;
    void this.ask(question, gate, true);
    return true;
  }

  private forget(): void {
    this.asked = false;
    this.round += 1;
    this.lists.analogues = null;
    this.lists.analoguesProblem = null;
  }

  private async ask(question: AnalogueQuestion, gate: Gate, reveal: boolean): Promise<void> {
    this.asked = true;
    this.round += 1;
    const { round } = this;
    const tell = (answer: Analogues): boolean => {
      if (round !== this.round) return false;
      this.lists.analogues = answer;
      this.changed();
      return true;
    };
    try {
      let answer = parseAnalogues(await getJson(this.address(question, gate, reveal)));
      if (!tell(answer)) return;
      for (const { queryId, neighbours } of answer.answers) {
        if (!neighbours.length) continue;
        const query = { query_id: queryId, reveal, format: 'json' };
        answer = withPaths(answer, await getJson(address(this.base, '/v1/analogues/paths', query)));
        if (!tell(answer)) return;
      }
    } catch (error) {
      if (round !== this.round) return;
      this.lists.analoguesProblem = error instanceof Error ? error.message : 'failed';
      this.changed();
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
