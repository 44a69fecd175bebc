/** Wiring only: finds the session, opens it, binds input. */
import './styles/base.css';
import './styles/panels.css';
import { App } from './app.ts';
import { fromHash } from './core/url.ts';
import { bindInput } from './input.ts';
import { openingSecond, regularOpen, tradingStart } from './model/opening.ts';
import { el } from './panels/dom.ts';
import { parseOverview } from './render/scrubber.ts';
import { address, getJson, HttpError } from './wire/http.ts';
import { spawnWorker } from './wire/link.ts';
import { type Manifest, parseManifest } from './wire/manifest.ts';

const BASE = '';
const root = document.getElementById('app')!;
let app: App | null = null;
let bound: AbortController | null = null;

function problem(title: string, text: string): void {
  root.replaceChildren(el('div', { class: 'start', role: 'alert' }, el('h1', {}, title), el('p', {}, text)));
}

async function sessionKeys(): Promise<string[]> {
  const answer = (await getJson(address(BASE, '/v1/sessions', { limit: 200 }))) as {
    sessions?: { symbol: string; dt: string }[];
  };
  return (answer.sessions ?? []).map(({ symbol, dt }) => `${symbol}/${dt}`).sort();
}

/** Regular hours tell when trading starts; a session without them is asked when its price begins to move. */
async function firstSecond(manifest: Manifest, session: string): Promise<number> {
  const open = regularOpen(manifest);
  if (open !== null) return openingSecond(manifest, open);
  try {
    const minutes = parseOverview(await getJson(address(BASE, `/v1/sessions/${session}/overview`)));
    return openingSecond(manifest, tradingStart(minutes));
  } catch (error) {
    if (error instanceof HttpError && error.status === 401) throw error;
    return openingSecond(manifest, 0); // a page at the beginning is better than none
  }
}

/** Manifest of a session, or null where the lake has none of this name. */
async function manifestOf(session: string): Promise<Manifest | null> {
  try {
    return parseManifest(await getJson(address(BASE, `/v1/sessions/${session}`)));
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return null;
    throw error;
  }
}

async function open(wanted: string | null, shared: ReturnType<typeof fromHash>['change']): Promise<void> {
  app?.dispose();
  bound?.abort();
  app = null;
  try {
    const worker = spawnWorker();
    const listed = sessionKeys();
    // The list is only for the choice in the header: a session that the address names does not wait for it.
    listed.catch(() => undefined);
    const named = wanted ? await manifestOf(wanted) : null;
    const session = named && wanted ? wanted : (await listed).at(-1);
    const manifest = named ?? (session ? await manifestOf(session) : null);
    if (!session || !manifest) {
      worker.terminate();
      return problem(
        'No session yet',
        'The lake has no book snapshots. Make a day with "spymaster run", or see the whole product with "spymaster demo".',
      );
    }
    const own = named ? shared : {};
    const current = new App(root, manifest, {
      base: BASE,
      session,
      software: new URLSearchParams(location.search).get('render') === '2d',
      change: { ...own, now: own.now ?? (await firstSecond(manifest, session)) },
      openSession: (key) => void open(key, key === session && app ? { now: app.store.state.now } : {}),
      worker,
    });
    app = current;
    Object.assign(window, { spymaster: current });
    current.start();
    bound = new AbortController();
    bindInput(current, bound.signal);
    listed.then(
      (keys) => current.setSessions(keys),
      () => undefined,
    );
  } catch (error) {
    if (error instanceof HttpError && error.status === 401)
      problem(
        'Not signed in',
        'Open the sign-in link that "spymaster serve" printed; it works once. "spymaster token --link" prints a new one.',
      );
    else problem('The HUD cannot start', error instanceof Error ? error.message : String(error));
  }
}

const { session, change } = fromHash(location.hash);
void open(session, change);
