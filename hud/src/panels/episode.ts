/** List of approach episodes, known ones only; a click goes to 30 s before the trigger. */
import { type Episode, knownEpisodes, outcomeOf, toldOutcomes } from '../model/episodes.ts';
import { levelName } from '../model/levels.ts';
import { formatPrice, unavailable } from '../wire/manifest.ts';
import { absent, el } from './dom.ts';
import type { Model, Panel } from './model.ts';

export class Episodes implements Panel {
  readonly root = el('div', { class: 'episodes', role: 'region', 'aria-label': 'approach episodes' });
  private readonly filter = el(
    'select',
    { 'aria-label': 'kind of episode' },
    el('option', {}, 'all'),
    el('option', {}, 'touch'),
    el('option', {}, 'candle'),
  );
  private readonly list = el('ol');
  private shown = '';
  onPick: (episode: Episode) => void = () => {};

  update(model: Model): void {
    const { manifest, lists, gate, labels, state } = model;
    const problem = unavailable(manifest, 'episodes');
    const known = knownEpisodes(lists.episodes, gate).filter(
      (e) => this.filter.value === 'all' || e.kind === this.filter.value,
    );
    const key = JSON.stringify([
      problem,
      known.map((e) => [e.id, outcomeOf(e, gate), toldOutcomes(e, gate)]),
      state.episode,
      state.zone,
      this.filter.value,
    ]);
    if (key === this.shown) return;
    this.shown = key;
    if (problem) {
      this.root.replaceChildren(
        absent('Episodes', problem, 'They come from gold.setup_episode. Nothing is guessed in their place.'),
      );
      return;
    }
    this.filter.onchange = () => this.update(model);
    this.list.replaceChildren(
      ...known.reverse().map((episode) => {
        const name = levelName(episode.levelType);
        const price = episode.tick === null ? '' : formatPrice(manifest, episode.tick);
        const button = el(
          'button',
          {
            type: 'button',
            'aria-pressed': String(episode.id === state.episode),
            title: episode.valid ? toldOutcomes(episode, gate).join('\n') : episode.invalidReason,
          },
          el('span', { class: 'num' }, labels.full(episode.trigger)),
          el('span', { class: 'what' }, `${name} ${price}`),
          el(
            'span',
            { class: 'dim' },
            `${episode.kind}${episode.touch === null ? '' : ` #${episode.touch}`} ${episode.direction === 'down' ? '↓' : '↑'}`,
          ),
          el('span', { class: 'dim' }, episode.valid ? (outcomeOf(episode, gate) ?? 'open') : 'not valid'),
        );
        button.onclick = () => this.onPick(episode);
        return el('li', {}, button);
      }),
    );
    this.root.replaceChildren(this.filter, known.length ? this.list : el('p', { class: 'dim' }, 'No episode so far.'));
  }
}
