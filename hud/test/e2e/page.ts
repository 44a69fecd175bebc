/** Helpers of the flows: a page on a double of the sidecar, with what it logged and asked for. */
import type { Page, Request } from 'playwright-core';
import type { App } from '../../src/app.ts';
import { openBrowser } from '../harness/browser.mjs';
import { startSidecar } from '../harness/sidecar.mjs';

declare global {
  interface Window {
    spymaster: App;
  }
}

export interface Opened {
  page: Page;
  sidecar: Awaited<ReturnType<typeof startSidecar>>;
  problems: string[];
  requests: string[];
  close(): Promise<void>;
}

export async function openHud(
  options: {
    hash?: string;
    query?: string;
    missing?: string[];
    width?: number;
    height?: number;
    graphics?: 'gl' | 'none';
    theme?: 'dark' | 'light';
    scale?: number;
    fontSize?: number;
    forcedColors?: boolean;
    manifest?: object;
    /** Every surface has a place in the manifest, the one that is not asked for too. */
    whole?: boolean;
  } = {},
): Promise<Opened> {
  const sidecar = await startSidecar({
    missing: options.missing ?? [],
    manifest: options.manifest ?? {},
    whole: options.whole ?? false,
  });
  const browser = await openBrowser({
    width: options.width ?? 1024,
    height: options.height ?? 640,
    graphics: options.graphics ?? 'gl',
    theme: options.theme ?? 'dark',
    scale: options.scale ?? 1,
    fontSize: options.fontSize ?? null,
    forcedColors: options.forcedColors ?? false,
  });
  const problems: string[] = [];
  const requests: string[] = [];
  const { page } = browser;
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // A list that the sidecar does not have answers 404, which the browser logs; the page handles it.
    if (message.type() === 'error' && !message.text().includes('404')) problems.push(message.text());
  });
  page.on('request', (request: Request) => requests.push(request.url()));
  await page.goto(`${sidecar.url}${options.query ?? ''}${options.hash ?? ''}`);
  await page.waitForFunction(
    () =>
      window.spymaster?.store.state.link === 'ready' &&
      window.spymaster.data.state(window.spymaster.store.state.now) === 3,
    undefined,
    { timeout: 45_000 },
  );
  return {
    page,
    sidecar,
    problems,
    requests,
    close: async () => {
      await browser.close();
      await sidecar.close();
    },
  };
}

export const state = <T>(page: Page, read: (app: App) => T): Promise<T> =>
  page.evaluate(`(${read.toString()})(window.spymaster)`) as Promise<T>;
/** Waits from outside the page: its content security policy forbids evaluating text inside. */
export async function until(page: Page, check: (app: App) => boolean, timeout = 20_000): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await state(page, check))) {
    if (Date.now() > end) throw new Error(`never became true: ${check}`);
    await page.waitForTimeout(100);
  }
}

/**
 * Numbers in the page without a unit and baseline in a heading, a caption or a tooltip; `seen` counts those in `within`.
 * What is hidden is not looked at.
 */
export async function bareNumbers(page: Page, within: string): Promise<{ bare: string[]; seen: number }> {
  return page.evaluate((inside) => {
    const bare: string[] = [];
    let seen = 0;
    const walker = document.createTreeWalker(document.getElementById('app')!, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const holder = node.parentElement!;
      if (!/\d/.test(node.textContent!) || holder.closest('[hidden], dialog, option, .sr, .brand')) continue;
      if (holder.closest(inside)) seen += 1;
      const told =
        holder.closest('[title]') ??
        holder.closest('table')?.querySelector('caption, th[title]') ??
        // Sentences and names say what they count; the clock has its zone beside it.
        holder.closest('#reading, .legend, .clock, .contract, .badge, .card h2, .absent');
      if (!told) bare.push(`${node.textContent} in ${holder.tagName}.${holder.className}`);
    }
    return { bare, seen };
  }, within);
}

/** Waits until the present is at `sec` and everything streamed for it has arrived. */
export async function arrivedAt(page: Page, sec: number, timeout = 20_000): Promise<void> {
  const end = Date.now() + timeout;
  while (
    !(await page.evaluate(
      (s) => window.spymaster.store.state.now === s && window.spymaster.data.second('ladder', s) !== null,
      sec,
    ))
  ) {
    if (Date.now() > end) throw new Error(`second ${sec} never arrived`);
    await page.waitForTimeout(100);
  }
}

/** Waits until an element reads as `wanted`; a frame that is due may not have been drawn yet. */
export async function shows(page: Page, selector: string, wanted: RegExp | string, timeout = 20_000): Promise<void> {
  const end = Date.now() + timeout;
  for (;;) {
    const text = await page.$eval(selector, (node) => node.textContent ?? '').catch(() => null);
    if (text !== null && (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text))) return;
    if (Date.now() > end) throw new Error(`${selector} reads ${JSON.stringify(text)}, not ${String(wanted)}`);
    await page.waitForTimeout(100);
  }
}
