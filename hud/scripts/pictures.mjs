/**
 * Makes the pictures of the documentation from the demo's lake (simulated data only), as they are before colours are
 * reduced to 256:
 *
 *   node scripts/pictures.mjs SIGN_IN_LINK
 *
 * The link is one that `spymaster serve --lake lake/demo` prints. Writes docs/images/hud*.png.
 */
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../test/harness/browser.mjs';

const SESSION = 'ES/2026-01-06';
/** 09:44:46 in New York: under the pre-market high, before the growing wall. */
const SCENE = 6285;
const [link] = process.argv.slice(2);
if (!link) {
  console.error('usage: node scripts/pictures.mjs SIGN_IN_LINK');
  process.exit(2);
}
const out = (name) => fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url));

/** Numbers of the elements that docs/tasks/hud.md explains, beside a corner of each. */
const NUMBERS = [
  ['.top .clock', 'left'],
  ['.top .badges', 'right'],
  ['.rail', 'left'],
  ['.plot', 'left'],
  ['.strip', 'left'],
  ['#reading', 'left'],
  ['#mechanics', 'left'],
  ['#bands', 'left'],
  ['.tablist', 'left'],
  ['.legend', 'right'],
  ['.transport .buttons', 'left'],
  ['.scrubber', 'left'],
];

/** Cookies of the one browser that used the link, which works once. */
let signedIn;

async function picture(name, { width = 1440, height = 900, theme = 'dark', hash = '', keys = [], act, clip }) {
  const browser = await openBrowser({ width, height, theme });
  const { page } = browser;
  const { origin } = new URL(link);
  if (signedIn) await page.context().addCookies(signedIn);
  else {
    await page.goto(link);
    signedIn = await page.context().cookies();
  }
  await page.goto('about:blank');
  await page.goto(`${origin}/#s=${SESSION}&t=${SCENE}&th=${theme}${hash}`);
  const whole = () => {
    const app = window.spymaster;
    const now = app?.store.state.now;
    return (
      app?.store.state.link === 'ready' &&
      app.data.second('ladder', now) !== null &&
      app.data.second('bands', now - 119) !== null &&
      app.data.complete(1, Math.max(0, Math.ceil(app.store.state.view.x0)), now, ['wall.depth', 'vacuum.score']) &&
      app.lists.levels.length > 0
    );
  };
  for (let i = 0; i < 400 && !(await page.evaluate(whole)); i++) await page.waitForTimeout(100);
  for (const key of keys) await page.keyboard.press(key);
  try {
    if (act) await act(page);
    await page.waitForTimeout(2500);
    const area = clip ? await page.evaluate(clip) : undefined;
    await page.screenshot({ path: out(name), ...(area ? { clip: area } : {}) });
  } finally {
    await browser.close();
  }
}

const number = (page) =>
  page.evaluate((numbers) => {
    numbers.forEach(([selector, side], i) => {
      const box = document.querySelector(selector).getBoundingClientRect();
      const mark = document.createElement('b');
      mark.textContent = String(i + 1);
      Object.assign(mark.style, {
        position: 'fixed',
        zIndex: '9',
        left: `${side === 'left' ? Math.max(2, box.left - 4) : Math.min(innerWidth - 24, box.right - 18)}px`,
        top: `${Math.max(2, box.top - 2)}px`,
        width: '22px',
        height: '22px',
        borderRadius: '11px',
        textAlign: 'center',
        lineHeight: '22px',
        background: '#d6006c',
        color: '#ffffff',
      });
      document.body.append(mark);
    });
  }, NUMBERS);

/** Plot and strip. */
const middle = () => {
  const plot = document.querySelector('.plot').getBoundingClientRect();
  const strip = document.querySelector('.strip').getBoundingClientRect();
  return { x: plot.left, y: plot.top, width: strip.right - plot.left, height: plot.height };
};

await picture('hud', {});
await picture('hud-numbered', { act: number });
await picture('hud-near', { hash: `&x=${SCENE - 240},2.4&y=27201,13&a=price&l=wall.vacuum`, clip: middle });
await picture('hud-spot', { theme: 'light', keys: ['a'], clip: middle });
await picture('hud-pressure', { hash: `&x=${SCENE - 240},2.4&y=27201,13&a=price&l=pressure`, clip: middle });
await picture('hud-small', { width: 1024, height: 768, theme: 'light' });
// What a session lacks: of a demo that is still being made; a whole one lacks nothing, and leaves this picture as it is.
await picture('hud-session', { act: (page) => page.click('.badge.gone', { timeout: 3000 }) }).catch((error) => {
  if (error.name !== 'TimeoutError') throw error;
  console.log('hud-session is left as it was: nothing is missing in this lake');
});
