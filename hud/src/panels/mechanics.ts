/**
 * Mechanics: the four conditions of either direction. Both hold the same four measurements in swapped roles; whether one
 * is met comes from the table's state bits, the page assumes no threshold and no sign.
 */
import { formatScore, windowReason } from '../core/units.ts';
import { type Manifest, unavailable } from '../wire/manifest.ts';
import { absent, card, el, setClass, setText, setTitle } from './dom.ts';
import type { Model, Panel } from './model.ts';

const MEASURES = ['ask retreat', 'ask net pull', 'bid retreat', 'bid net pull'] as const;
/** Digit i of a direction's state, from the most significant of four, is the measure at this place of `z`. */
export const ORDER = { down: [0, 1, 2, 3], up: [2, 3, 0, 1] } as const;
const WORDS: Record<(typeof MEASURES)[number], readonly [string, string]> = {
  'ask retreat': ['asks higher', 'asks above step higher'],
  'ask net pull': ['asks pulled', 'ask pulls outrun ask adds'],
  'bid retreat': ['bids lower', 'bids below step lower'],
  'bid net pull': ['bids pulled', 'bid pulls outrun bid adds'],
};
const NAMES: Record<number, string> = { 15: 'both vacuum', 12: 'ask vacuum', 3: 'bid vacuum', 0: 'build' };

/** Whether condition `i` of a direction holds: the table writes C1 C2 C3 C4 as binary digits, so 8 is the first. */
export const holds = (bits: number, i: number): boolean => Boolean((bits >> (3 - i)) & 1);
/** Name of a state of the down direction: 12 is 1100, both conditions of the asks. */
export const stateName = (down: number): string => NAMES[down] ?? 'mixed';
export const met = (bits: number): number => [0, 1, 2, 3].filter((i) => holds(bits, i)).length;
/** What the thesis expects of a state, for a level approached from below (`up`) or above (`down`). */
export function thesis(down: number, direction: 'up' | 'down'): string {
  if (down === 15) return 'reject';
  if (direction === 'up' && down === 12) return 'break';
  if (direction === 'down' && down === 3) return 'break';
  return 'chop';
}
/** What the numbers under the lamps are, and what they are measured by. */
const USUAL = 'robust standard deviations from the usual of earlier sessions at this time of day';
const FACTS: Record<string, string> = {
  'soft and': `the weakest of the four conditions, softly: ${USUAL}`,
  state: 'which sides retreat and pull: both, asks, bids, none (build), or a mixture',
  fills: `what is executed at the best ask and bid over 5 s: ${USUAL}`,
  drive: `bids' retreat and pulls less those of the asks: ${USUAL}`,
  hypothesis: 'what the thesis expects of this state, met from below and from above; nothing has tested it here',
};
export const arrow = (d1: number): string => (Number.isNaN(d1) ? '' : d1 > 0.02 ? '▲' : d1 < -0.02 ? '▼' : '▬');

/** Why conditions are neither met nor unmet at a second. */
function notValid({ calibration }: Manifest, state: number, flags: number): string {
  const reason = windowReason(state, flags);
  if (reason) return `Not measured: ${reason}.`;
  return calibration.status === 'ok'
    ? 'No scale for this time of day, or too little in the book to measure.'
    : 'No earlier session to scale by: no condition is met or unmet.';
}

interface Row {
  lamp: HTMLElement;
  value: HTMLElement;
  trend: HTMLElement;
  root: HTMLElement;
}

export class Mechanics implements Panel {
  private readonly parts = card('Mechanics', 'mechanics');
  readonly root = this.parts.root;
  private readonly rows: Record<'up' | 'down', Row[]> = { up: [], down: [] };
  private readonly counts = { up: el('b'), down: el('b') };
  private readonly foot = el('dl', { class: 'facts' });
  private readonly facts: Record<string, HTMLElement> = {};
  private readonly why = el('p', { class: 'why' });
  private readonly content = el('div');
  private readonly empty = absent('Move conditions', 'not materialised', 'They come from silver.move_conditions_1s.');

  constructor() {
    const columns = (['up', 'down'] as const).map((direction) => {
      const list = el('ul', { class: 'lamps' });
      for (const place of ORDER[direction]) {
        const name = MEASURES[place]!;
        const row: Row = {
          lamp: el('span', { class: 'lamp', 'aria-hidden': 'true' }),
          value: el('span', { class: 'num' }),
          trend: el('span', { class: 'trend' }),
          root: el('li'),
        };
        row.root.append(row.lamp, el('span', { class: 'what' }, WORDS[name][0]), row.value, row.trend);
        list.append(row.root);
        this.rows[direction].push(row);
      }
      return el(
        'div',
        { class: `direction ${direction}` },
        el(
          'h3',
          { title: 'conditions met, of the four that precede a move this way' },
          direction === 'up' ? 'Up ' : 'Down ',
          this.counts[direction],
        ),
        list,
      );
    });
    for (const [name, title] of Object.entries(FACTS)) {
      const value = el('dd', { title, class: name !== 'soft and' && name !== 'state' ? 'full' : '' });
      this.facts[name] = value;
      this.foot.append(el('dt', { title }, name), value);
    }
    this.content.append(el('div', { class: 'directions' }, ...columns), this.foot);
    this.parts.body.append(this.why, this.content);
  }

  update({ manifest, data, second }: Model): void {
    const problem = unavailable(manifest, 'moves');
    if (problem) {
      if (!this.empty.isConnected) this.parts.body.replaceChildren(this.empty);
      return;
    }
    const row = data.second('moves', second);
    const valid = row ? Number(row.valid) : 0;
    setText(this.parts.note, valid === 2 ? 'z, 5 s, provisional scale' : 'z, 5 s');
    setText(this.why, row && !valid ? notValid(manifest, data.state(second), data.flags(second)) : '');
    this.why.hidden = !row || valid > 0;
    const z = row && valid ? (row.z as Float32Array) : new Float32Array(6).fill(Number.NaN);
    const d1 = row && valid ? (row.d1 as Float32Array) : new Float32Array(6).fill(Number.NaN);
    const bits = { up: row ? Number(row.state_up) : 0, down: row ? Number(row.state_dn) : 0 };
    for (const direction of ['up', 'down'] as const) {
      this.rows[direction].forEach((line, i) => {
        const place = ORDER[direction][i]!;
        const on = valid > 0 && holds(bits[direction], i);
        setClass(line.root, 'on', on);
        setText(line.lamp, valid ? (on ? '●' : '○') : '—');
        setText(line.value, formatScore(z[place]!, 1, true));
        setText(line.trend, arrow(d1[place]!));
        setTitle(
          line.root,
          `${WORDS[MEASURES[place]!][1]}: ${on ? 'met' : 'not met'}; ${formatScore(z[place]!, 2, true)} robust standard deviations from the usual of earlier sessions at this time of day, changing ${formatScore(d1[place]!, 3, true)} per second`,
        );
      });
      setText(this.counts[direction], valid ? `${met(bits[direction])} of 4 met` : '—');
    }
    const drive = row && valid ? Number(row.drive_dn) : Number.NaN;
    setText(
      this.facts.drive!,
      Number.isNaN(drive)
        ? '—'
        : `${formatScore(drive, 1, true)} ${drive > 0 ? 'bids retreat more' : 'asks retreat more'}`,
    );
    setText(this.facts['soft and']!, formatScore(row && valid ? Number(row.soft_and) : Number.NaN, 2, true));
    setText(this.facts.fills!, `ask ${formatScore(z[4]!, 1, true)} bid ${formatScore(z[5]!, 1, true)}`);
    setText(this.facts.state!, valid ? stateName(bits.down) : '—');
    setText(
      this.facts.hypothesis!,
      valid ? `from below ${thesis(bits.down, 'up')}, from above ${thesis(bits.down, 'down')}` : '—',
    );
  }
}
