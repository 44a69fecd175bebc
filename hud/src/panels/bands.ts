/** Band matrix, laid out like the price ladder: far above on top, spot in the middle, far below at the bottom. */
import { formatScore } from '../core/units.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, card, el, setClass, setText, setTitle } from './dom.ts';
import { arrow } from './mechanics.ts';
import type { Model, Panel } from './model.ts';
import { scaleSentence } from './session.ts';
import { sparkline } from './spark.ts';

const METRICS = ['strength', 'erosion', 'vacuum', 'ease'] as const;
const MEANING: Record<(typeof METRICS)[number], string> = {
  strength: 'resting quantity against the usual of this side; 0 = no order',
  erosion: 'how fast it shrinks; 0.5 = idle',
  vacuum: 'how much is being withdrawn; 0.5 = idle',
  ease: 'how easily price moves through; 1 = nothing in the way',
};
const SCORES = ['up', 'down', 'total'] as const;
const SPARK_SECONDS = 120;

interface Cell {
  root: HTMLTableCellElement;
  text: HTMLElement;
  bar: HTMLElement;
}

export class Bands implements Panel {
  private readonly parts = card('Bands around spot', 'bands');
  readonly root = this.parts.root;
  private cells: { cell: Cell; index: number; metric: number }[] = [];
  private readonly scores = SCORES.map((name) => ({
    name,
    value: el('b'),
    trend: el('span', { class: 'trend' }),
    spark: el('canvas', { 'aria-hidden': 'true' }),
  }));
  private built = false;

  private build({ manifest }: Model): void {
    this.built = true;
    const problem = unavailable(manifest, 'bands');
    if (problem) {
      this.parts.body.append(absent('Bands', problem, 'They come from silver.physics_bands_1s.'));
      return;
    }
    setText(this.parts.note, '0..1');
    this.parts.note.title = scaleSentence(manifest);
    const rows: HTMLTableRowElement[] = [];
    const n = manifest.bands.length;
    const line = (direction: number, band: number): void => {
      const spec = manifest.bands[band]!;
      const side = direction === 0 ? 'above' : 'below';
      const row = el(
        'tr',
        { class: side },
        el(
          'th',
          { title: `${spec.lo} to ${spec.hi} ticks ${side} spot` },
          spec.name,
          el('small', {}, ` ${spec.lo}–${spec.hi}`),
        ),
      );
      METRICS.forEach((_, metric) => {
        const cell: Cell = { root: el('td', { class: METRICS[metric]! }), text: el('span'), bar: el('i') };
        cell.root.append(cell.bar, cell.text);
        row.append(cell.root);
        this.cells.push({ cell, index: (direction * n + band) * METRICS.length + metric, metric });
      });
      rows.push(row);
    };
    for (let band = n - 1; band >= 0; band--) line(0, band);
    rows.push(el('tr', { class: 'middle' }, el('th', {}, 'spot'), el('td'), el('td'), el('td'), el('td')));
    for (let band = 0; band < n; band++) line(1, band);
    const head = el(
      'tr',
      {},
      el('th', {}, 'ticks'),
      ...METRICS.map((name) => el('th', { title: MEANING[name] }, name)),
    );
    this.parts.body.append(el('table', { class: 'bands' }, el('thead', {}, head), el('tbody', {}, ...rows)));
    const words = {
      up: 'ease of moving up, 0..1, 1 = nothing in the way',
      down: 'ease of moving down, 0..1, 1 = nothing in the way',
      total: 'mean of both, 0..1',
    };
    this.parts.body.append(
      el(
        'div',
        { class: 'scores' },
        ...this.scores.map((s) =>
          el(
            'div',
            { title: `${words[s.name]}; the line is the last two minutes` },
            el('span', {}, s.name),
            s.value,
            s.trend,
            s.spark,
          ),
        ),
      ),
    );
  }

  update(model: Model): void {
    if (!this.built) this.build(model);
    const { data, second } = model;
    const row = data.second('bands', second);
    const values = row?.cells as Float32Array | undefined;
    for (const { cell, index, metric } of this.cells) {
      const value = values?.[index] ?? Number.NaN;
      const empty = METRICS[metric] === 'strength' && value === 0;
      setText(cell.text, empty ? 'empty' : formatScore(value));
      setClass(cell.root, 'none', Number.isNaN(value));
      const idle = METRICS[metric] === 'erosion' || METRICS[metric] === 'vacuum';
      const [from, to] = Number.isNaN(value)
        ? [0, 0]
        : idle
          ? [Math.min(0.5, value), Math.max(0.5, value)]
          : [0, value];
      cell.bar.style.left = `${from * 100}%`;
      cell.bar.style.width = `${(to - from) * 100}%`;
      setTitle(
        cell.root,
        `${METRICS[metric]}: ${Number.isNaN(value) ? 'no data' : formatScore(value, 3)} — ${MEANING[METRICS[metric]!]}`,
      );
    }
    const scores = row?.scores as Float32Array | undefined;
    const d1 = row?.scores_d1 as Float32Array | undefined;
    this.scores.forEach((score, i) => {
      setText(score.value, formatScore(scores?.[i] ?? Number.NaN));
      setText(score.trend, arrow((d1?.[i] ?? Number.NaN) * 5));
      const trail = Array.from({ length: SPARK_SECONDS }, (_, k) => {
        const past = data.second('bands', second - SPARK_SECONDS + 1 + k);
        return past ? (past.scores as Float32Array)[i]! : Number.NaN;
      });
      sparkline(score.spark, trail, [0, 1]);
    });
  }
}
