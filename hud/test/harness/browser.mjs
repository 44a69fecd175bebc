/** The system's Chromium with a fresh profile and no network of its own. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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

/**
 * @param {{ width?: number, height?: number, graphics?: 'gl' | 'none', theme?: 'dark' | 'light', scale?: number,
 *   fontSize?: number | null, forcedColors?: boolean }} options
 * A context on a profile of its own; `close` removes it. `scale`: pixels of the screen per CSS pixel, as zoom makes them;
 * `fontSize`: the size of text that its user has set; `forcedColors`: the system's own colours.
 */
export async function openBrowser({
  width = 640,
  height = 360,
  graphics = 'gl',
  theme = 'dark',
  scale = 1,
  fontSize = null,
  forcedColors = false,
} = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'spymaster-hud-'));
  if (fontSize !== null) {
    await mkdir(join(profile, 'Default'));
    const preferences = { webkit: { webprefs: { default_font_size: fontSize } } };
    await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
  }
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    headless: true,
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: theme,
    forcedColors: forcedColors ? 'active' : 'none',
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
