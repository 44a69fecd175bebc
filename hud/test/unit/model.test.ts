import { describe, expect, it } from 'vitest';
import { moveCursor } from '../../src/a11y/cursor.ts';
import { initialState } from '../../src/core/store.ts';
import { gateFor } from '../../src/core/timegate.ts';
import { NO_TICK } from '../../src/core/units.ts';
import { parseAnalogues, wilson, withPaths } from '../../src/model/analogues.ts';
import { barFromSeconds, barStart, candlesIn, parseCandles } from '../../src/model/candles.ts';
import { boxes, neighbour, outcomeOf, parseEpisodes } from '../../src/model/episodes.ts';
import { knownEvidence, knownIntensity, parseEvidence, parseIntensity } from '../../src/model/evidence.ts';
import { levelName, parseLevels, railRows } from '../../src/model/levels.ts';
import { StreamPooler } from '../../src/model/pooler.ts';
import { NOT_LOADED, SessionData } from '../../src/model/session.ts';
import { wantedTiles } from '../../src/model/tiles.ts';
import { met, stateName, thesis } from '../../src/panels/mechanics.ts';
import { nextSpeed } from '../../src/panels/transport.ts';
import { FrameBudget, Scheduler } from '../../src/render/scheduler.ts';
import { parseManifest } from '../../src/wire/manifest.ts';
import { keyText } from '../../src/wire/messages.ts';
import { json } from '../contract/fixtures.ts';

const manifest = (change: object = {}) => {
  const base = json('manifest.json');
  return parseManifest({
    ...base,
    seconds: 1000,
    half_ticks: 3,
    t0_ns: '1767708000000000000',
    surfaces: base.surfaces.map((s: object) => ({ ...s, status: 'ok' })),
    ...change,
  });
};
const replay = (now: number) => gateFor('replay', now, 999);

function traded(seconds: number): SessionData {
  const data = new SessionData(manifest());
  const at = (f: (s: number) => number): Int32Array => Int32Array.from({ length: seconds }, (_, s) => f(s));
  data.ingest(1, 0, seconds, {
    snap: {
      rows: seconds,
      columns: {
        spot_tick: at(() => 100),
        open_tick: at((s) => (s === 7 ? NO_TICK : 100 + s)),
        high_tick: at((s) => (s === 7 ? NO_TICK : 102 + s)),
        low_tick: at((s) => (s === 7 ? NO_TICK : 99 + s)),
        last_tick: at((s) => 101 + s),
        state: new Uint8Array(seconds).fill(3),
        flags: new Uint8Array(seconds),
      },
    },
  });
  return data;
}

describe('Candles', () => {
  it('start at whole two minutes of the clock', () => {
    expect(barStart(0, 1767708000000000000n)).toBe(0);
    expect(barStart(119, 1767708000000000000n)).toBe(0);
    expect(barStart(0, 1767708030000000000n)).toBe(-30);
    expect(barStart(90, 1767708030000000000n)).toBe(90);
  });
  it('form from the trades of seconds that are known, and no others', () => {
    const data = traded(240);
    expect(barFromSeconds(data, 0, 9)).toMatchObject({
      open: 100,
      high: 111,
      low: 99,
      close: 110,
      closed: false,
      approximate: false,
    });
    expect(barFromSeconds(data, 0, 400)).toMatchObject({ high: 221, close: 220, closed: true });
    expect(barFromSeconds(data, 240, 400)).toBeNull();
  });
  it('of the table are used only after their close', () => {
    const table = parseCandles({
      candles: [
        { from: 0, to: 120, open_tick: 1, high_tick: 2, low_tick: 0, close_tick: 2 },
        { from: 120, to: 240, open_tick: null },
      ],
    });
    expect(table).toHaveLength(1);
    const data = traded(240);
    expect(candlesIn(data, table, replay(118), 0, 500)[0]!.open).toBe(100);
    expect(candlesIn(data, table, replay(119), 0, 500)[0]!.open).toBe(1);
  });
});

describe('Levels rail', () => {
  const levels = parseLevels({
    levels: [
      {
        level_id: 'a',
        level_type: 'PMH',
        price_tick: 120,
        valid_from: 50,
        valid_to: null,
        group_id: 'g',
      },
      {
        level_id: 'b',
        level_type: 'ONH',
        price_tick: 121,
        valid_from: 60,
        valid_to: null,
        group_id: 'g',
      },
      { level_id: 'c', level_type: 'PDC', price_tick: 90, valid_from: 0, valid_to: 100, group_id: 'h' },
      { level_id: 'd', level_type: 'ROUND25', price_tick: 100, valid_from: 0, valid_to: null, group_id: 'i' },
      { level_id: 'e', level_type: 'ROUND50', price_tick: 121, valid_from: 0, valid_to: null, group_id: 'g' },
      { level_id: 'f', level_type: 'GEXCW', price_tick: 121, valid_from: 50, valid_to: 65, group_id: 'g' },
      { level_id: 'q', level_type: 'PML', price_tick: 116, valid_from: 50, valid_to: 75, group_id: 'g' },
      { level_id: 'p', level_type: 'PMH', price_tick: 77, valid_from: 0, valid_to: null, is_placebo: true },
    ],
  });
  it('never takes placebos', () => expect(levels.map((l) => l.id)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'q']));
  it('shows merged groups once, named by what still holds, the best known first and at its price', () => {
    expect(railRows(levels, replay(70), 70, 100)).toEqual([
      { names: ['PM High', 'Overnight High'], also: ['Round 50'], tick: 120, ticks: 20, nearest: false },
      { names: ['PM Low'], also: [], tick: 116, ticks: 16, nearest: true },
      { names: ['Prior Close'], also: [], tick: 90, ticks: -10, nearest: true },
    ]);
  });
  it('shows a level only from the second it is valid, and no longer than it is', () => {
    expect(railRows(levels, replay(49), 49, 100).map((r) => r.tick)).toEqual([90]);
    expect(railRows(levels, replay(100), 100, NO_TICK)).toMatchObject([{ tick: 120, ticks: null, nearest: false }]);
  });
  it('names levels in words', () => {
    expect(['ORH15', 'PDL', 'SMA400', 'GEXPW', 'RVWAP_M2', 'XYZ'].map(levelName)).toEqual([
      'OR15 High',
      'Prior Low',
      'SMA 400',
      'Put wall',
      'RTH VWAP −2σ',
      'XYZ',
    ]);
  });
});

describe('Approach episodes', () => {
  const episodes = parseEpisodes({
    episodes: [
      {
        episode_id: 'c',
        kind: 'candle',
        trigger: 239,
        decision: 479,
        outcome: 'break',
        outcome_at: 839,
        level_types: ['PMH'],
      },
      { episode_id: 't', kind: 'touch', trigger: 100, decision: 102, outcome: 'reject', outcome_at: 220 },
      { episode_id: 'p', kind: 'touch', trigger: 1, decision: 2, is_placebo: true },
    ],
  });
  it('are ordered by decision, without placebos', () => expect(episodes.map((e) => e.id)).toEqual(['t', 'c']));
  it('have no outcome before its time', () => {
    expect(outcomeOf(episodes[0]!, replay(219))).toBeNull();
    expect(outcomeOf(episodes[0]!, replay(220))).toBe('reject');
  });
  it('have a look-back box of six bars that ends at the decision and a look-forward box of three', () => {
    expect(boxes(episodes[0]!, replay(999))).toBeNull();
    expect(boxes(episodes[1]!, replay(800))).toEqual({ back: [480 - 720, 480], forward: [480, 840], elapsed: false });
    expect(boxes(episodes[1]!, replay(839))!.elapsed).toBe(true);
  });
  it('are found forwards and backwards among the known', () => {
    expect(neighbour(episodes, replay(300), 0, 1)?.id).toBe('t');
    expect(neighbour(episodes, replay(300), 150, 1)).toBeNull();
    expect(neighbour(episodes, replay(900), 500, -1)?.id).toBe('c');
  });
});

describe('Analogues', () => {
  const body = (revealed: boolean, sessions: number | null = 9) => ({
    revealed,
    answers: [
      {
        result: { query_id: 'q', n_sessions: sessions, p_break: 0.4, p0_break: 0.3, p_chop: 0.2 },
        neighbours: [{ rank: 1, distance: 0.2, outcome: 'break', t_hit_s: 4, mfe_ticks: 1, level_types: ['PMH'] }],
      },
    ],
  });
  it('carry neither outcome nor probability unless revealed', () => {
    const [answer] = parseAnalogues(body(false)).answers;
    expect(answer!.neighbours[0]).toMatchObject({ outcome: null, hit: null, moves: null });
    expect(answer!.odds.size).toBe(0);
  });
  it('show a probability only beside its base rate and the number of days', () => {
    expect([...parseAnalogues(body(true)).answers[0]!.odds.keys()]).toEqual(['break']);
    expect(parseAnalogues(body(true, null)).answers[0]!.odds.size).toBe(0);
  });
  it('take the paths of their own answer only', () => {
    const asked = parseAnalogues(body(true));
    const paths = (query_id: string) => ({
      query_id,
      first_s: -1,
      last_s: 1,
      paths: [{ rank: 1, ticks: [1, null, 2] }],
    });
    expect(withPaths(asked, paths('q')).answers[0]!.neighbours[0]!.path).toEqual([1, Number.NaN, 2]);
    expect(withPaths(asked, paths('other')).answers[0]!.neighbours[0]!.path).toEqual([]);
  });
  it('bound counts by the interval of Wilson', () => {
    const [low, high] = wilson(5, 10);
    expect(low).toBeCloseTo(0.2366, 3);
    expect(high).toBeCloseTo(0.7634, 3);
    expect(wilson(0, 0)).toEqual([0, 1]);
  });
});

describe('Evidence panel', () => {
  it('knows a test only from the end of the last data it used', () => {
    const rows = parseEvidence({
      evidence: [
        { test_row_id: 'a', available_from: 10, verdict: 'supported' },
        { test_row_id: 'b', verdict: 'certain' },
      ],
    });
    expect(knownEvidence(rows, replay(9))).toEqual([]);
    expect(knownEvidence(rows, replay(10)).map((r) => r.id)).toEqual(['a']);
    expect(rows[1]!.verdict).toBe('none');
  });
  it('knows a minute of intensity once it is over, and leaves gaps open', () => {
    const rows = parseIntensity({
      intensity: [
        { from: 0, share: 0.04, usual: 0.03 },
        { from: 60, share: null, usual: null },
        { from: 180, share: 0.06, usual: 0.03 },
      ],
    });
    expect(knownIntensity(rows, replay(58), 90)).toEqual([]);
    expect(knownIntensity(rows, replay(59), 90).map((row) => row.share)).toEqual([0.04]);
    expect(knownIntensity(rows, replay(238), 90).map((row) => row.from)).toEqual([0, 60]);
    const all = knownIntensity(rows, replay(239), 90);
    expect(all.map((row) => row.share)).toEqual([0.04, Number.NaN, Number.NaN, 0.06]);
    expect(knownIntensity(rows, replay(239), 2).map((row) => row.from)).toEqual([120, 180]);
  });
});

describe('Mechanics card', () => {
  it('names states and what the thesis makes of them', () => {
    expect([15, 12, 3, 0, 5].map(stateName)).toEqual(['both vacuum', 'ask vacuum', 'bid vacuum', 'build', 'mixed']);
    expect(thesis(15, 'up')).toBe('reject');
    expect([thesis(12, 'up'), thesis(12, 'down'), thesis(3, 'down')]).toEqual(['break', 'chop', 'break']);
    expect(met(0b1011)).toBe(3);
  });
});

describe('arrived data', () => {
  it('keeps "not arrived" apart from "missing"', () => {
    const data = traded(10);
    expect(data.state(9)).toBe(3);
    expect(data.state(10)).toBe(NOT_LOADED);
    const cells = data.cells.get('wall.depth')!;
    expect(cells.loaded(1, 0)).toBe(false);
    data.ingest(1, 0, 2, {
      wall: {
        rows: 2,
        columns: { depth: new Uint8Array(14), net_flow: new Uint8Array(14), rest_share: new Uint8Array(14) },
      },
    });
    expect([0, 1, 2].map((s) => cells.loaded(1, s))).toEqual([true, true, false]);
    expect(data.complete(1, 0, 1, ['wall.depth'])).toBe(true);
    expect(data.complete(1, 0, 2, ['wall.depth'])).toBe(false);
  });
  it('forgets the oldest tiles over its bound', () => {
    const cells = traded(1).cells.get('wall.depth')!;
    for (let tile = 0; tile < 60; tile++) cells.write(1, tile * 1024, 1, new Uint8Array(7).fill(9));
    expect(cells.trim()).toHaveLength(12);
    expect([cells.code(1, 0, 0), cells.code(1, 59 * 1024, 0)]).toEqual([0, 9]);
  });
  it('finds the last spot, but not from long ago', () => {
    const data = traded(10);
    expect(data.lastSpot(300)).toBe(100);
    expect(data.lastSpot(900)).toBe(NO_TICK);
  });
});

describe('pooling of the stream', () => {
  it('hands out a group once its last second has come, and none with a hole', () => {
    const pooler = new StreamPooler(7, 1000, [
      { surface: 'wall', name: 'depth', transfer: { fn: 'signed_log', c: 10, max: 20000 }, pool: 'max' },
    ]);
    const add = (sec: number, spot: number, code: number) =>
      pooler.add(sec, 1, {
        snap: {
          rows: 1,
          columns: { spot_tick: Int32Array.of(spot), state: Uint8Array.of(3), flags: Uint8Array.of(1 << (sec % 4)) },
        },
        wall: { rows: 1, columns: { depth: Uint8Array.of(0, 0, 0, 128, 0, 0, code) } },
      });
    expect([add(0, 10, 200), add(1, 10, 0), add(2, 10, 0)].flat()).toEqual([]);
    const [group] = add(3, 11, 140);
    expect(group).toMatchObject({ lod: 4, first: 0, count: 1 });
    expect([...(group!.blocks.wall!.columns.depth as Uint8Array)]).toEqual([0, 0, 128, 128, 0, 200, 140]);
    expect(group!.blocks.snap!.columns.flags).toEqual(Uint8Array.of(15));
    add(4, 11, 1);
    expect([add(6, 11, 1), add(7, 11, 1)].flat()).toEqual([]);
  });
});

describe('tiles', () => {
  it('come coarse first, then sharp, then around, each once', () => {
    const state = initialState();
    Object.assign(state, { now: 900, view: { ...state.view, x0: 100, pxPerSec: 1 } });
    const keys = wantedTiles(manifest(), state, 600, new Set());
    expect(keys.map(keyText).slice(0, 6)).toEqual([
      'snap|16|0|',
      'wall|16|0|',
      'vacuum|16|0|',
      'snap|1|0|',
      'wall|1|0|',
      'vacuum|1|0|',
    ]);
    expect(new Set(keys.map(keyText)).size).toBe(keys.length);
    expect(wantedTiles(manifest(), state, 600, new Set(keys.map(keyText)))).toEqual([]);
  });
  it('come for the second under the cursor, too, whatever the level drawn', () => {
    const long = manifest({ seconds: 9000 });
    const state = { ...initialState(), now: 8999, cursor: { sec: 2100, tick: 0 } };
    state.view = { x0: 0, pxPerSec: 0.05, yMid: 0, pxPerTick: 8 };
    const keys = wantedTiles(long, state, 450, new Set()).map(keyText);
    expect(keys).toContain('wall|1|2|');
    expect(wantedTiles(long, { ...state, cursor: null }, 450, new Set()).map(keyText)).not.toContain('wall|1|2|');
  });
});

describe('small things', () => {
  it('steps through the speeds and stops at the ends', () => {
    expect([nextSpeed(1, 1), nextSpeed(1, -1), nextSpeed(100, 1), nextSpeed(0.25, -1), nextSpeed(3, 1)]).toEqual([
      2, 0.5, 100, 0.25, 5,
    ]);
  });
  it('keeps the data cursor inside what is known', () => {
    expect(moveCursor({ sec: 9, tick: 5 }, 'ArrowRight', replay(9))).toEqual({ sec: 9, tick: 5 });
    expect(moveCursor({ sec: 0, tick: 5 }, 'ArrowLeft', replay(9))).toEqual({ sec: 0, tick: 5 });
    expect(moveCursor({ sec: 3, tick: 5 }, 'x', replay(9))).toBeNull();
  });
  it('draws once for many changes, and not at all for none', () => {
    const drawn: number[] = [];
    let frame: (() => void) | null = null;
    const scheduler = new Scheduler(
      (dirty) => drawn.push(dirty),
      (callback) => {
        frame = callback;
      },
    );
    scheduler.mark(0);
    expect(frame).toBeNull();
    scheduler.mark(1);
    scheduler.mark(4);
    frame!();
    expect(drawn).toEqual([5]);
  });
  it('calls drawing slow by the median of eight frames', () => {
    const budget = new FrameBudget(50);
    for (const ms of [60, 60, 60, 60, 60, 60, 60]) budget.add(ms);
    expect(budget.slow).toBe(false);
    budget.add(10);
    expect(budget.slow).toBe(true);
    for (let i = 0; i < 5; i++) budget.add(10);
    expect(budget.slow).toBe(false);
  });
});
