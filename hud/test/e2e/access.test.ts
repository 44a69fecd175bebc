/** Text at 200 %, by zoom or by the size that the browser is set to, and the colours of the system: all of it readable. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findChromium } from '../harness/browser.mjs';
import { type Opened, openHud, shows, state, until } from './page.ts';

/** Where pictures of what is tested go, to be looked at. */
const PICTURES = process.env.SPYMASTER_HUD_PICTURES ?? '';

let hud: Opened | null = null;
afterEach(async () => {
  await hud?.close();
  hud = null;
});

async function picture(name: string): Promise<void> {
  if (!PICTURES || !hud) return;
  await mkdir(PICTURES, { recursive: true });
  await hud.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Texts that are cut off by an ancestor that does not scroll, run out of the page, or lie over each other. */
async function unreadable(opened: Opened): Promise<string[]> {
  return opened.page.evaluate(() => {
    const faults: string[] = [];
    const seen: { text: string; box: DOMRect; node: Element }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const text = node.textContent!.trim();
      const holder = node.parentElement!;
      if (!text || holder.closest('.sr, noscript, option, [hidden], dialog:not([open])')) continue;
      if (!holder.checkVisibility({ visibilityProperty: true })) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (!box.width || !box.height || getComputedStyle(holder).fontSize === '0px') continue;
      const label = `"${text.slice(0, 40)}" in ${holder.tagName.toLowerCase()}.${holder.className}`;
      if (box.left < -1 || box.right + scrollX > document.documentElement.clientWidth + 1)
        faults.push(`${label} runs out of the page`);
      let scrolls = false;
      for (let up: Element | null = holder; up && up !== document.documentElement; up = up.parentElement) {
        const style = getComputedStyle(up);
        const clip = up.getBoundingClientRect();
        const [x, y] = [style.overflowX, style.overflowY];
        if (/auto|scroll/.test(x + y)) scrolls = true;
        if (scrolls) break; // reached by scrolling there
        if (style.textOverflow === 'ellipsis' && up.closest('[title]')) break; // its tooltip has the whole of it
        const cutX = /hidden|clip/.test(x) && (box.left < clip.left - 1 || box.right > clip.right + 1);
        const cutY = /hidden|clip/.test(y) && (box.top < clip.top - 1 || box.bottom > clip.bottom + 1);
        if (cutX || cutY) faults.push(`${label} is cut off by ${up.tagName.toLowerCase()}.${up.className}`);
      }
      if (!scrolls) seen.push({ text: label, box, node: holder });
    }
    seen.forEach((a, i) => {
      for (const b of seen.slice(i + 1)) {
        const [w, h] = [
          Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left),
          Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top),
        ];
        // Lines of text stand close: a third of a line is an overlap that hides something.
        if (
          w > 2 &&
          h > Math.min(a.box.height, b.box.height) / 3 &&
          !a.node.closest('.readout') &&
          !b.node.closest('.readout')
        )
          faults.push(`${a.text} lies over ${b.text}`);
      }
    });
    return faults;
  });
}

const SCREENS = [
  [1440, 900],
  [1024, 768],
] as const;
const HASH = '#s=ES/2026-01-06&t=2600';

async function loaded(): Promise<void> {
  await until(hud!.page, (app) => app.data.second('ladder', app.store.state.now) !== null);
  await shows(hud!.page, '#reading .above', 'resting sells');
  await hud!.page.waitForSelector('.level.near');
  await hud!.page.waitForTimeout(500);
}

describe.skipIf(!findChromium())('Text at 200 %', () => {
  for (const [width, height] of SCREENS)
    for (const theme of ['dark', 'light'] as const) {
      it(`by zoom, ${width}x${height}, ${theme}: nothing is cut off, everything can be reached`, async () => {
        hud = await openHud({ hash: HASH, width: width / 2, height: height / 2, scale: 2, theme });
        await loaded();
        await picture(`zoom-${width}-${theme}`);
        expect(await unreadable(hud)).toEqual([]);
        // In one column that scrolls down, and only down.
        const size = await hud.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        expect(size[0]).toBeLessThanOrEqual(size[1]!);
        const plot = (await hud.page.locator('.plot').boundingBox())!;
        expect(plot.width).toBeGreaterThan(width / 4);
        expect(plot.height).toBeGreaterThan(height / 4);
        for (const place of ['#reading', '#bands', '.rail', '.scrubber', '.legend'])
          expect(await hud.page.locator(place).first().isVisible(), place).toBe(true);
        await hud.page.click('#tab-ladder');
        await shows(hud.page, '.ladder caption', 'contracts');
        expect(await unreadable(hud)).toEqual([]);
      });
    }
  it('by the size that the browser is set to: page and drawn text are twice as large', async () => {
    hud = await openHud({ hash: HASH, width: 1440, height: 900, fontSize: 32 });
    await loaded();
    await picture('font-1440-dark');
    const sizes = await hud.page.evaluate(() => ({
      root: getComputedStyle(document.documentElement).fontSize,
      drawn: document.querySelector<HTMLCanvasElement>('.overlay')!.getContext('2d')!.font,
    }));
    expect(sizes.root).toBe('24px');
    expect(sizes.drawn).toMatch(/\b22px/);
    expect(await unreadable(hud)).toEqual([]);
  });
  for (const [width, height] of SCREENS)
    it(`at 100 %, ${width}x${height}: nothing is cut off either`, async () => {
      hud = await openHud({ hash: HASH, width, height });
      await loaded();
      await picture(`plain-${width}`);
      expect(await unreadable(hud)).toEqual([]);
    });
});

describe.skipIf(!findChromium())('Colours of the system', () => {
  for (const [width, height] of SCREENS)
    for (const theme of ['dark', 'light'] as const)
      it(`${width}x${height}, ${theme}: states keep a shape, scales keep their colours`, async () => {
        hud = await openHud({ hash: HASH, width, height, theme, forcedColors: true });
        await loaded();
        await picture(`forced-${width}-${theme}`);
        const { page } = hud;
        expect(await page.evaluate(() => matchMedia('(forced-colors: active)').matches)).toBe(true);
        expect(await unreadable(hud)).toEqual([]);
        const style = (selector: string, name: string): Promise<string> =>
          page.$eval(selector, (node, key) => getComputedStyle(node).getPropertyValue(key), name);
        // What is on is outlined, what is near has a double edge, and neither looks like its neighbours.
        expect(await style('.legend .layer[aria-pressed="true"]', 'outline-style')).toBe('solid');
        expect(await style('.legend .layer[aria-pressed="false"]', 'outline-style')).toBe('none');
        expect(await style('.level.near', 'border-left-style')).toBe('double');
        expect(await style('.badge.sim', 'border-top-width')).toBe('2px');
        // Bid and ask of the legend are still two colours.
        const swatches = [
          await style('.swatch.long', 'background-color'),
          await style('.swatch.short', 'background-color'),
        ];
        expect(new Set(swatches).size).toBe(2);
        // The plot is drawn in the theme's colours, on the theme's background.
        expect(await state(page, (app) => app.store.state.theme)).toBe(theme);
      });
});
