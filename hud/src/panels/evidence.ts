/** Evidence of algorithmic behaviour: timing, effect with interval, controls beside it. No identity, no intent. */
import { formatScore } from '../core/units.ts';
import { type Evidence, knownEvidence } from '../model/evidence.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, el } from './dom.ts';
import type { Model, Panel } from './model.ts';

const NAMES: Record<string, string> = {
  E1: 'order lifetimes',
  E2: 'modify chains',
  E3: 'reaction-time spectra',
  E4: 'clock phase',
  E5: 'periodicity',
  E6: 'iceberg refills',
  E7: 'layering-like placement',
  E10: 'co-placement',
};

export class EvidencePanel implements Panel {
  readonly root = el('div', { class: 'evidence', role: 'region', 'aria-label': 'evidence of algorithmic behaviour' });
  private shown = '';

  update(model: Model): void {
    const { manifest, lists, gate } = model;
    const problem = unavailable(manifest, 'evidence');
    const rows = knownEvidence(lists.evidence, gate);
    const key = JSON.stringify([problem, rows.map((row) => [row.id, row.verdict])]);
    if (key === this.shown) return;
    this.shown = key;
    if (problem) {
      this.root.replaceChildren(
        absent('Evidence', problem, 'It comes from gold.algo_test. A missing test is no evidence of anything.'),
      );
      return;
    }
    if (!rows.length) {
      this.root.replaceChildren(el('p', { class: 'dim' }, 'No test has finished by this time.'));
      return;
    }
    this.root.replaceChildren(...rows.map(evidenceRow));
  }
}

function evidenceRow(row: Evidence): HTMLElement {
  const effect = `${formatScore(row.effect, 3)} ${row.unit} (${formatScore(row.low, 3)} to ${formatScore(row.high, 3)})`;
  const words = row.blocked
    ? 'a control of this day found something where nothing is: the verdict does not count'
    : row.verdict === 'none'
      ? 'no evidence'
      : `timing incompatible with ${row.nullMethod}`;
  return el(
    'article',
    { class: `finding ${row.verdict}${row.control ? ' control' : ''}` },
    el(
      'h3',
      {},
      NAMES[row.test] ?? row.test,
      el('small', {}, row.stratum),
      el('b', {}, row.blocked ? 'blocked' : row.control ? `control: ${row.verdict}` : row.verdict),
    ),
    histogram(row),
    el('p', {}, words),
    el(
      'p',
      { class: 'dim' },
      `effect ${effect} · q ${row.q === null ? '—' : row.q.toPrecision(2)}${row.pFloor === null ? '' : ` (p at best ${row.pFloor.toPrecision(2)})`} · replicated ${row.daysReplicated ?? '—'} of ${row.daysSeen ?? '—'} days · null: ${row.nullMethod}`,
    ),
  );
}

/** Bars with the upper end of the null as a tick on each. */
function histogram(row: Evidence): HTMLElement {
  const root = el('div', { class: 'histogram', 'aria-hidden': 'true' });
  const most = Math.max(1e-12, ...row.histogram, ...row.nullBand);
  row.histogram.forEach((value, i) => {
    const bar = el('i');
    bar.style.height = `${(value / most) * 100}%`;
    const cell = el('span', {}, bar);
    const limit = row.nullBand[i];
    if (limit !== undefined) {
      const mark = el('u');
      mark.style.bottom = `${(limit / most) * 100}%`;
      cell.append(mark);
    }
    root.append(cell);
  });
  return root;
}
