/** Nearest past setups as small multiples. How they ended comes only when asked for, and never without its base rate. */
import { maySee } from '../core/timegate.ts';
import { type Analogue, type AnalogueAnswer, type Analogues as Asked, OUTCOMES, wilson } from '../model/analogues.ts';
import { levelName } from '../model/levels.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, el } from './dom.ts';
import type { Model, Panel } from './model.ts';
import { sparkline } from './spark.ts';

const SHOWN = 12;
/** Reasons to abstain, as `retrieval_result` names them. */
const REASONS: Record<string, string> = {
  invalid: 'the seconds before it are not all valid',
  few_sessions: 'too few earlier sessions',
  few_neighbours: 'too few earlier setups of this kind',
  novel: 'nearly all earlier setups were closer to their own like',
  uninformative: 'what followed is no different from the base rate',
};
const FACTS =
  'nearest: earlier setups with the smallest distance. effective: neighbours that weigh as much as all do. novelty: share ' +
  'of earlier setups that are nearer to their own like.';
const TILE =
  'Date of the setup; kinds of levels it was at; # which touch of its level that day. Arrow: the way price went to the ' +
  'level. d: distance between the scaled vectors, 0 = the same.';
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const arrow = (direction: number): string => (direction < 0 ? '↓' : '↑');
const signed = (value: number): string => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(Math.round(value))}`;

export class Analogues implements Panel {
  readonly root = el('div', { class: 'analogues', role: 'region', 'aria-label': 'analogues' });
  private shown: unknown[] = [];
  onReveal: () => void = () => {};
  onAsk: () => void = () => {};
  onAgain: () => void = () => {};

  update(model: Model): void {
    const { manifest, lists, gate, state } = model;
    const { analogues: asked, analogueQuestion: question, analoguesProblem: failed } = lists;
    const problem = unavailable(manifest, 'analogues');
    const known = question !== null && maySee(gate, question.second);
    const key = [problem, question, known, asked, failed, state.zone, state.theme];
    if (key.every((value, i) => value === this.shown[i]) && this.shown.length) return;
    this.shown = key;
    if (problem) {
      const hint = 'They come from gold.setup_vector and gold.retrieval_index, of earlier dates.';
      return this.root.replaceChildren(absent('Analogues', problem, hint));
    }
    if (!question) {
      const text = 'Choose an episode (N, P or the list) to see what has looked alike, or ask about this second.';
      return this.root.replaceChildren(el('p', { class: 'dim' }, text), this.askButton());
    }
    if (!known) {
      const text = `Asked at its decision, ${model.labels.full(question.second)}: before it there is nothing to compare.`;
      const title = 'Time of the episode, in the zone of the clock.';
      return this.root.replaceChildren(el('p', { class: 'dim', title }, text), this.askButton());
    }
    if (!asked) {
      if (!failed) return this.root.replaceChildren(el('p', { class: 'dim' }, 'Asking for analogues.'));
      const buttons = el('div', { class: 'asks' }, this.againButton(), this.askButton());
      return this.root.replaceChildren(absent('Analogues', `no answer (${failed})`, ''), buttons);
    }
    this.answers(model, asked, question.second, failed);
  }

  private answers(model: Model, asked: Asked, second: number, failed: string | null): void {
    const what = asked.episode === null ? 'This second' : asked.kind === 'candle' ? 'Candle' : 'Touch';
    const title = `Asked at this time (zone of the clock); outcomes are those of the ${asked.horizon} s after a decision.`;
    const head = el(
      'p',
      { title },
      el('b', {}, `${what} ${model.labels.full(second)}`),
      el('span', { class: 'dim' }, ` · ${asked.kind === 'candle' ? 'candles' : 'touches'}, ${asked.horizon} s `),
    );
    if (asked.provenance === 'simulated') {
      const title = 'Made by the simulator: it tells about the simulator, not about a market.';
      head.append(el('span', { class: 'badge sim', title }, 'SIMULATED'));
    }
    const near = asked.answers.flatMap((answer) => answer.neighbours);
    const buttons = el('div', { class: 'asks' }, this.askButton());
    if (near.length && !asked.revealed) {
      const button = el('button', { type: 'button', class: 'reveal' }, 'Reveal outcomes (O)');
      button.onclick = () => this.onReveal();
      buttons.prepend(button);
    }
    const parts: HTMLElement[] = [head, buttons];
    if (failed) {
      buttons.append(this.againButton());
      parts.push(absent('What was asked for last', `no answer (${failed})`, 'Shown is what came before.'));
    }
    const all = near.flatMap(({ path }) => path).filter((value) => !Number.isNaN(value));
    const range = [Math.min(...all, 0), Math.max(...all, 1)] as const;
    const drawn: (() => void)[] = [];
    for (const answer of asked.answers) {
      if (asked.answers.length > 1) {
        const from = answer.direction < 0 ? 'above' : 'below';
        parts.push(el('h3', {}, `As if price came from ${from} ${arrow(answer.direction)}`));
      }
      parts.push(...this.answer(answer, asked.revealed));
      const tiles = answer.neighbours.slice(0, SHOWN).map((one) => tile(one, asked, range, unseen(answer, failed)));
      drawn.push(...tiles.map(({ draw }) => draw));
      if (tiles.length) parts.push(el('div', { class: 'tiles' }, ...tiles.map(({ root }) => root)));
    }
    if (all.length) {
      const [first, last] = asked.span;
      const until = last > 0 ? `to ${last} s after it (the upright line is the decision)` : 'to the decision';
      const text =
        `Mid from ${-first} s before ${until}, in ticks from that at the decision (the faint line), up along the ` +
        `approach: ${signed(range[0])} to ${signed(range[1])} in every picture.`;
      const title = 'A tick is the smallest step of price. Every picture has the same scale.';
      parts.push(el('p', { class: 'dim', title }, text));
    }
    this.root.replaceChildren(...parts);
    for (const draw of drawn) draw();
  }

  private answer(answer: AnalogueAnswer, revealed: boolean): HTMLElement[] {
    const days = `${answer.sessions ?? '?'} earlier day${answer.sessions === 1 ? '' : 's'}`;
    const facts = [`${answer.neighbours.length} nearest, of ${days}`];
    if (answer.effective !== null) facts.push(`effective ${answer.effective.toFixed(1)}`);
    if (answer.novelty !== null) facts.push(`novelty ${percent(answer.novelty)}`);
    if (answer.provisional) facts.push('provisional: fewer days than usual');
    const parts: HTMLElement[] = [];
    if (answer.abstain) {
      const why = REASONS[answer.reason] ?? (answer.reason || 'no reason given');
      parts.push(el('p', {}, `Nothing similar enough: ${why}.`));
    }
    parts.push(el('p', { class: 'dim', title: FACTS }, facts.join(', ')));
    if (revealed && answer.neighbours.length) parts.push(odds(answer, days));
    return parts;
  }

  private againButton(): HTMLElement {
    const button = el('button', { type: 'button', class: 'again' }, 'Try again');
    button.onclick = () => this.onAgain();
    return button;
  }
  private askButton(): HTMLElement {
    const button = el('button', { type: 'button', class: 'ask' }, 'Ask about this second');
    button.onclick = () => this.onAsk();
    return button;
  }
}

/** Why a neighbour has no path. */
const unseen = (answer: AnalogueAnswer, failed: string | null): string =>
  answer.drawn ? 'its seconds are gone' : failed ? 'its seconds did not come' : 'its seconds are coming';

function tile(
  near: Analogue,
  asked: Asked,
  range: readonly [number, number],
  why: string,
): { root: HTMLElement; draw: () => void } {
  const spark = el('canvas', { 'aria-hidden': 'true' });
  const touch = near.touch === null ? '' : ` #${near.touch}`;
  const caption = el(
    'figcaption',
    { title: TILE },
    el('span', { class: 'num' }, near.date),
    el('span', {}, `${near.levelTypes.map(levelName).join(' · ')}${touch}`),
    el('span', { class: 'dim' }, `${arrow(near.direction)} d ${near.distance.toFixed(2)}`),
  );
  if (near.outcome !== null) {
    const [mfe = null, mae = null, end = null] = near.moves ?? [];
    const ticks = (value: number | null): string => (value === null ? '?' : signed(value));
    const title = `along its direction: at most ${ticks(mfe)}, against it ${ticks(mae)}, at the end ${ticks(end)} ticks`;
    const after = near.hit === null ? '' : ` ${Math.round(near.hit)} s`;
    caption.append(el('b', { title }, `${near.outcome}${after}`));
  }
  if (!near.path.length) caption.append(el('span', { class: 'dim' }, why));
  const split = asked.span[1] > 0 ? -asked.span[0] : null;
  return {
    root: el('figure', {}, spark, caption),
    draw: () => sparkline(spark, near.path, range, 0, split),
  };
}

/** Counts with their interval, and each probability beside its base rate and the number of days. */
function odds({ neighbours, odds: shares, abstain }: AnalogueAnswer, days: string): HTMLElement {
  const rows = OUTCOMES.map((outcome) => {
    const hits = neighbours.filter((near) => near.outcome === outcome).length;
    const [low, high] = wilson(hits, neighbours.length);
    const told = abstain ? undefined : shares.get(outcome);
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, outcome),
      el('td', {}, `${hits} of ${neighbours.length}`),
      el('td', {}, `${Math.round(100 * low)} to ${percent(high)}`),
      el('td', {}, told ? `${percent(told[0])} vs ${percent(told[1])}` : '—'),
    );
  });
  const heads = [
    [days, 'days of the setups that were compared'],
    ['count', 'neighbours that ended so, of all neighbours'],
    ['95 %', 'Wilson interval of the count'],
    ['p vs base p0', 'share of neighbours, weighed by how near they are, beside that of all earlier setups'],
  ].map(([text = '', title = '']) => el('th', { scope: 'col', title }, text));
  return el('table', { class: 'odds' }, el('thead', {}, el('tr', {}, ...heads)), el('tbody', {}, ...rows));
}
