/**
 * A newcomer with a clock: from a clone and the README alone to the moment before the pre-market high, with its reading.
 *
 *   npm run newcomer -- FOLDER [--limit 300]
 *
 * Clones this repository into FOLDER (which must not exist), does what the README says under "Try it", opens the link it
 * prints in a headless Chromium, goes to the time the README names, and waits for the sentence. Prints when each step
 * was over, and the processor time that it and all it started had used by then. Exit code 1 past the limit, in seconds.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openBrowser } from '../test/harness/browser.mjs';

const SENTENCE = /at 6802 resting sells are \d+\.\dx the median and building/;
const TICKS_PER_S = 100;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { limit: { type: 'string', default: '300' } },
});
const [folder] = positionals;
if (!folder || existsSync(folder)) {
  console.error('usage: npm run newcomer -- FOLDER_THAT_DOES_NOT_EXIST [--limit SECONDS]');
  process.exit(2);
}

const begun = performance.now();
const seconds = () => (performance.now() - begun) / 1000;

/** Processor seconds of a process and all that it started, those that have ended included; 0 where /proc is not there. */
function cpuOf(root) {
  const seen = new Map();
  let names = [];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return 0;
  }
  for (const name of names) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1).split(' ');
      const used = [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) / TICKS_PER_S;
      seen.set(Number(name), { parent: Number(fields[1]), used });
    } catch {
      // It ended meanwhile.
    }
  }
  const under = (pid) => pid === root || (seen.has(pid) && seen.get(pid).parent !== pid && under(seen.get(pid).parent));
  return [...seen].filter(([pid]) => under(pid)).reduce((sum, [, { used }]) => sum + used, 0);
}

const steps = [];
function done(what) {
  steps.push({ what, at: seconds(), cpu: cpuOf(process.pid) });
  const { at, cpu } = steps.at(-1);
  console.log(`${at.toFixed(1).padStart(7)} s  ${cpu.toFixed(0).padStart(5)} cpu s  ${what}`);
}

execFileSync('git', ['clone', '-q', fileURLToPath(new URL('../..', import.meta.url)), folder]);
done('cloned');

const readme = readFileSync(`${folder}/README.md`, 'utf8');
const command = /^pip install uv && (uv run spymaster demo)$/m.exec(readme)?.[1];
const time = /go to\s+`(\d\d:\d\d:\d\d)`/.exec(readme)?.[1];
if (!command || !time) throw new Error('the README names no command to begin with, or no time to go to');

const [program, ...words] = command.split(' ');
// Free ports: whatever else runs here is left alone. No cache of compiled kernels of another clone.
const environment = { ...process.env };
environment.NUMBA_CACHE_DIR = `${folder}/.kernels`; // none are compiled yet
delete environment.VIRTUAL_ENV;
delete environment.PYTHONDONTWRITEBYTECODE; // of this machine, not of a newcomer's: without it each start compiles Python anew
const demo = spawn(program, [...words, '--port', '0', '--page-port', '0'], {
  cwd: folder,
  env: environment,
  detached: true,
});
let code = 1;
try {
  const link = await new Promise((resolve, reject) => {
    let text = '';
    let installed = false;
    const take = (data) => {
      text += data;
      if (!installed && /simulat/i.test(text)) {
        installed = true;
        done('installed: the demo begins');
      }
      const found = /sign in\s+(http\S+)/.exec(text);
      if (found) resolve(found[1]);
    };
    demo.stdout.on('data', take);
    demo.stderr.on('data', take);
    demo.on('exit', (status) => reject(new Error(`the demo ended with ${status}:\n${text.slice(-4000)}`)));
  });
  done('the demo prints its link');
  const browser = await openBrowser({ width: 1440, height: 900 });
  try {
    const { page } = browser;
    const until = async (check, what) => {
      const end = performance.now() + 120_000;
      while (!(await page.evaluate(check, time))) {
        if (performance.now() > end) throw new Error(`never came: ${what}`);
        await page.waitForTimeout(50);
      }
      done(what);
    };
    await page.goto(link);
    done('the page is there');
    await until(() => performance.getEntriesByName('spymaster:first-paint').length === 1, 'first picture');
    await page.keyboard.press('g');
    await page.keyboard.type(time);
    await page.keyboard.press('Enter');
    await until(
      (wanted) =>
        document.querySelector('.clock')?.textContent?.startsWith(wanted) &&
        document.querySelector('#reading .note')?.textContent === `at ${wanted}` &&
        document.querySelector('#reading .above')?.textContent !== '',
      'the moment, with its reading',
    );
    const reading = await page.textContent('#reading .above');
    console.log(`\n${reading}\n`);
    const total = seconds();
    const limit = Number(options.limit);
    const ok = SENTENCE.test(reading) && total <= limit;
    code = ok ? 0 : 1;
    console.log(
      `${ok ? 'ok ' : 'LOW'} ${total.toFixed(1)} s of ${limit}; load ${loadavg()
        .map((x) => x.toFixed(1))
        .join(' ')}`,
    );
  } finally {
    await browser.close();
  }
} finally {
  if (demo.exitCode === null) {
    const ended = new Promise((resolve) => demo.once('exit', resolve));
    demo.removeAllListeners('exit');
    demo.once('exit', () => undefined);
    process.kill(demo.pid, 'SIGINT');
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20_000))]);
  }
}
process.exit(code);
