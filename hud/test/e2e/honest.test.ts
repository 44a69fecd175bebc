/** What the page does where something is missing or has stopped: it goes on, and says what and why. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json } from '../contract/fixtures.ts';
import { findChromium, openBrowser } from '../harness/browser.mjs';
import { startSidecar } from '../harness/sidecar.mjs';
import { openHud, shows, state, until } from './page.ts';

describe.skipIf(!findChromium())('honest states', () => {
  it('runs on the snapshot alone and says what is missing', async () => {
    const hud = await openHud({
      missing: [
        'wall',
        'vacuum',
        'pressure',
        'bands',
        'moves',
        'gex',
        'ladder',
        'reading',
        'levels',
        'candles',
        'episodes',
        'analogues',
        'evidence',
      ],
      query: '?render=2d',
    });
    try {
      await shows(hud.page, '.badges', 'no wall, vacuum, pressure, bands +');
      await shows(hud.page, '#bands', 'not materialised');
      await shows(hud.page, '#mechanics', 'not materialised');
      await shows(hud.page, '.rail', 'not materialised yet');
      expect(await state(hud.page, (app) => app.stage.backend.kind)).toBe('canvas2d');
      expect(hud.problems).toEqual([]);
    } finally {
      await hud.close();
    }
  });
  it('says so where every part of the page is there and a table is not', async () => {
    const tables = [
      { name: 'book_snapshot_1s', status: 'ok', reason: null },
      { name: 'order_event', status: 'unavailable', reason: 'not materialised' },
    ];
    const hud = await openHud({ manifest: { tables }, whole: true });
    try {
      await shows(hud.page, '.badge.gone', 'no order_event');
      expect(await hud.page.getAttribute('.badge.gone', 'title')).toBe('order_event: not materialised');
      await hud.page.click('.badge.gone');
      await shows(hud.page, '.session-info tr.gone', 'order_event');
    } finally {
      await hud.close();
    }
  });
  it('says that a question for analogues has no answer, asks again, and keeps what was answered', async () => {
    const hud = await openHud({ hash: '#s=ES/2026-01-06&t=2700', width: 1440 });
    const refused: string[] = [];
    hud.page.on('response', (one) => {
      if (one.status() === 500) refused.push(one.url());
    });
    try {
      await until(hud.page, (app) => app.lists.episodes.length > 0);
      await hud.page.click('#tab-analogues');
      hud.sidecar.refuseAnalogues(500);
      await hud.page.click('.analogues .ask');
      await shows(hud.page, '.analogues', 'Analogues: no answer (/v1/analogues: 500 some_code)');
      expect(await hud.page.textContent('.analogues')).not.toContain('Asking');
      hud.sidecar.refuseAnalogues(0);
      await hud.page.click('.analogues .again');
      await hud.page.waitForSelector('.tiles figure');
      await until(hud.page, (app) => app.lists.analogues?.answers.every(({ drawn }) => drawn) === true);
      await shows(hud.page, '.analogues', 'in every picture');
      expect(await hud.page.textContent('.analogues')).not.toContain('no answer');
      hud.sidecar.refuseAnalogues(500);
      await hud.page.keyboard.press('o');
      await shows(hud.page, '.analogues', 'What was asked for last: no answer');
      expect(await hud.page.$$eval('.tiles figure', (found) => found.length)).toBe(24);
      expect(await hud.page.$('.odds')).toBeNull();
      expect(await hud.page.textContent('.badges')).not.toContain('outcomes revealed');
      hud.sidecar.refuseAnalogues(0);
      await hud.page.keyboard.press('o');
      await hud.page.waitForSelector('.odds');
      await shows(hud.page, '.badges', 'outcomes revealed');
      expect(await hud.page.textContent('.analogues')).not.toContain('no answer');
      expect(refused.length).toBe(2);
      expect(hud.problems.filter((text) => !text.includes('500'))).toEqual([]);
    } finally {
      await hud.close();
    }
  });
  it('draws in software where the browser has no WebGL', async () => {
    const hud = await openHud({ graphics: 'none' });
    try {
      expect(await state(hud.page, (app) => app.stage.backend.kind)).toBe('canvas2d');
      await shows(hud.page, '.badges', 'software drawing');
    } finally {
      await hud.close();
    }
  });
  it('says when the scales are not from earlier sessions, and when nothing arrives any more', async () => {
    const calibration = { status: 'same_session', basis: 'same_session', asof_dt: null, n_sessions: 0, reason: null };
    const hud = await openHud({ manifest: { calibration, provenance: 'real' } });
    try {
      await shows(hud.page, '.badges', 'calibrated on itself');
      await shows(hud.page, '.legend', 'scale: this session');
      expect(await hud.page.textContent('.badges')).not.toContain('SIMULATED');
      await hud.page.keyboard.press('Space');
      await until(hud.page, (app) => app.store.state.playing && app.feed.appendMs.length > 1);
      hud.sidecar.setSilent(true);
      await shows(hud.page, '.top', /no data for \d+ s/);
      expect(await hud.page.$('.plot.stale')).not.toBeNull();
      hud.sidecar.setSilent(false);
      await until(hud.page, (app) => app.store.state.link === 'ready');
    } finally {
      await hud.close();
    }
  });
});

/** What the page can show of a session, by the names in the manifest: a table that is not there takes one or more. */
const PARTS: string[] = [...json('manifest.json').surfaces, ...json('manifest.json').panels]
  .map((part: { name: string }) => part.name)
  .filter((name: string) => name !== 'snap');

describe.skipIf(!findChromium())('without any single part but the snapshot', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  const problems: string[] = [];
  beforeAll(async () => {
    browser = await openBrowser({ width: 1024, height: 640 });
    browser.page.on('pageerror', (error) => problems.push(String(error)));
  });
  afterAll(() => browser?.close());

  it.each(PARTS)('%s: the page works and a badge names it', async (gone) => {
    const sidecar = await startSidecar({ missing: [gone] });
    try {
      await browser.page.goto(`${sidecar.url}?render=2d#s=ES/2026-01-06&t=2600`);
      await shows(browser.page, '.badge.gone', new RegExp(`no .*${gone}`));
      await until(browser.page, (app) => app.data.state(app.store.state.now) === 3 && app.frames > 1);
      await browser.page.keyboard.press('ArrowRight');
      await until(browser.page, (app) => app.store.state.now === 2601);
      expect(await browser.page.getAttribute('.badge.gone', 'title')).toContain(`${gone}: not materialised`);
      expect(problems).toEqual([]);
    } finally {
      await browser.page.goto('about:blank');
      await sidecar.close();
    }
  });
});
