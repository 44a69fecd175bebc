/** Evidence of algorithmic behaviour: timing, effect with interval, controls beside it. No identity, no intent. */
import { formatScore } from '../core/units.ts';
import { type Evidence, type Intensity, knownEvidence, knownIntensity, type Tried } from '../model/evidence.ts';
import { unavailable } from '../wire/manifest.ts';
import { absent, el, setText } from './dom.ts';
import type { Model, Panel } from './model.ts';
import { sparkline } from './spark.ts';

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

const WORDS: Record<Evidence['verdict'], string> = {
  none: 'no evidence',
  fact: 'a fact by order id',
  weak: 'a hint',
  supported: 'repeated on dates held out',
};
/** Minutes of the intensity strip. */
const STRIP_MINUTES = 90;

export class EvidencePanel implements Panel {
  readonly root = el('div', { class: 'evidence', role: 'region', 'aria-label': 'evidence of algorithmic behaviour' });
  private readonly strip = new IntensityStrip();
  private readonly list = el('div');
  private shown = '';

  update(model: Model): void {
    const { manifest, lists, gate } = model;
    const problem = unavailable(manifest, 'evidence');
    this.strip.update(knownIntensity(lists.intensity, gate, STRIP_MINUTES));
    const rows = knownEvidence(lists.evidence, gate);
    // what a test tried is known with its rows
    const tried = rows.some((row) => !row.earlier) ? lists.tried : [];
    const key = JSON.stringify([problem, tried, rows.map((row) => [row.id, row.verdict, row.blocked])]);
    if (key === this.shown) return;
    this.shown = key;
    if (problem) {
      this.root.replaceChildren(
        absent('Evidence', problem, 'It comes from gold.algo_test. A missing test is no evidence of anything.'),
      );
      return;
    }
    this.root.replaceChildren(this.strip.root, this.list);
    const tests = manifest.tables.get('algo_test');
    this.list.replaceChildren(
      ...part(
        'Known from earlier dates',
        rows.filter((row) => row.earlier),
      ),
      ...part(
        'Tests of this date',
        rows.filter((row) => !row.earlier),
        tests && tests.status !== 'ok' ? `There are none: ${tests.reason}.` : 'They are over when the date is.',
      ),
      ...(tried.length ? [counts(tried)] : []),
    );
  }
}

function part(title: string, rows: readonly Evidence[], empty = ''): HTMLElement[] {
  if (!rows.length && !empty) return [];
  return [
    el('h3', { class: 'part' }, title),
    ...(rows.length ? rows.map(evidenceRow) : [el('p', { class: 'dim' }, empty)]),
  ];
}

/** Groups with a finding among those tried; without any there was too little to count. */
function share(one: Tried): string {
  return one.groups ? `${one.found} of ${one.groups}` : 'too little to count';
}

/** Every test with how many groups it tried: what was not found is said, too. */
function counts(tried: readonly Tried[]): HTMLElement {
  const words = tried.map((one) => `${NAMES[one.test] ?? one.test}: ${share(one)}`).join(' · ');
  const title = 'Of each test: groups of messages in which it found something, of all that it was applied to.';
  return el('p', { class: 'dim', title }, `groups with a finding: ${words}`);
}

function effectOf(row: Evidence): string {
  const [scale, unit] = row.unit === 'share' ? [100, ' %'] : [1, row.unit === 'ratio' ? ' times' : ` ${row.unit}`];
  const number = (value: number | null): string =>
    formatScore(value === null ? null : value * scale, scale === 1 ? 1 : 2);
  return `${number(row.effect)}${unit} (${number(row.low)} to ${number(row.high)})`;
}

function evidenceRow(row: Evidence): HTMLElement {
  const found = row.verdict === 'weak' || row.verdict === 'supported';
  const words = row.blocked
    ? 'a control of this day found something where nothing is: the verdict does not count'
    : found && row.nullMethod
      ? `timing incompatible with: ${row.nullMethod}`
      : WORDS[row.verdict];
  const details = [
    `effect ${effectOf(row)}`,
    ...(row.peak && found ? [`at ${row.peak}`] : []),
    ...(row.earlier || row.verdict === 'fact'
      ? []
      : [
          `q ${row.q === null ? '—' : row.q.toPrecision(2)}${row.pFloor === null ? '' : ` (p at best ${row.pFloor.toPrecision(2)})`}`,
        ]),
    ...(row.daysSeen === null ? [] : [`replicated ${row.daysReplicated ?? '—'} of ${row.daysSeen} days`]),
  ];
  const unit = row.unit === 'share' ? 'share of what was counted, in percent' : 'ratio to what the null has, in times';
  const title =
    `Effect: ${unit}, with its 95 % interval. q: p, adjusted for all groups that were tested. ` +
    `Null: ${row.nullMethod || 'that of its own dates'}. Days: those on which it was found again, of those tested.`;
  return el(
    'article',
    { title, class: `finding ${row.verdict}${row.control ? ' control' : ''}` },
    el(
      'h3',
      {},
      NAMES[row.test] ?? row.test,
      el('small', {}, row.stratum),
      el('b', {}, row.blocked ? 'blocked' : row.control ? `control: ${row.verdict}` : row.verdict),
    ),
    ...(row.histogram.length ? [histogram(row)] : []),
    el('p', {}, words),
    el('p', { class: 'dim' }, details.join(' · ')),
  );
}

/** Share of messages owed to listed habits, minute by minute, with what is usual as a mark. */
class IntensityStrip {
  private readonly canvas = el('canvas', { 'aria-hidden': 'true' });
  private readonly words = el('p', {
    class: 'dim',
    title:
      'Share of messages owed to habits found on earlier dates, minute by minute; usually: the median of earlier ' +
      'sessions in this half hour.',
  });
  readonly root = el('div', { class: 'intensity' }, this.words, this.canvas);

  update(minutes: readonly Intensity[]): void {
    const shares = minutes.map((minute) => minute.share);
    const last = minutes.filter((minute) => !Number.isNaN(minute.share)).at(-1);
    this.root.hidden = !minutes.length;
    if (!last) {
      setText(this.words, 'Algorithmic intensity: no earlier date has a list of findings.');
      this.canvas.hidden = true;
      return;
    }
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
    const usual = Number.isNaN(last.usual) ? '' : `, usually ${percent(last.usual)}`;
    setText(this.words, `Algorithmic intensity, ${minutes.length} min: now ${percent(last.share)} of messages${usual}`);
    this.canvas.hidden = false;
    const most = Math.max(0.05, ...shares.filter((share) => !Number.isNaN(share)), last.usual || 0);
    sparkline(this.canvas, shares, [0, most], Number.isNaN(last.usual) ? null : last.usual);
  }
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
