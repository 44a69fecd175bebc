/**
 * Analogues on the real sidecar. `SPYMASTER_HUD_ANALOGUES_URL` is a sign-in link to a lake that has episodes and earlier
 * dates; spymaster_tests/hud sets it.
 */
import type { Response } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, openBrowser } from '../harness/browser.mjs';
import { shows, state, until } from './page.ts';

const URL_ = process.env.SPYMASTER_HUD_ANALOGUES_URL ?? '';
const TOLD = /"p0?_|outcome|t_hit|mfe|mae|"end_/;

describe.skipIf(!URL_ || !findChromium())('analogues on the real sidecar', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  const problems: string[] = [];
  const bodies: { url: string; text: string }[] = [];
  const panel = (): Promise<string> => browser.page.textContent('.analogues').then((text) => text ?? '');
  beforeAll(async () => {
    browser = await openBrowser({ width: 1440, height: 1000 });
    const { page } = browser;
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/404/.test(message.text())) problems.push(message.text());
    });
    page.on('response', async (answer: Response) => {
      if (!answer.url().includes('analogues')) return;
      bodies.push({ url: answer.url(), text: await answer.text() });
    });
    await page.goto(URL_);
    await until(page, (app) => app?.store.state.link === 'ready', 60_000);
    await page.evaluate(() => window.spymaster.seek(window.spymaster.data.manifest.seconds - 1));
    await until(page, (app) => app.lists.episodes.length > 1);
  });
  afterAll(() => browser?.close());

  it('nothing is asked before the decision of the episode that was chosen', async () => {
    const { page } = browser;
    const at = await state(page, (app) => app.lists.episodes[0]!.decision);
    await page.evaluate(() => window.spymaster.openEpisode(window.spymaster.lists.episodes[0]!));
    await page.click('#tab-analogues');
    await until(page, (app) => app.store.state.now < app.lists.analogueQuestion!.second);
    await shows(page, '.analogues', 'Asked at its decision');
    expect(bodies).toEqual([]);
    await page.evaluate((second) => window.spymaster.seek(second), at);
    await page.waitForSelector('.analogues .tiles figure', { timeout: 60_000 });
    await until(page, (app) => (app.lists.analogues?.answers[0]?.neighbours[0]?.path.length ?? 0) === 301, 60_000);
  });

  it('the payload tells nothing of how they ended; the panel is marked as simulated', async () => {
    await expect.poll(() => bodies.length).toBe(2);
    expect(bodies[0]!.text).toContain('"neighbours":[{');
    expect(bodies[1]!.text).toContain('"ticks":[');
    for (const { url, text } of bodies) {
      expect(url).toContain('reveal=false');
      expect(text).not.toMatch(TOLD);
    }
    const text = await panel();
    expect(text).toContain('SIMULATED');
    expect(text).toContain('earlier days');
    expect(await browser.page.$('.odds')).toBeNull();
    expect(await browser.page.$$eval('.tiles figure', (found) => found.length)).toBeGreaterThan(0);
    await shows(browser.page, '.tiles figcaption', /#\d/);
    const tiles = await browser.page.$$eval('.tiles figure b', (found) => found.length);
    expect(tiles).toBe(0);
  });

  it('O reveals outcomes, p beside its base rate and the days behind it, and paths to 300 s after', async () => {
    const { page } = browser;
    await page.keyboard.press('o');
    await page.waitForSelector('.odds', { timeout: 60_000 });
    await until(page, (app) => (app.lists.analogues?.answers[0]?.neighbours[0]?.path.length ?? 0) === 601, 60_000);
    await expect.poll(() => bodies.length).toBe(4);
    expect(bodies.slice(2).every(({ url }) => url.includes('reveal=true'))).toBe(true);
    const answer = await state(page, (app) => ({
      abstain: app.lists.analogues!.answers[0]!.abstain,
      odds: [...app.lists.analogues!.answers[0]!.odds],
    }));
    expect(answer.odds.length).toBe(3);
    const text = (await page.textContent('.odds')) ?? '';
    expect(text).toMatch(/\d+ earlier days/);
    if (!answer.abstain) expect(text.match(/\d+ % vs \d+ %/g)?.length).toBe(3);
    expect(await page.textContent('.badges')).toContain('outcomes revealed');
    expect(await page.$$eval('.tiles figure b', (found) => found.length)).toBeGreaterThan(0);
    const drawn = await page.$$eval('.tiles canvas', (found) =>
      (found as HTMLCanvasElement[]).every((canvas) => {
        const data = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data;
        return data.some((value) => value > 0);
      }),
    );
    expect(drawn).toBe(true);
  });

  it('another question is concealed again, and any second may be asked about', async () => {
    const { page } = browser;
    const before = bodies.length;
    await page.click('.analogues .ask');
    await until(page, (app) => app.lists.analogues?.episode === null, 60_000);
    const answers = await state(page, (app) => app.lists.analogues!.answers.map(({ neighbours }) => neighbours.length));
    expect(answers.length).toBeGreaterThan(0);
    for (const neighbours of answers) expect(neighbours).toBeGreaterThan(0);
    await until(
      page,
      (app) =>
        app.lists.analogues!.answers.every(({ neighbours }) => neighbours.some(({ path }) => path.length === 301)),
      60_000,
    );
    await shows(page, '.analogues', 'This second');
    expect(await page.$('.odds')).toBeNull();
    expect(await page.$$eval('.tiles figure', (found) => found.length)).toBeGreaterThan(0);
    expect(await page.$$eval('.tiles figure b', (found) => found.length)).toBe(0);
    await expect.poll(() => bodies.length - before).toBe(1 + answers.length);
    expect(bodies[before]!.text).toContain('"neighbours":[{');
    for (const { text } of bodies.slice(before)) expect(text).not.toMatch(TOLD);
    await page.evaluate(() => window.spymaster.seek(window.spymaster.store.state.now - 20));
    expect(await state(page, (app) => app.lists.analogues)).toBeNull();
  });

  it('logged no error', () => expect(problems).toEqual([]));
});
