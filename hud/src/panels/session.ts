/** What this session holds and what it lacks: every surface, list and table with its reason, and what scales it. */
import { type Manifest, type PartSpec, unavailable } from '../wire/manifest.ts';
import { el } from './dom.ts';

const names = (parts: Iterable<PartSpec>): string[] =>
  [...parts].filter((part) => part.status !== 'ok').map((part) => part.name);

/** Names of the surfaces and lists that the page cannot show, in the order of the manifest. */
export const missingParts = ({ surfaces, panels }: Manifest): string[] =>
  names([...surfaces.values(), ...panels.values()]);

/**
 * What the badge names: those parts or, where the page has all of them, tables that are not there all the same. A table
 * without a row is there: of a date on which nothing was tried, the ledger of trials has none.
 */
export function missingNames(manifest: Manifest): string[] {
  const parts = missingParts(manifest);
  return parts.length ? parts : names([...manifest.tables.values()].filter((table) => !table.empty));
}

/** Why a surface, a list or a table has no data; null where it has. */
export function whyMissing(manifest: Manifest, name: string): string | null {
  const table = manifest.tables.get(name);
  const isPart = manifest.surfaces.has(name) || manifest.panels.has(name);
  if (isPart || !table) return unavailable(manifest, name);
  return table.status === 'ok' ? null : (table.reason ?? table.status);
}

/** What the scales of the colours and scores are taken from, as a sentence. */
export function scaleSentence({ calibration }: Manifest): string {
  const { status, sessions, asofDt, reason } = calibration;
  if (status === 'ok')
    return `Scales come from ${sessions ?? '?'} earlier session${sessions === 1 ? '' : 's'}, up to ${asofDt ?? '?'}.`;
  if (status === 'same_session')
    return 'This is the first session here: its scales come from the session itself, so its colours and scores know its future.';
  return `Scales are the defaults of the instrument${reason ? `: ${reason}` : ''}.`;
}

export class SessionInfo {
  readonly root = el('dialog', { class: 'help session-info', 'aria-label': 'data of this session' });

  constructor(private readonly manifest: Manifest) {}

  toggle(): void {
    if (this.root.open) return this.root.close();
    if (!this.root.firstChild) this.build();
    this.root.showModal();
  }

  private build(): void {
    const { manifest } = this;
    const close = el('button', { type: 'button', class: 'icon', 'aria-label': 'close' }, '×');
    close.onclick = () => this.root.close();
    const missing = missingParts(manifest);
    const origin = manifest.simulated ? 'This market is simulated; nothing here was traded.' : 'Recorded market data.';
    this.root.append(
      el('h2', {}, `${manifest.symbol} ${manifest.dt}, ${manifest.contract}`, close),
      el('p', {}, origin),
      el('p', {}, scaleSentence(manifest)),
      el(
        'p',
        {},
        missing.length
          ? `Not shown, since it is not in the lake: ${missing.join(', ')}. Nothing takes its place.`
          : 'Every surface and list of the page has data.',
      ),
      el('p', { class: 'dim' }, `data version ${manifest.dataVersion}`),
      this.table('Surfaces', [...manifest.surfaces.keys()]),
      this.table('Lists', [...manifest.panels.keys()]),
      this.table('Tables', [...manifest.tables.keys()]),
    );
  }

  private table(title: string, names: readonly string[]): HTMLElement {
    const status = (name: string): string => {
      const part: PartSpec | undefined = this.manifest.tables.get(name);
      if (part && title === 'Tables') return part.status === 'ok' ? '' : (part.reason ?? part.status);
      return unavailable(this.manifest, name) ?? '';
    };
    const rows = names.map((name) => {
      const problem = status(name);
      return el(
        'tr',
        { class: problem ? 'gone' : '' },
        el('th', { scope: 'row' }, name),
        el('td', {}, problem || 'there'),
      );
    });
    return el('table', {}, el('caption', {}, title), el('tbody', {}, ...rows));
  }
}
