import { fileURLToPath } from 'node:url';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, openBrowser } from '../harness/browser.mjs';

interface Result {
  name: string;
  share: number;
  worst: number;
  drawn: number;
}

describe.skipIf(!findChromium())('WebGL draws what shade() specifies', () => {
  let server: ViteDevServer;
  let results: Result[] = [];
  beforeAll(async () => {
    server = await createServer({
      root: fileURLToPath(new URL('../..', import.meta.url)),
      configFile: false,
      server: { port: 0, host: '127.0.0.1', hmr: false },
      logLevel: 'silent',
    });
    await server.listen();
    const { page, close } = await openBrowser();
    try {
      await page.goto(`${server.resolvedUrls!.local[0]}test/e2e/pixels.html`);
      await page.waitForFunction('window.results', undefined, { timeout: 60_000 });
      results = (await page.evaluate('window.results')) as Result[];
    } finally {
      await close();
    }
  });
  afterAll(() => server?.close());

  it('within 2 of 255 on 99.9 % of the pixels of fourteen scenes', () => {
    expect(results).toHaveLength(14);
    for (const { name, share, drawn } of results) {
      expect(share, name).toBeGreaterThanOrEqual(0.999);
      // A scene in which nothing is drawn would agree with anything.
      expect(drawn, name).toBeGreaterThan(3);
    }
  });
});
