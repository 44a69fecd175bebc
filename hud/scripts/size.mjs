/** Sizes of the bundle, gzip. Fails over the limits; prints a note over the soft one. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const KB = 1024;
const HARD_JS = 80 * KB;
const SOFT_JS = 60 * KB;
const HARD_CSS = 12 * KB;
const root = fileURLToPath(new URL('../../spymaster/serving/static/assets/', import.meta.url));

const total = { js: 0, css: 0 };
for (const name of await readdir(root)) {
  const kind = name.endsWith('.js') ? 'js' : name.endsWith('.css') ? 'css' : null;
  if (kind) total[kind] += gzipSync(await readFile(root + name), { level: 9 }).length;
}
console.log(`JS ${(total.js / KB).toFixed(1)} KB gz of 80, CSS ${(total.css / KB).toFixed(1)} KB gz of 12`);
if (total.js > SOFT_JS) console.log('JS is over 60 KB gz');
if (total.js > HARD_JS || total.css > HARD_CSS) process.exit(1);
