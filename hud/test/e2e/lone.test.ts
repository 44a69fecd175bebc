/**
 * The page on a lake of one session without options or earlier sessions, made by the command line as a user would.
 * `SPYMASTER_HUD_LONE_URL` is a sign-in link; spymaster_tests/hud makes the lake, starts the server and sets it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, openBrowser } from '../harness/browser.mjs';
import { shows, state, until } from './page.ts';

const URL_ = process.env.SPYMASTER_HUD_LONE_URL ?? '';

describe.skipIf(!URL_ || !findChromium())('the HUD on a lone session', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    browser = await openBrowser({ width: 1440, height: 900 });
    await browser.page.goto(URL_);
    await until(
      browser.page,
      (app) => app?.store.state.link === 'ready' && app.data.second('bands', app.store.state.now) !== null,
      60_000,
    );
  });
  afterAll(() => browser?.close());

  it('opens on it, 14 minutes into its trading', async () => {
    const rth = await state(browser.page, (app) => app.data.manifest.segments.find((s) => s.name === 'RTH')?.from ?? 0);
    expect(await state(browser.page, (app) => app.store.state.now)).toBe(rth + 839);
  });
  it('shows walls, vacuum, spot, best bid and ask, candles and bands', async () => {
    const { page } = browser;
    await until(page, (app) => {
      const now = app.store.state.now;
      return ['wall.depth', 'vacuum.score'].every((name) => app.data.cells.get(name)?.loaded(1, now));
    });
    await until(page, (app) => {
      const pixels = app.stage.backend.pixels();
      const seen = new Set<number>();
      for (let i = 0; i < pixels.length; i += 4) seen.add((pixels[i]! << 16) | (pixels[i + 1]! << 8) | pixels[i + 2]!);
      return seen.size > 10;
    });
    const quote = await state(page, (app) => {
      const { snap } = app.data;
      const now = app.store.state.now;
      return [snap.bid_tick[now]!, snap.ask_tick[now]!, app.data.spot(now)];
    });
    expect(quote[0]).toBeLessThan(quote[1]!);
    expect(quote[2]).toBeGreaterThanOrEqual(quote[0]!);
    expect(quote[2]).toBeLessThanOrEqual(quote[1]!);
    await until(page, (app) => app.lists.candles.length > 3);
    await shows(page, '#bands .scores', /up(0|1)\.\d\d/);
    await shows(page, '#reading .above', 'Above:');
  });
  it('says what is missing, why, and that the scale is calibrated on itself', async () => {
    const { page } = browser;
    await shows(page, '.badges', 'SIMULATED');
    await shows(page, '.badges', 'calibrated on itself');
    await shows(page, '.badges', /no gex/);
    await shows(page, '.legend', 'scale: this session');
    await shows(page, '.legend', 'no GEX: no raw');
    await shows(page, '#mechanics .why', 'No earlier session to scale by');
    await page.click('#tab-episodes');
    await shows(page, '#page-episodes', /candle #\d/);
    for (const tab of ['analogues', 'evidence']) {
      await page.click(`#tab-${tab}`);
      expect(await page.textContent(`#page-${tab}`)).toMatch(/: \S/);
    }
    await page.click('.badge.gone');
    await shows(page, '.session-info', 'its scales come from the session itself');
    await shows(page, '.session-info', /Not shown, since it is not in the lake: gex/);
    await shows(page, '.session-info', /gex.*no raw definition file of options/);
    await page.keyboard.press('Escape');
  });
});
