import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../harness/browser.mjs';
import { arrivedAt, bareNumbers, type Opened, openHud, shows, state, until } from './page.ts';

const LEVEL = 27200;

describe.skipIf(!findChromium())('the HUD on a session', () => {
  let hud: Opened;
  beforeAll(async () => {
    hud = await openHud({ hash: '#s=ES/2026-01-06&t=2600' });
  });
  afterAll(() => hud?.close());
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await hud.page.keyboard.press(key);
  };

  it('paints first with spot, wall and reading', async () => {
    await until(
      hud.page,
      (app) => performance.getEntriesByName('spymaster:first-paint').length === 1 && app.store.state.now === 2600,
    );
    await shows(hud.page, '#reading .above', 'resting sells are 9.3x the median');
    expect(await state(hud.page, (app) => app.stage.backend.kind)).toBe('webgl2');
  });

  it('marks simulated data and the replay on screen', async () => {
    await shows(hud.page, '.badges', 'SIMULATED');
    await shows(hud.page, '.badge.mode', 'REPLAY 1×');
  });

  it('Band matrix: an empty band is a value, a missing one a dash', async () => {
    await shows(hud.page, '.bands tr.below:last-child td.strength', 'empty');
    await shows(hud.page, '.bands tr.above td.ease', /^\d\.\d\d$/);
  });

  it('Mechanics card: both directions hold the same four measurements in swapped roles', async () => {
    const rows = (direction: string): Promise<string[]> =>
      hud.page.$$eval(`.direction.${direction} .num`, (nodes) => nodes.map((node) => node.textContent ?? ''));
    await shows(hud.page, '.direction.down h3', /[0-4] of 4 met/);
    const [up, down] = [await rows('up'), await rows('down')];
    expect(up).toHaveLength(4);
    expect(down).toEqual([up[2], up[3], up[0], up[1]]);
    await shows(hud.page, '.direction.down h3', /[0-4] of 4 met/);
  });

  it('Levels rail: only levels already valid, with live signed distances, nearest two marked', async () => {
    const rail = await hud.page.textContent('.rail');
    expect(rail).toContain('PM High');
    expect(await hud.page.$$eval('.rail .near', (nodes) => nodes.length)).toBe(2);
    const before = await hud.page.textContent('.rail .level.near .away');
    await press('Shift+ArrowRight', 'Alt+ArrowRight');
    await arrivedAt(hud.page, 2730);
    await hud.page.waitForFunction(
      (text) => document.querySelector('.rail .level.near .away')?.textContent !== text,
      before,
      { timeout: 15_000 },
    );
  });

  it('Transport: plays at speed without a gap, pauses, steps and goes to a time', async () => {
    await press(']', ']', ']', ']');
    expect(await state(hud.page, (app) => app.store.state.speed)).toBe(20);
    await press('Space');
    await until(hud.page, (app) => app.store.state.now > 2830);
    await press('Space');
    await until(hud.page, (app) => !app.store.state.playing);
    // What was on its way when the pause was asked for still arrives.
    await hud.page.waitForTimeout(1000);
    const now = await state(hud.page, (app) => app.store.state.now);
    const holes = await hud.page.evaluate(
      (last) =>
        Array.from({ length: last - 2730 }, (_, i) => 2731 + i).filter(
          (s) => window.spymaster.data.second('bands', s) === null,
        ).length,
      now,
    );
    expect(holes).toBe(0);
    await press('ArrowRight');
    await arrivedAt(hud.page, now + 1);
    await press('ArrowLeft');
    await arrivedAt(hud.page, now);
    await press('g');
    await hud.page.keyboard.type('09:43:20');
    await press('Enter');
    await arrivedAt(hud.page, 2599);
    await hud.page.waitForFunction(() => document.querySelector('.clock')?.textContent?.startsWith('09:43:20'));
  });

  it('draws no frame while nothing changes', async () => {
    const drawn = () => state(hud.page, (app) => app.frames);
    // What is on its way still arrives: on a busy machine it takes its time.
    for (let i = 0, before = -1; i < 10 && before !== (await drawn()); i++) {
      before = await drawn();
      await hud.page.waitForTimeout(1500);
    }
    const frames = await drawn();
    await hud.page.waitForTimeout(2500);
    expect(await drawn()).toBe(frames);
  });

  it('Anchor: spot becomes a straight line and comes back to the same view', async () => {
    const before = await state(hud.page, (app) => app.store.state.view.yMid);
    await press('a');
    expect(await state(hud.page, (app) => app.store.state.anchor)).toBe('spot');
    await press('a');
    expect(await state(hud.page, (app) => app.store.state.view.yMid)).toBeCloseTo(before);
  });

  it('Time gate: changing everything after the present changes no pixel, row or tooltip', async () => {
    const shot = () =>
      hud.page.evaluate(async () => {
        const app = window.spymaster;
        app.stage.draw(app.model(), 31);
        await new Promise((resolve) => setTimeout(resolve, 50));
        const text = document.body.textContent;
        return [app.stage.picture(app.model(), '').toDataURL(), text] as const;
      });
    const before = await shot();
    await hud.page.evaluate(() => {
      const { data, store } = window.spymaster;
      const first = store.state.now + 1;
      const rows = data.manifest.seconds - first;
      const noise = (n: number): Uint8Array => new Uint8Array(n).fill(255);
      data.ingest(1, first, rows, {
        snap: {
          rows,
          columns: {
            spot_tick: new Int32Array(rows).fill(27150),
            state: new Uint8Array(rows).fill(3),
            flags: new Uint8Array(rows),
            last_tick: new Int32Array(rows).fill(27150),
            open_tick: new Int32Array(rows).fill(27150),
            high_tick: new Int32Array(rows).fill(27150),
            low_tick: new Int32Array(rows).fill(27150),
          },
        },
        wall: {
          rows,
          columns: {
            depth: noise(rows * data.width),
            net_flow: noise(rows * data.width),
            rest_share: noise(rows * data.width),
          },
        },
        vacuum: { rows, columns: { score: noise(rows * data.width) } },
      });
      window.spymaster.stage.changed(1, first, rows);
    });
    const after = await shot();
    expect(after[1]).toBe(before[1]);
    expect(after[0] === before[0]).toBe(true);
  });

  it('Inspector: approximations at once, exact values after a dwell', async () => {
    const box = (await hud.page.locator('.plot').boundingBox())!;
    await hud.page.mouse.move(box.x + 60, box.y + 120);
    await hud.page.waitForSelector('.readout:not([hidden])');
    await shows(hud.page, '.readout', 'resting');
    await hud.page.waitForFunction(
      () => document.querySelector('.readout')?.textContent?.includes('41 contracts'),
      undefined,
      { timeout: 10_000 },
    );
    await hud.page.mouse.move(2, 2);
  });

  it('Inspector: names what pressure is made of, long and short apart, in times of the usual', async () => {
    const box = (await hud.page.locator('.plot').boundingBox())!;
    await hud.page.mouse.move(box.x + 70, box.y + 130);
    await shows(hud.page, '.readout', 'booklong 41 (2.05×), short 12 (0.5×)');
    const text = (await hud.page.textContent('.readout'))!;
    for (const words of [
      'pressure, 6802.00 to 6802.75',
      'tradelong 0 (0×), short 2.5 (0.5×)',
      'optionlong 6 (3×), short 3',
      'restlong 0, short 930 (9.3×)',
      '× the usual of 20 earlier sessions at this distance',
    ])
      expect(text).toContain(words);
    await hud.page.mouse.move(2, 2);
  });

  it('Column strip: the ladder lists depth, adds, pulls and their net, price by price', async () => {
    await hud.page.click('#tab-ladder');
    await shows(hud.page, '.ladder caption', 'contracts in the second to');
    const heads = await hud.page.$$eval('.ladder thead th', (nodes) => nodes.map((node) => node.textContent));
    expect(heads).toEqual(['price', 'bid', 'ask', 'add', 'pull', 'net', 'fill']);
    const rows = await hud.page.$$eval('.ladder tbody tr', (nodes) => nodes.length);
    expect(rows).toBe(41);
    const known = await hud.page.$$eval(
      '.ladder tbody td.net',
      (nodes) => nodes.filter((node) => /^[+−]\d+$/.test(node.textContent ?? '')).length,
    );
    expect(known).toBeGreaterThan(10);
  });

  it('Units: every number in the page has its unit and baseline in a heading, a caption or a tooltip', async () => {
    for (const tab of ['episodes', 'ladder']) {
      await hud.page.click(`#tab-${tab}`);
      expect((await bareNumbers(hud.page, '#app')).bare, tab).toEqual([]);
    }
    expect(await hud.page.getAttribute('.strip', 'title')).toMatch(/contracts.*dollars per 1 % move/);
    expect(await hud.page.getAttribute('#bands .note', 'title')).toBe(
      'Scales come from 20 earlier sessions, up to 2026-01-05.',
    );
    expect(await hud.page.textContent('#mechanics .note')).toBe('z, 5 s');
    expect(await hud.page.getAttribute('#mechanics .lamps li', 'title')).toContain('the usual of earlier sessions');
  });

  it('Data cursor: Enter starts it, arrows move it, it never passes the present', async () => {
    await hud.page.focus('.plot');
    await press('Enter');
    const start = await state(hud.page, (app) => app.store.state.cursor!);
    await press('ArrowUp', 'ArrowLeft', 'ArrowRight', 'ArrowRight');
    const end = await state(hud.page, (app) => app.store.state.cursor!);
    expect(end).toEqual({ sec: start.sec, tick: start.tick + 1 });
    await press('Escape');
    expect(await state(hud.page, (app) => app.store.state.cursor)).toBeNull();
  });

  it('Approach episodes: unknown before their decision; the outcome stays open until its time', async () => {
    await hud.page.click('#tab-episodes');
    await shows(hud.page, '.episodes', 'No episode so far');
    await hud.page.evaluate(() => window.spymaster.seek(2900));
    await until(hud.page, (app) => app.lists.episodes.length === 2);
    await hud.page.waitForFunction(() => (document.querySelectorAll('.episodes li').length ?? 0) === 2);
    await shows(hud.page, '.episodes ol', 'open');
    expect(await hud.page.textContent('.episodes ol')).not.toContain('reject');
    await hud.page.click('.episodes li:last-child button');
    expect(await state(hud.page, (app) => app.store.state.now)).toBe(2660 - 30);
  });

  it('Analogues: outcomes are not even in the payload before O; afterwards p stands beside p0 and the mark stays', async () => {
    await hud.page.evaluate(() => window.spymaster.seek(2900));
    await until(hud.page, (app) => app.lists.episodes.length === 2);
    await hud.page.waitForFunction(() => document.querySelectorAll('.episodes li').length === 2);
    await hud.page.click('#tab-episodes');
    await hud.page.click('.episodes li:last-child button');
    await hud.page.click('#tab-analogues');
    await shows(hud.page, '.analogues', 'Asked at its decision');
    const told: string[] = [];
    hud.page.on('response', async (r) => {
      if (r.url().includes('/analogues')) told.push(`${r.url()} ${await r.text()}`);
    });
    await hud.page.evaluate(() => window.spymaster.seek(2662));
    await hud.page.waitForSelector('.tiles figure');
    await shows(hud.page, '.analogues', 'SIMULATED');
    await until(hud.page, (app) => (app.lists.analogues?.answers[0]?.neighbours[0]?.path.length ?? 0) === 61);
    await expect.poll(() => told.length).toBe(2);
    expect(told[0]).toContain('"neighbours":[{');
    expect(told[1]).toContain('"ticks":[');
    expect(await hud.page.$$eval('.tiles figure', (found) => found.length)).toBe(12);
    expect(await hud.page.$$eval('.tiles figure b', (found) => found.length)).toBe(0);
    for (const text of told) {
      expect(text).toContain('reveal=false');
      expect(text).not.toMatch(/outcome|p0?_break/);
    }
    expect(await hud.page.$('.odds')).toBeNull();
    await press('o');
    await hud.page.waitForSelector('.odds');
    await shows(hud.page, '.odds', /30 % vs 35 %/);
    await shows(hud.page, '.odds', '17 earlier days');
    await shows(hud.page, '.badges', 'outcomes revealed');
    await hud.page.click('.analogues .ask');
    await shows(hud.page, '.analogues', 'As if price came from above');
    expect(await hud.page.$('.odds')).toBeNull();
  });

  it('Evidence panel: effect with interval, q, null and controls; timing only', async () => {
    await hud.page.click('#tab-evidence');
    await shows(hud.page, '.evidence', 'timing incompatible');
    const text = (await hud.page.textContent('.evidence'))!;
    expect(text).toContain('timing incompatible with: uniform phase');
    expect(text).toContain('control: none');
    expect(text).toContain('replicated 17 of 20 days');
  });

  it('Units: numbers of analogues, concealed and revealed, and of evidence have theirs too', async () => {
    const { page } = hud;
    const told = async (selector: string, ...words: string[]): Promise<void> => {
      const titles = await page.$$eval(selector, (nodes) => nodes.map((node) => node.getAttribute('title') ?? ''));
      expect(titles.length, selector).toBeGreaterThan(0);
      for (const title of titles) for (const word of words) expect(title, selector).toContain(word);
    };
    await page.evaluate(() => window.spymaster.seek(2900));
    await until(page, (app) => app.lists.episodes.length === 2);
    await page.evaluate(() => window.spymaster.openEpisode(window.spymaster.lists.episodes[0]!));
    await page.click('#tab-analogues');
    await shows(page, '.analogues', 'Asked at its decision');
    expect(await bareNumbers(page, '.analogues')).toMatchObject({ bare: [] });
    await page.evaluate(() => window.spymaster.seek(2662));
    await until(page, (app) => app.lists.analogues?.answers[0]?.drawn === true);
    await shows(page, '.analogues', 'in every picture');
    const concealed = await bareNumbers(page, '.analogues');
    expect(concealed.bare).toEqual([]);
    expect(concealed.seen).toBeGreaterThan(36); // three in every picture
    await told(
      '.tiles figcaption',
      'Date of the setup',
      'which touch of its level',
      'distance between the scaled vectors',
    );
    await shows(page, '.tiles', 'PM High #1');
    await press('o');
    await page.waitForSelector('.odds');
    await until(page, (app) => app.lists.analogues?.answers[0]?.drawn === true);
    await page.waitForSelector('.tiles figcaption b');
    const revealed = await bareNumbers(page, '.odds');
    expect(revealed.bare).toEqual([]);
    expect(revealed.seen).toBeGreaterThan(8);
    await told('.tiles figcaption b', 'along its direction', 'ticks');
    const heads = await page.$$eval('.odds thead th', (nodes) => nodes.map((node) => node.getAttribute('title')));
    expect(heads).toHaveLength(4);
    expect(heads.every(Boolean)).toBe(true);
    await page.click('#tab-evidence');
    await shows(page, '.evidence', 'control: none');
    const evidence = await bareNumbers(page, '.evidence');
    expect(evidence.bare).toEqual([]);
    expect(evidence.seen).toBeGreaterThan(3);
    await told('.evidence .finding', 'in percent, with its 95 % interval', 'adjusted', 'Null: uniform phase', 'Days: ');
    await told('.evidence .intensity p', 'Share of messages', 'median of earlier sessions');
    await told('.evidence > div:last-child > p.dim', 'of all that it was applied to');
  });

  it('Reading: the sentences of the server, of this second', async () => {
    await shows(hud.page, '#reading .below', 'Below: no wall within 20 ticks; thin from 6797.50 to 6796.75.');
    const now = await state(hud.page, (app) => app.store.state.now);
    const label = await hud.page.textContent('.clock');
    expect(await hud.page.textContent('#reading .note')).toBe(`at ${label!.slice(0, 8)}`);
    expect(await state(hud.page, (app) => app.data.second('reading', app.store.state.now)?.above)).toBeTruthy();
    expect(now).toBeGreaterThan(0);
  });

  it('Legend: layers, unit, cut-offs, baseline, pooling and level of detail', async () => {
    await shows(hud.page, '.legend', /\d+ contracts/);
    await shows(hud.page, '.legend .wide', 'scale: 20 earlier sessions to 2026-01-05 · every second · logarithmic');
    for (let i = 0; i < 8; i++) await press('-');
    await shows(hud.page, '.legend .wide', /max of 4 s per column/);
    for (let i = 0; i < 8; i++) await press('z');
    await shows(hud.page, '.legend .wide', 'every second');
    expect(await hud.page.$$eval('.legend .layer', (nodes) => nodes.map((node) => node.textContent))).toEqual([
      'Wall',
      'Vacuum',
      'Pressure',
      'GEX',
    ]);
  });

  it('Layer rule: at most two filled layers', async () => {
    await press('3');
    expect(await state(hud.page, (app) => app.store.state.layers)).toEqual({
      wall: true,
      vacuum: false,
      pressure: true,
    });
    await press('2');
    expect(Object.values(await state(hud.page, (app) => app.store.state.layers)).filter(Boolean)).toHaveLength(2);
  });

  it('Review asks once and marks the view', async () => {
    hud.page.once('dialog', (dialog) => void dialog.accept());
    await press('m');
    await shows(hud.page, '.badge.mode', 'REVIEW');
    await press('m');
    await hud.page.waitForFunction(() => document.querySelector('.badges')?.textContent?.includes('seen in review'));
  });

  it('Share: a picture with a file name that says simulated, and the view in the address', async () => {
    const [download] = await Promise.all([hud.page.waitForEvent('download'), press('S')]);
    expect(download.suggestedFilename()).toMatch(/^spymaster-ES-2026-01-06-\d{6}-simulated\.png$/);
    await hud.page.waitForFunction(() => location.hash.includes('s=ES/2026-01-06'));
  });

  it('comes back where it stopped after the connection is lost', async () => {
    const now = await state(hud.page, (app) => app.store.state.now);
    hud.sidecar.dropSockets();
    await until(hud.page, (app) => app.store.state.link === 'reconnecting');
    await until(hud.page, (app) => app.store.state.link === 'ready');
    await press('ArrowRight');
    await arrivedAt(hud.page, now + 1);
  });

  it('Layer rule: outlines of vacuum fill nothing, so that all three layers fit', async () => {
    const on = () => state(hud.page, (app) => Object.values(app.store.state.layers).filter(Boolean).length);
    const before = await state(hud.page, (app) => ({ ...app.store.state.layers }));
    expect(before).toEqual({ wall: true, vacuum: true, pressure: false });
    await press('v');
    await shows(hud.page, '.menu', 'outline');
    await until(hud.page, (app) => app.store.state.vacuumContour);
    await press('3');
    expect(await on()).toBe(3);
    await press('v');
    expect(await on()).toBe(2);
    await until(hud.page, (app) => !app.store.state.layers.pressure);
  });

  it('has no serious accessibility finding', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    await hud.page.evaluate(axe);
    const findings = async (): Promise<string[]> =>
      (await hud.page.evaluate(
        'axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join(" | ")))',
      )) as string[];
    await hud.page.click('.menu summary');
    for (const tab of ['episodes', 'analogues', 'evidence']) {
      await hud.page.click(`#tab-${tab}`);
      expect(await findings(), tab).toEqual([]);
    }
    await press('t');
    await shows(hud.page, '.menu', 'Wall opacity');
    expect(await findings(), 'light').toEqual([]);
    await hud.page.click('.badge.gone');
    expect(await findings(), 'light, data of the session').toEqual([]);
    await press('Escape', 't');
    await hud.page.click('.menu summary');
  });

  it('draws in software when WebGL is lost for good', async () => {
    await hud.page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.heat')!;
      canvas.getContext('webgl2')!.getExtension('WEBGL_lose_context')!.loseContext();
    });
    await until(hud.page, (app) => app.stage.backend.kind === 'canvas2d');
    await hud.page.waitForFunction(
      () => document.querySelector('.badges')?.textContent?.includes('software drawing'),
      undefined,
      { timeout: 10_000 },
    );
  });

  it('logged no error and asked no other origin', () => {
    expect(hud.problems).toEqual([]);
    expect(
      hud.requests.filter(
        (url) => !url.startsWith(hud.sidecar.url) && !url.startsWith('blob:') && !url.startsWith('data:'),
      ),
    ).toEqual([]);
  });
  it('knows the level it was opened at', async () => {
    expect(await state(hud.page, (app) => app.lists.levels.find((level) => level.type === 'PMH')?.tick)).toBe(LEVEL);
  });
});
