/** Nearest past episodes as small multiples. Outcomes come only when asked for, and never without their base rate. */
import { wilson } from '../model/analogues.ts';
import { levelName } from '../model/levels.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, el } from './dom.ts';
import type { Model, Panel } from './model.ts';
import { sparkline } from './spark.ts';

const SHOWN = 12;
/** Reasons to abstain, as `retrieval_result` names them. */
const REASONS: Record<string, string> = {
  invalid: 'this setup has no vector',
  few_sessions: 'too few earlier sessions',
  few_neighbours: 'too few earlier setups of this kind',
  novel: 'nearly all earlier setups were closer to their own like',
  uninformative: 'what followed differs from the base rate by less than 0.02',
};

export class Analogues implements Panel {
  readonly root = el('div', { class: 'analogues', role: 'region', 'aria-label': 'analogues' });
  private shown = '';
  onReveal: () => void = () => {};

  update(model: Model): void {
    const { manifest, lists, state } = model;
    const problem = unavailable(manifest, 'analogues');
    const answer = lists.analogues;
    const key = JSON.stringify([
      problem,
      state.episode,
      answer && [answer.revealed, answer.neighbours.length],
      lists.analoguesProblem,
    ]);
    if (key === this.shown) return;
    this.shown = key;
    if (problem) {
      this.root.replaceChildren(
        absent('Analogues', problem, 'They come from gold.retrieval_result and gold.retrieval_neighbor.'),
      );
      return;
    }
    if (!state.episode) {
      this.root.replaceChildren(
        el('p', { class: 'dim' }, 'Choose an episode (N, P or the list) to see what has looked alike.'),
      );
      return;
    }
    if (lists.analoguesProblem) {
      this.root.replaceChildren(absent('Analogues', lists.analoguesProblem, ''));
      return;
    }
    if (!answer) {
      this.root.replaceChildren(el('p', { class: 'dim' }, 'Asking for analogues.'));
      return;
    }
    const head = el(
      'p',
      { class: 'dim' },
      `${answer.neighbours.length} nearest of ${answer.sessions ?? '?'} earlier days${answer.effective === null ? '' : `, effective ${answer.effective.toFixed(1)}`}${answer.novelty === null ? '' : `, novelty ${Math.round(100 * answer.novelty)} %`}`,
    );
    if (answer.abstain) {
      this.root.replaceChildren(
        el('p', {}, `Nothing similar enough: ${REASONS[answer.reason] ?? (answer.reason || 'no reason given')}.`),
        head,
      );
      return;
    }
    const parts: HTMLElement[] = [head];
    if (answer.revealed) parts.push(this.odds(model));
    else {
      const button = el('button', { type: 'button', class: 'reveal' }, 'Reveal outcomes (O)');
      button.onclick = () => this.onReveal();
      parts.push(button);
    }
    const tiles = answer.neighbours.slice(0, SHOWN).map((near) => {
      const spark = el('canvas', { 'aria-hidden': 'true' });
      const tile = el(
        'figure',
        {},
        spark,
        el(
          'figcaption',
          {},
          el('span', { class: 'num' }, near.date),
          el('span', {}, near.levelTypes.split(' ').map(levelName).join(' · ')),
          el(
            'span',
            { class: 'dim' },
            `d ${near.distance.toFixed(2)}${near.touch === null ? '' : ` · touch ${near.touch}`}`,
          ),
          el('b', {}, near.outcome ?? ''),
        ),
      );
      return { tile, spark, near };
    });
    parts.push(el('div', { class: 'tiles' }, ...tiles.map((t) => t.tile)));
    this.root.replaceChildren(...parts);
    const all = tiles.flatMap((t) => t.near.path).filter((v) => !Number.isNaN(v));
    const range = [Math.min(...all, 0), Math.max(...all, 1)] as const;
    const ticks = (value: number): string => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(Math.round(value))}`;
    this.root.append(
      el(
        'p',
        { class: 'dim' },
        `Spot from the level in ticks up to the decision, ${ticks(range[0])} to ${ticks(range[1])} in every picture; the line is the level.`,
      ),
    );
    for (const { spark, near } of tiles) sparkline(spark, near.path, range, 0);
  }

  /** Counts with their interval, and each probability beside its base rate and the number of days. */
  private odds({ lists }: Model): HTMLElement {
    const answer = lists.analogues!;
    const rows = ['break', 'reject', 'chop'].map((outcome) => {
      const hits = answer.neighbours.filter((near) => near.outcome === outcome).length;
      const [low, high] = wilson(hits, answer.neighbours.length);
      const odds = answer.odds.get(outcome);
      const percent = (x: number): string => `${Math.round(100 * x)} %`;
      return el(
        'tr',
        {},
        el('th', {}, outcome),
        el('td', {}, `${hits} of ${answer.neighbours.length}`),
        el('td', {}, `${percent(low)} to ${percent(high)}`),
        el('td', {}, odds ? `${percent(odds[0])} vs ${percent(odds[1])}` : '—'),
      );
    });
    return el(
      'table',
      { class: 'odds' },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', {}, `${answer.sessions ?? '?'} days`),
          el('th', {}, 'count'),
          el('th', {}, '95 %'),
          el('th', {}, 'p vs base p0'),
        ),
      ),
      el('tbody', {}, ...rows),
    );
  }
}
