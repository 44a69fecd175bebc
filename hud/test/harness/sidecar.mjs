/**
 * A double of the sidecar for tests of the page: one made-up session in which every surface and every panel has
 * content, over the real protocol. The real sidecar is tested on the Python side; this one exists so that panels of
 * tables that nobody makes yet can be held to their behaviour.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { frameBytes, messagesOf, streamBytes } from './arrow.mjs';
import { analoguePaths, analogues, context } from './context.mjs';
import { makeScene, surfaceRows } from './scene.mjs';

const STATIC = fileURLToPath(new URL('../../../spymaster/serving/static/', import.meta.url));
const FIXTURE = fileURLToPath(new URL('../fixtures/manifest.json', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const IDS = { snap: 1, wall: 2, vacuum: 3, pressure: 4, bands: 5, moves: 6, gex: 7, ladder: 8, reading: 9 };
const T0 = 1767708000000000000n; // 2026-01-06 14:00 UTC

export async function startSidecar(options = {}) {
  const scene = makeScene(options);
  const missing = new Set(options.missing ?? []);
  const manifest = JSON.parse(await readFile(FIXTURE, 'utf8'));
  Object.assign(manifest, {
    t0_ns: String(T0),
    seconds: scene.seconds,
    base_tick: scene.base,
    opening_sec: 2639,
    half_ticks: scene.half,
    segments: [{ name: 'RTH', from: 1800, to: scene.seconds }],
    ...(options.manifest ?? {}),
  });
  for (const surface of manifest.surfaces) {
    const gone = missing.has(surface.name) || !(surface.name in IDS || options.whole);
    Object.assign(
      surface,
      gone ? { status: 'unavailable', reason: 'not materialised' } : { status: 'ok', reason: null },
    );
  }
  for (const panel of manifest.panels) {
    Object.assign(
      panel,
      missing.has(panel.name) ? { status: 'unavailable', reason: 'not materialised' } : { status: 'ok', reason: null },
    );
  }
  const requests = [];
  const line = { silent: false, refused: 0 };
  const lists = context(scene, missing);

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://x');
    requests.push(url.pathname + url.search);
    const json = (body, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const root = '/v1/sessions/ES/2026-01-06';
    if (url.pathname === '/v1/sessions')
      return json({
        sessions: [
          {
            symbol: 'ES',
            dt: '2026-01-06',
            data_version: manifest.data_version,
            provenance: 'simulated',
            surfaces: {},
          },
        ],
        cursor: null,
      });
    if (url.pathname === root) return json(manifest);
    if (line.refused && url.pathname.includes('analogues')) return json({ code: 'some_code' }, line.refused);
    if (url.pathname === '/v1/analogues') return json(analogues(url.searchParams));
    if (url.pathname === '/v1/analogues/paths') return json(analoguePaths(scene, url.searchParams));
    if (url.pathname.startsWith(`${root}/tiles/`)) {
      const name = url.pathname.split('/').pop();
      const lod = Number(url.searchParams.get('lod') ?? 1);
      const [from, to] = [
        Number(url.searchParams.get('from')),
        Math.min(scene.seconds, Number(url.searchParams.get('to'))),
      ];
      response.writeHead(200, { 'content-type': 'application/vnd.apache.arrow.stream' });
      return response.end(tile(scene, name, from, to, lod));
    }
    if (url.pathname.startsWith(`${root}/`)) {
      const body = lists(url.pathname.slice(root.length + 1), url.searchParams);
      return body ? json(body) : json({ code: 'unavailable' }, 404);
    }
    try {
      const path = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
      const body = await readFile(join(STATIC, path));
      response.writeHead(200, {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': CSP,
      });
      response.end(body);
    } catch {
      json({ code: 'not_found' }, 404);
    }
  });
  const sockets = new WebSocketServer({ server, path: '/v1/stream', handleProtocols: () => 'spymaster.arrow.v1' });
  sockets.on('connection', (socket) => serve(socket, scene, manifest, missing, line));
  await new Promise((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}/`,
    scene,
    requests,
    /** Connected, but nothing comes any more. */
    setSilent: (on) => {
      line.silent = on;
    },
    /** Questions for analogues are answered with this status; 0: as they should be. */
    refuseAnalogues: (status) => {
      line.refused = status;
    },
    dropSockets: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const CSP =
  "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Coarser levels take the last second of each group: enough to draw; pooling is tested on fixtures. */
function tile(scene, name, from, to, lod) {
  if (lod === 1)
    return streamBytes(
      Int32Array.from({ length: to - from }, (_, i) => from + i),
      surfaceRows(scene, name, from, to),
    );
  const secs = [];
  for (let s = from; s < to; s += lod) secs.push(s);
  const parts = secs.map((s) => surfaceRows(scene, name, Math.min(to, s + lod) - 1, Math.min(to, s + lod)));
  const columns = {};
  for (const key of Object.keys(parts[0])) {
    const { values, size } = parts[0][key];
    const all = new values.constructor(values.length * parts.length);
    parts.forEach((part, i) => {
      all.set(part[key].values, i * values.length);
    });
    columns[key] = { values: all, size };
  }
  return streamBytes(Int32Array.from(secs), columns);
}

function serve(socket, scene, manifest, missing, line) {
  const state = { epoch: 0, seq: 0, sec: 0, speed: 1, playing: false, surfaces: [], timer: null, last: 0, credit: 0 };
  const say = (message) => socket.send(JSON.stringify(message));
  const tell = (id = null) =>
    say({
      type: 'state',
      id,
      epoch: state.epoch,
      clock: state.sec >= scene.seconds ? 'ended' : state.playing ? 'playing' : 'paused',
      sec: state.sec,
      speed: state.speed,
      base_sec: state.sec,
      base_mono_ns: '0',
    });
  const send = (from, count, history) => {
    const segments = state.surfaces.map((name) => {
      const secs = Int32Array.from({ length: count }, (_, i) => from + i);
      return {
        id: IDS[name],
        rows: count,
        bytes: messagesOf(streamBytes(secs, surfaceRows(scene, name, from, from + count))).batch,
      };
    });
    socket.send(
      frameBytes({
        kind: count === 1 ? 2 : 3,
        flags: history ? 1 : 0,
        epoch: state.epoch,
        seq: state.seq++,
        tsNs: T0 + BigInt(from + count) * 1000000000n,
        sec: from,
        count,
        segments,
      }),
    );
  };
  const begin = (from, bootstrap, id) => {
    state.epoch += 1;
    state.seq = 0;
    state.sec = from;
    say({
      type: 'subscribed',
      id,
      epoch: state.epoch,
      mode: 'replay',
      data_version: manifest.data_version,
      sec_first: 0,
      sec_last: scene.seconds - 1,
      surfaces: [],
    });
    const segments = state.surfaces.map((name) => ({
      id: IDS[name],
      rows: 0,
      bytes: messagesOf(streamBytes(Int32Array.of(0), surfaceRows(scene, name, 0, 1))).schema,
    }));
    socket.send(frameBytes({ kind: 1, epoch: state.epoch, seq: state.seq++, segments }));
    for (let s = Math.max(0, from - bootstrap); s < from; s += 300) send(s, Math.min(300, from - s), true);
    tell();
  };
  const tick = () => {
    if (line.silent || !state.playing || state.sec >= scene.seconds) return;
    const bundle = Math.max(1, Math.ceil(state.speed / 20));
    const due = Math.floor(((performance.now() - state.last) / 1000) * state.speed);
    if (due < 1) return;
    state.last += (due / state.speed) * 1000;
    for (let left = Math.min(due, scene.seconds - state.sec); left > 0; left -= bundle) {
      const count = Math.min(bundle, left);
      send(state.sec, count, false);
      state.sec += count;
    }
    if (state.sec >= scene.seconds) {
      say({ type: 'eos', sec: scene.seconds - 1 });
      tell();
    }
  };
  say({
    type: 'hello',
    server_version: 'double',
    bundle_version: null,
    protocol: 'spymaster.arrow.v1',
    limits: {},
    auth_expires: null,
  });
  state.timer = setInterval(tick, 20);
  socket.on('close', () => clearInterval(state.timer));
  socket.on('message', (raw) => {
    const message = JSON.parse(String(raw));
    if (message.type === 'subscribe') {
      state.surfaces = message.surfaces
        .filter((name) => name in IDS && !missing.has(name))
        .sort((a, b) => IDS[a] - IDS[b]);
      state.speed = message.speed;
      state.playing = message.play;
      state.last = performance.now();
      begin(message.from === 'start' ? 0 : message.from, message.bootstrap, message.id);
    } else if (message.type === 'seek') begin(message.sec, message.bootstrap, message.id);
    else if (message.type === 'play') {
      state.playing = true;
      state.last = performance.now();
      tell(message.id);
    } else if (message.type === 'pause') {
      state.playing = false;
      tell(message.id);
    } else if (message.type === 'speed') {
      state.speed = message.value;
      state.last = performance.now();
      tell(message.id);
    } else if (message.type === 'step') {
      const count = Math.min(message.n, scene.seconds - state.sec);
      if (count > 0) {
        send(state.sec, count, false);
        state.sec += count;
      }
      tell(message.id);
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startSidecar({
    port: Number(process.argv[2] ?? 8799),
    missing: (process.argv[3] ?? '').split(',').filter(Boolean),
  });
  console.log(url);
}
