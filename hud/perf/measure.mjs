/**
 * Measures the targets of the page (F1 to F6) in a headless Chromium on a running sidecar.
 *
 *   node perf/measure.mjs SIGN_IN_LINK [--session ES/2026-01-06] [--second 6285] [--only F1,F4] [--json]
 *
 * Wall times of a busy or small machine say little, so every figure comes with what a fixed piece of work took in the page
 * just before it, and with the load. Exits with 1 if a target is missed.
 */
import { readdir, readFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { openBrowser } from '../test/harness/browser.mjs';

const RTH_SECONDS = 23_400;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    session: { type: 'string' },
    second: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [link] = positionals;
if (!link) {
  console.error(
    'usage: node perf/measure.mjs SIGN_IN_LINK [--session ES/2026-01-06] [--second N] [--only F1,F4] [--json]',
  );
  process.exit(2);
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const quantile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const round = (value, digits = 1) => Number(value.toFixed(digits));

const browser = await openBrowser({ width: 1440, height: 900 });
const { page } = browser;
const cdp = await browser.context.newCDPSession(page);
await cdp.send('Performance.enable');
const metric = async (name) => (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === name).value;
/** Waits for something in the page without evaluating text there, which its content security policy forbids. */
async function until(check, timeout = 60_000) {
  const end = Date.now() + timeout;
  while (!(await page.evaluate(check))) {
    if (Date.now() > end) throw new Error(`never came true: ${check}`);
    await page.waitForTimeout(25);
  }
}
const ready = () => window.spymaster?.store.state.link === 'ready' && window.spymaster.data.started;

await page.goto(link);
await until(ready);
const address = await page.evaluate(
  ([session, second]) => {
    const app = window.spymaster;
    const { symbol, dt } = app.data.manifest;
    return `${location.origin}/#s=${session ?? `${symbol}/${dt}`}&t=${second ?? app.store.state.now}`;
  },
  [options.session, options.second],
);
async function openPage() {
  await page.goto('about:blank');
  await page.goto(address);
}
await openPage();
await until(ready);
const seconds = await page.evaluate(() => window.spymaster.data.manifest.seconds);

/** Milliseconds of a fixed loop in the page: how fast this machine is while measuring. */
const reference = async () =>
  page.evaluate(() => {
    const begun = performance.now();
    let x = 1;
    for (let i = 0; i < 3e7; i++) x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return performance.now() - begun + (x === 0 ? 1 : 0);
  });

const measures = {
  /** First paint of a loaded session, median of five. */
  async F1() {
    const paints = [];
    for (let i = 0; i < 5; i++) {
      await page.goto('about:blank');
      await page.goto(address);
      await until(() => performance.getEntriesByName('spymaster:first-paint').length > 0);
      paints.push(await page.evaluate(() => performance.getEntriesByName('spymaster:first-paint')[0].startTime));
      await page.waitForTimeout(1500);
    }
    return {
      target: 'first paint < 2000 ms, median of 5',
      ms: round(median(paints), 0),
      runs: paints.map((ms) => round(ms, 0)),
      ok: median(paints) < 2000,
    };
  },
  /** Taking one streamed second: receipt to upload issued, at 20 seconds a second. */
  async F2() {
    await openPage();
    await until(ready);
    for (let i = 0; i < 4; i++) await page.keyboard.press(']');
    await page.keyboard.press('Space');
    await page.waitForTimeout(20_000);
    await page.keyboard.press('Space');
    const costs = await page.evaluate(() => window.spymaster.feed.appendMs);
    return {
      target: 'append of one second < 1 ms, 95th percentile',
      ms: round(quantile(costs, 0.95), 2),
      median_ms: round(median(costs), 2),
      appends: costs.length,
      ok: costs.length > 100 && quantile(costs, 0.95) < 1,
    };
  },
  /** All tiles of wall, vacuum and pressure at full resolution, six at a time, and what that is for a regular day. */
  async F3() {
    const got = await page.evaluate(async () => {
      const { manifest } = window.spymaster.data;
      const urls = [];
      for (const surface of ['wall', 'vacuum', 'pressure'])
        for (let from = 0; from < manifest.seconds; from += 1024)
          urls.push(
            `/v1/sessions/${manifest.symbol}/${manifest.dt}/tiles/${surface}?from=${from}&to=${Math.min(from + 1024, manifest.seconds)}&lod=1`,
          );
      const run = async (list) => {
        let bytes = 0;
        const queue = [...list];
        const begun = performance.now();
        const work = async () => {
          for (let url = queue.shift(); url; url = queue.shift()) {
            const answer = await fetch(url, { cache: 'no-store' });
            if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
            const { byteLength } = await answer.arrayBuffer();
            bytes += byteLength;
          }
        };
        await Promise.all(Array.from({ length: 6 }, work));
        return { ms: performance.now() - begun, bytes };
      };
      const cold = await run(urls);
      return { cold, warm: await run(urls) };
    });
    const day = (ms) => (ms * RTH_SECONDS) / seconds;
    return {
      target: `a regular day (${RTH_SECONDS} s) of wall, vacuum and pressure by tiles <= 3000 ms`,
      seconds,
      mb: round(got.warm.bytes / 1e6),
      ms: round(got.warm.ms, 0),
      first_time_ms: round(got.cold.ms, 0),
      ms_for_a_day: round(day(got.warm.ms), 0),
      ok: day(got.warm.ms) <= 3000,
    };
  },
  /** Frames and main-thread time over ten seconds of a paused page. */
  async F4() {
    await openPage();
    await until(ready);
    await page.waitForTimeout(4000);
    const frames = await page.evaluate(() => window.spymaster.frames);
    const busy = await metric('TaskDuration');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const share = ((await metric('TaskDuration')) - busy) / 10;
    const drawn = (await page.evaluate(() => window.spymaster.frames)) - frames;
    return {
      target: 'paused for 10 s: no frame, < 1 % of a core',
      frames: drawn,
      percent: round(100 * share, 2),
      ok: drawn === 0 && share < 0.01,
    };
  },
  /** Size of the bundle. */
  async F5() {
    const root = new URL('../../spymaster/serving/static/assets/', import.meta.url);
    let bytes = 0;
    for (const name of await readdir(root))
      if (name.endsWith('.js')) bytes += gzipSync(await readFile(new URL(name, root)), { level: 9 }).length;
    return { target: 'JS <= 80 KB gzip', kb: round(bytes / 1024), ok: bytes <= 80 * 1024 };
  },
  /** Heap of the page from 2,000 seconds on to the end of the session, at full speed. */
  async F6() {
    // The heap proper; what arrived is kept in arrays beside it, at most 48 tiles of each column.
    const heap = async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize, backingStorageSize } = await cdp.send('Runtime.getHeapUsage');
      return { used: usedSize, arrays: backingStorageSize ?? 0 };
    };
    await page.goto('about:blank');
    await page.goto(address.replace(/&t=.*/, '&t=0'));
    await until(ready);
    for (let i = 0; i < 10; i++) await page.keyboard.press(']');
    await page.keyboard.press('Space');
    const reach = async (second) => {
      const end = Date.now() + 1_200_000;
      while ((await page.evaluate(() => window.spymaster.store.state.now)) < second) {
        if (Date.now() > end) throw new Error(`second ${second} never came`);
        await page.waitForTimeout(500);
      }
    };
    await reach(2000);
    const before = await heap();
    await reach(seconds - 1);
    const after = await heap();
    const grown = after.used - before.used;
    return {
      target: 'page heap grows <= 10 MB after the first 2,000 s at full speed',
      seconds: seconds - 2000,
      mb: round(grown / 1e6),
      at_2000_s_mb: round(before.used / 1e6),
      arrays_mb: round((after.arrays - before.arrays) / 1e6),
      arrays_at_2000_s_mb: round(before.arrays / 1e6),
      ok: grown <= 10e6,
    };
  },
};

const wanted = options.only ? options.only.split(',') : Object.keys(measures);
const report = {
  machine: { cpu: cpus()[0]?.model ?? '', cores: cpus().length },
  browser: browser.context.browser()?.version() ?? '',
  renderer: await page.evaluate(() => window.spymaster.stage.backend.kind),
  session: address.replace(/^.*#s=/, '').replace(/&.*/, ''),
  seconds,
  results: {},
};
for (const name of wanted) {
  const before = await reference();
  const result = await measures[name]();
  report.results[name] = { ...result, load: round(loadavg()[0]), reference_ms: round(before, 0) };
  if (!options.json) console.log(`${result.ok ? 'ok    ' : 'MISSED'} ${name}`, JSON.stringify(report.results[name]));
}
await browser.close();
if (options.json) console.log(JSON.stringify(report, null, 2));
process.exitCode = Object.values(report.results).every((result) => result.ok) ? 0 : 1;
