/** A made-up session for tests of the page: every surface has data, every panel has items. Deterministic. */
const SECONDS = 7200;
const HALF = 200;
const WIDTH = 2 * HALF + 1;
const BASE = 27190; // 6797.50 in ticks of 0.25
const LEVEL = 27200; // 6800.00
export const STRIKES = 25;
export const RUNGS = 81;

function random(seed) {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 4294967296;
  };
}
const clamp = (x, a, b) => Math.min(b, Math.max(a, x));
export const signedLog = (x, c = 10, max = 20000) =>
  x === 0
    ? 128
    : 128 + Math.sign(x) * clamp(Math.floor((127 * Math.log1p(Math.abs(x) / c)) / Math.log1p(max / c) + 0.5), 1, 127);

/** Deterministic noise in 0..1 of two integers. */
function hash(a, b) {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x27d4eb2f);
  return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
}

/** Measures of the four conditions, and a state as the table writes it: the first of its conditions is worth 8. */
const moveZ = (s, i) => 3 * Math.sin(s / 45 + i * 0.9);
const moveState = (s, order) => order.reduce((bits, i, k) => bits | (moveZ(s, i) > 1 ? 8 >> k : 0), 0);

export function makeScene(options = {}) {
  const seconds = options.seconds ?? SECONDS;
  const rand = random(options.seed ?? 7);
  const spot = new Int32Array(seconds);
  let price = BASE - 30;
  for (let s = 0; s < seconds; s++) {
    const target =
      s < 1800 ? BASE - 10 : s < 2700 ? LEVEL - 4 : s < 3000 ? LEVEL + 6 : s < 4200 ? LEVEL - 40 : LEVEL + 30;
    price += (target - price) * 0.002 + (rand() - 0.5) * 1.6;
    spot[s] = Math.round(price);
  }
  const snap = Object.fromEntries(
    [
      'bid_tick',
      'ask_tick',
      'last_tick',
      'bid_qty',
      'ask_qty',
      'open_tick',
      'high_tick',
      'low_tick',
      'buy_vol',
      'sell_vol',
    ].map((name) => [name, new Int32Array(seconds)]),
  );
  const state = new Uint8Array(seconds).fill(3);
  const flags = new Uint8Array(seconds);
  for (let s = 900; s < 930; s++) state[s] = 2;
  for (let s = 1500; s < 1506; s++) state[s] = 0;
  for (let s = 3300; s < 3310; s++) flags[s] = 128;
  const depth = new Uint8Array(seconds * WIDTH);
  const flow = new Uint8Array(seconds * WIDTH);
  const rest = new Uint8Array(seconds * WIDTH);
  const score = new Uint8Array(seconds * WIDTH);
  const net = new Uint8Array(seconds * WIDTH);
  const lots = (tick, s) => {
    const minute = Math.floor(s / 40);
    let q = 30 + 90 * hash(tick, minute) ** 3;
    if (tick % 20 === 0) q *= 3.2;
    if (tick === LEVEL + 8) q = 60 + Math.min(900, Math.max(0, s - 1200) * 0.7);
    if (tick === LEVEL - 60) q = 500;
    return q;
  };
  for (let s = 0; s < seconds; s++) {
    const at = spot[s];
    Object.assign(snap, {});
    snap.bid_tick[s] = at - 1;
    snap.ask_tick[s] = at;
    snap.last_tick[s] = at;
    snap.bid_qty[s] = 20 + Math.floor(80 * hash(at, s));
    snap.ask_qty[s] = 20 + Math.floor(80 * hash(at + 1, s));
    const before = spot[Math.max(0, s - 1)];
    snap.open_tick[s] = before;
    snap.high_tick[s] = Math.max(before, at) + (hash(s, 1) > 0.8 ? 1 : 0);
    snap.low_tick[s] = Math.min(before, at) - (hash(s, 2) > 0.8 ? 1 : 0);
    snap.buy_vol[s] = Math.floor(60 * hash(s, 3));
    snap.sell_vol[s] = Math.floor(60 * hash(s, 4));
    if (state[s] !== 3) continue;
    for (let i = 0; i < WIDTH; i++) {
      const rel = i - HALF;
      const tick = at + rel;
      const side = rel >= 0 ? 1 : -1;
      const near = Math.abs(rel) < 2 ? 0.5 : 1;
      const q = lots(tick, s) * near * (Math.abs(rel) > 120 ? 0.35 : 1);
      const k = s * WIDTH + i;
      const thin = rel <= -9 && rel >= -13 && s % 1200 > 500;
      depth[k] = signedLog(thin ? 3 : Math.round(q) * side);
      const drift = tick === LEVEL + 8 ? 20 : (hash(tick, Math.floor(s / 7)) - 0.5) * 60;
      flow[k] = signedLog(Math.round(drift));
      rest[k] = 1 + Math.round(254 * hash(tick, 99));
      if (Math.abs(rel) <= 20) {
        const wave = 0.5 + 0.35 * Math.sin(s / 60 + rel / 3) * hash(tick, Math.floor(s / 15));
        score[k] = 1 + Math.round(254 * clamp(thin ? 0.9 : wave, 0, 1));
      }
      if (Math.abs(rel) <= 80) {
        const bucket = Math.floor(tick / 4);
        const pull = tick <= LEVEL + 4 ? 0.6 : -0.7;
        net[k] =
          128 + Math.round(127 * clamp(pull * hash(bucket, Math.floor(s / 30)) * Math.exp(-Math.abs(rel) / 40), -1, 1));
      }
    }
  }
  return {
    seconds,
    half: HALF,
    width: WIDTH,
    base: spot[0],
    level: LEVEL,
    spot,
    snap,
    state,
    flags,
    depth,
    flow,
    rest,
    score,
    net,
    lots,
    hash,
  };
}

/** Rows `[from, to)` of a surface as plain arrays (lists flattened with their length). */
export function surfaceRows(scene, name, from, to) {
  const n = to - from;
  const { hash } = scene;
  const f32 = (size, at) => {
    const out = new Float32Array(n * size);
    for (let r = 0; r < n; r++) for (let i = 0; i < size; i++) out[r * size + i] = at(from + r, i);
    return { values: out, size };
  };
  const i32 = (size, at) => {
    const out = new Int32Array(n * size);
    for (let r = 0; r < n; r++) for (let i = 0; i < size; i++) out[r * size + i] = at(from + r, i);
    return { values: out, size };
  };
  const cells = (all) => ({ values: all.slice(from * scene.width, to * scene.width), size: scene.width });
  const bad = (s) => scene.state[s] !== 3;
  switch (name) {
    case 'snap':
      return {
        spot_tick: { values: scene.spot.slice(from, to) },
        ...Object.fromEntries(Object.entries(scene.snap).map(([key, all]) => [key, { values: all.slice(from, to) }])),
        state: { values: scene.state.slice(from, to) },
        flags: { values: scene.flags.slice(from, to) },
      };
    case 'wall':
      return { depth: cells(scene.depth), net_flow: cells(scene.flow), rest_share: cells(scene.rest) };
    case 'vacuum':
      return { score: cells(scene.score) };
    case 'pressure':
      return { net: cells(scene.net) };
    case 'bands': {
      const wave = (s, i) =>
        bad(s) ? Number.NaN : clamp(0.5 + 0.4 * Math.sin(s / (20 + i) + i) + 0.1 * (hash(s, i) - 0.5), 0, 1);
      return {
        cells: f32(32, (s, i) => (i === 28 ? 0 : wave(s, i))),
        scores: f32(3, (s, i) => wave(s, 40 + i)),
        scores_d1: f32(3, (s, i) => (bad(s) ? Number.NaN : 0.02 * Math.cos(s / (60 + i)))),
      };
    }
    case 'moves':
      return {
        z: f32(6, moveZ),
        d1: f32(6, (s, i) => 0.2 * Math.cos(s / 45 + i * 0.9)),
        soft_and: f32(1, (s) => Math.sin(s / 45)),
        drive_dn: f32(1, (s) => Math.cos(s / 70)),
        state_dn: { values: Uint8Array.from({ length: n }, (_, r) => moveState(from + r, [0, 1, 2, 3])) },
        state_up: { values: Uint8Array.from({ length: n }, (_, r) => moveState(from + r, [2, 3, 0, 1])) },
        valid: { values: new Uint8Array(n).fill(1) },
      };
    case 'gex': {
      const strike = (s, i) => Math.round(scene.spot[s] / 20) * 20 + (i - 12) * 20;
      const call = (s, i) => 9e6 * hash(strike(s, i), 5) * (strike(s, i) > scene.spot[s] ? 1 : 0.3);
      const put = (s, i) => -9e6 * hash(strike(s, i), 6) * (strike(s, i) < scene.spot[s] ? 1 : 0.3);
      return {
        strike_tick: i32(STRIKES, strike),
        call: f32(STRIKES, call),
        put: f32(STRIKES, put),
        net: f32(STRIKES, (s, i) => call(s, i) + put(s, i)),
        share: f32(STRIKES, (s, i) => (call(s, i) - put(s, i)) / 1e8),
        flow: f32(STRIKES, (s, i) => 4e6 * (hash(strike(s, i), Math.floor(s / 60)) - 0.5)),
      };
    }
    case 'ladder': {
      const q = (s, i) => Math.round(scene.lots(scene.spot[s] + i - 40, s));
      return {
        bid: i32(RUNGS, (s, i) => (i < 40 ? q(s, i) : 0)),
        ask: i32(RUNGS, (s, i) => (i >= 40 ? q(s, i) : 0)),
        add: i32(RUNGS, (s, i) => Math.floor(40 * hash(s, i + 200))),
        pull: i32(RUNGS, (s, i) => Math.floor(40 * hash(s, i + 300))),
        fill: i32(RUNGS, (s, i) => (Math.abs(i - 40) < 2 ? Math.floor(20 * hash(s, i)) : 0)),
      };
    }
    case 'reading':
      return {
        above: {
          values: Array.from(
            { length: n },
            () =>
              'Above: long outpaces short to 6801; at 6802 resting sells are 9.3x the median and building. PM High 6800 is 4 ticks up.',
          ),
        },
        below: {
          values: Array.from({ length: n }, () => 'Below: no wall within 20 ticks; thin from 6797.50 to 6796.75.'),
        },
        moves: {
          values: Array.from({ length: n }, () => 'Down: 3 of 4 met, strongest ask retreat, weakest bid net pull.'),
        },
        facts: { values: Array.from({ length: n }, () => '{}') },
      };
    default:
      return null;
  }
}
