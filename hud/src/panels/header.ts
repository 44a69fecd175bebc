/** Header: what is shown, at which time, in which mode, and everything that qualifies it. */
import { ZONES, type Zone } from '../core/time.ts';
import { FLAG } from '../core/units.ts';
import { el, setClass, setText, setTitle } from './dom.ts';
import type { Model, Panel } from './model.ts';
import { missingNames, scaleSentence, whyMissing } from './session.ts';

const ZONE_NAMES: Record<Zone, string> = { exchange: 'Exchange', new_york: 'New York', utc: 'UTC', local: 'Local' };

/** Missing parts that the badge names; the rest are in the dialog behind it. */
const NAMED = 4;

export interface HeaderActions {
  zone(zone: Zone): void;
  session(key: string): void;
  help(): void;
  theme(): void;
  mode(): void;
  info(): void;
}

export class Header implements Panel {
  readonly root = el('header', { class: 'top' });
  private readonly clock = el('output', { class: 'clock', 'aria-label': 'time of the window shown' });
  private readonly mode = el('button', { class: 'badge mode', type: 'button' });
  private readonly link = el('span', { class: 'badge', role: 'status' });
  private readonly badges = el('span', { class: 'badges' });
  private readonly zone = el('select', { 'aria-label': 'time zone' });
  private readonly sessions = el('select', { 'aria-label': 'market session', class: 'session' });
  private readonly contract = el('span', { class: 'contract' });
  private shown = '';
  software = false;
  private heardAt = performance.now();

  constructor(private readonly actions: HeaderActions) {
    for (const zone of ZONES) this.zone.append(el('option', { 'data-zone': zone }, ZONE_NAMES[zone]));
    this.zone.onchange = () => actions.zone(ZONES[this.zone.selectedIndex]!);
    this.sessions.onchange = () => actions.session(this.sessions.value);
    const help = el(
      'button',
      { type: 'button', class: 'icon', 'aria-label': 'keyboard and help', title: 'Keys (?)' },
      '?',
    );
    help.onclick = () => actions.help();
    const theme = el(
      'button',
      { type: 'button', class: 'icon', 'aria-label': 'dark or light', title: 'Theme (T)' },
      '◐',
    );
    theme.onclick = () => actions.theme();
    this.mode.onclick = () => actions.mode();
    this.root.append(
      el('strong', { class: 'brand' }, 'Spymaster'),
      this.sessions,
      this.contract,
      this.clock,
      this.zone,
      this.mode,
      this.link,
      this.badges,
      el('span', { class: 'grow' }),
      theme,
      help,
    );
  }

  /** Something arrived: the age of what is shown counts from here. */
  heard(): void {
    this.heardAt = performance.now();
  }

  setSessions(keys: readonly string[], current: string): void {
    this.sessions.replaceChildren(
      ...keys.map((key) => {
        const option = el('option', {}, key.replace('/', '  '));
        option.value = key;
        option.selected = key === current;
        return option;
      }),
    );
  }

  update(model: Model): void {
    const { state, manifest, labels, second, data } = model;
    setText(this.contract, manifest.contract);
    setText(this.clock, `${labels.full(second)} ${labels.short}`);
    this.zone.selectedIndex = ZONES.indexOf(state.zone);
    const speed = `${state.speed}×`;
    setText(this.mode, state.mode === 'replay' ? `REPLAY ${speed}` : state.mode === 'review' ? 'REVIEW' : 'LIVE');
    setTitle(
      this.mode,
      state.mode === 'replay'
        ? 'Nothing after this time is shown. M: review the whole session.'
        : 'The whole session is shown. M: back to replay.',
    );
    setClass(this.mode, 'review', state.mode === 'review');
    const age = Math.round((performance.now() - this.heardAt) / 1000);
    const links: Record<typeof state.link, string> = {
      connecting: state.loading === null ? 'connecting' : `loading ${state.loading} %`,
      ready: state.loading !== null ? `loading ${state.loading} %` : state.throttled ? 'throttled' : '',
      reconnecting: `reconnecting, ${age} s`,
      stale: `no data for ${age} s`,
      offline: 'signed out',
      incompatible: 'reload the page',
      ended: 'end of session',
    };
    setText(this.link, links[state.link]);
    this.link.hidden = links[state.link] === '';
    setClass(this.link, 'warn', state.link !== 'ended' && links[state.link] !== '');
    const badges: [string, string, string][] = [];
    if (manifest.simulated) badges.push(['SIMULATED', 'sim', 'This market is simulated; nothing here was traded.']);
    const { calibration } = manifest;
    if (calibration.status === 'same_session') badges.push(['calibrated on itself', 'warn', scaleSentence(manifest)]);
    else if (calibration.status !== 'ok') badges.push(['uncalibrated', 'warn', scaleSentence(manifest)]);
    if (state.reviewed && state.mode === 'replay')
      badges.push(['seen in review', 'warn', 'The future of this session has been shown before.']);
    if (state.revealed) badges.push(['outcomes revealed', 'warn', 'Outcomes of analogues have been revealed.']);
    if (this.software) badges.push(['software drawing', '', 'No WebGL2: the picture is drawn by the processor.']);
    if (data.flags(second) & FLAG.CLIPPED)
      badges.push(['clipped', '', 'A value of this second lies beyond the end of its scale.']);
    const gone = missingNames(manifest);
    if (gone.length)
      badges.push([
        `no ${gone.length > NAMED ? `${gone.slice(0, NAMED).join(', ')} +${gone.length - NAMED}` : gone.join(', ')}`,
        'gone',
        gone.map((name) => `${name}: ${whyMissing(manifest, name)}`).join('\n'),
      ]);
    const text = JSON.stringify(badges);
    if (text === this.shown) return;
    this.shown = text;
    this.badges.replaceChildren(
      ...badges.map(([label, kind, title]) => {
        const badge = el('button', { type: 'button', class: `badge ${kind}`, title }, label);
        badge.onclick = () => this.actions.info();
        return badge;
      }),
    );
  }
}
