/** The system's Chromium with a fresh profile and no network of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export function findChromium() {
  if (process.env.SPYMASTER_CHROMIUM) return process.env.SPYMASTER_CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // The next name may be there.
    }
  }
  return null;
}

const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];
const GRAPHICS = {
  gl: ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
  none: ['--disable-gpu', '--disable-software-rasterizer'],
};

/** A context on a profile of its own; `close` removes it. */
export async function openBrowser({ width = 640, height = 360, graphics = 'gl', theme = 'dark' } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'spymaster-hud-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    headless: true,
    viewport: { width, height },
    deviceScaleFactor: 1,
    colorScheme: theme,
    args: [...FLAGS, ...GRAPHICS[graphics]],
  });
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
