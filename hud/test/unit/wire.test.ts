import { describe, expect, it } from 'vitest';
import { actionFor, BINDINGS } from '../../src/core/keymap.ts';
import { initialState, Store } from '../../src/core/store.ts';
import { TimeLabels } from '../../src/core/time.ts';
import { asOf, gateFor, mayKnow, maySee, maySeeGroup } from '../../src/core/timegate.ts';
import { formatScore, isDrawn, windowReason } from '../../src/core/units.ts';
import { fromHash, toHash } from '../../src/core/url.ts';
import type { TileKey } from '../../src/wire/messages.ts';
import { TileScheduler } from '../../src/wire/tiles.ts';

describe('time gate', () => {
  const replay = gateFor('replay', 100, 999);
  it('shows nothing after the present in replay, everything in review', () => {
    expect([99, 100, 101, -1].map((s) => maySee(replay, s))).toEqual([true, true, false, false]);
    expect(maySee(gateFor('review', 100, 999), 999)).toBe(true);
  });
  it('shows a pooled group only once its last member is known', () => {
    expect(maySeeGroup(replay, 5, 16, 1000)).toBe(true); // 80..95
    expect(maySeeGroup(replay, 6, 16, 1000)).toBe(false); // 96..111
    expect(maySeeGroup(gateFor('replay', 999, 999), 62, 16, 1000)).toBe(true); // the last group is short
  });
  it('never knows an item without a time', () => {
    expect(mayKnow(replay, null)).toBe(false);
    expect(mayKnow(replay, 100)).toBe(true);
    expect(mayKnow(replay, 101)).toBe(false);
  });
  it('asks as of the present, except in review', () => {
    expect(asOf(replay)).toBe(100);
    expect(asOf(gateFor('review', 100, 999))).toBeUndefined();
  });
});

describe('keys', () => {
  const press = (key: string, mods: Partial<Record<'shiftKey' | 'altKey' | 'ctrlKey' | 'metaKey', boolean>> = {}) =>
    actionFor({ key, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...mods });
  it('reaches every action by the key that the help shows', () => {
    for (const binding of BINDINGS) {
      expect(
        press(binding.key, { shiftKey: binding.shift ?? false, altKey: binding.alt ?? false }),
        binding.label,
      ).toBe(binding.action);
    }
  });
  it('has no key twice', () => {
    const all = BINDINGS.map((b) => `${b.key}|${b.shift ?? false}|${b.alt ?? false}`);
    expect(new Set(all).size).toBe(all.length);
  });
  it('tells arrows apart by their modifiers, ignores Ctrl and reads letters in either case', () => {
    expect(press('ArrowRight')).toBe('forward1');
    expect(press('ArrowRight', { shiftKey: true })).toBe('forward10');
    expect(press('ArrowRight', { altKey: true })).toBe('forwardCandle');
    expect(press('a')).toBe('anchor');
    expect(press('s', { ctrlKey: true })).toBeNull();
    expect(press('?', { shiftKey: true })).toBe('help');
  });
});

describe('link', () => {
  it('shares session, time, view, layers and survives rubbish', () => {
    const state = initialState();
    Object.assign(state, {
      now: 55,
      anchor: 'spot',
      theme: 'light',
      zone: 'utc',
      view: { x0: 12, pxPerSec: 2, yMid: -3.5, pxPerTick: 8 },
    });
    state.layers = { wall: true, vacuum: false, pressure: true };
    state.vacuumContour = true;
    const { session, change } = fromHash(toHash('ES/2026-01-06', state));
    expect(session).toBe('ES/2026-01-06');
    expect(change).toEqual({
      now: 55,
      anchor: 'spot',
      theme: 'light',
      zone: 'utc',
      view: { x0: 12, pxPerSec: 2, yMid: -3.5, pxPerTick: 8 },
      layers: state.layers,
      vacuumContour: true,
    });
    expect(fromHash('#s=../etc&t=-4&x=a,b&a=up&th=pink')).toEqual({ session: null, change: {} });
  });
});

describe('store', () => {
  it('tells listeners what is dirty, and nothing where nothing differs', () => {
    const store = new Store();
    const seen: number[] = [];
    const stop = store.subscribe((_, dirty) => seen.push(dirty));
    store.set({ now: 5 }, 1);
    store.set({ now: 5 }, 2);
    stop();
    store.set({ now: 6 }, 4);
    expect(seen).toEqual([1]);
  });
});

describe('words', () => {
  it('shows a missing score as a dash, never as zero', () => {
    expect([
      formatScore(null),
      formatScore(Number.NaN),
      formatScore(0),
      formatScore(-0.004),
      formatScore(-0.5),
      formatScore(0.5, 1, true),
    ]).toEqual(['—', '—', '0.00', '0.00', '−0.50', '+0.5']);
  });
  it('names why a window is not drawn', () => {
    expect(isDrawn(3, 0)).toBe(true);
    expect(isDrawn(3, 1 | 8 | 32)).toBe(true);
    expect(isDrawn(3, 128)).toBe(false);
    expect(windowReason(0, 0)).toBe('no window');
    expect(windowReason(3, 128 | 4)).toBe('window not valid, crossed book');
  });
});

describe('clock', () => {
  // 2026-01-06 14:00:00 UTC: the first window ends one second later.
  const labels = new TimeLabels(
    { firstEndMs: Date.UTC(2026, 0, 6, 14, 0, 1), seconds: 7200, exchangeTz: 'America/Chicago' },
    'new_york',
  );
  it('labels a second by the end of its window in the chosen zone', () => {
    expect(labels.full(0)).toBe('09:00:01');
    expect(labels.full(2639)).toBe('09:44:00');
  });
  it('finds the second of a typed time and refuses what is none', () => {
    expect(labels.parse('09:44')).toBe(2639);
    expect(labels.parse('9:44:30')).toBe(2669);
    expect(labels.parse('25:00')).toBeNull();
    expect(labels.parse('noon')).toBeNull();
    expect(labels.parse('15:00')).toBeNull();
  });
});

describe('tile requests', () => {
  const key = (tile: number): TileKey => ({ surface: 'wall', lod: 1, tile, pool: '' });
  it('runs six at a time in order, aborts what is no longer wanted and reports only what was wanted', async () => {
    const started: number[] = [];
    const waiting = new Map<number, () => void>();
    const aborted: number[] = [];
    const done: number[] = [];
    const scheduler = new TileScheduler(
      ({ tile }, signal) =>
        new Promise((resolve, reject) => {
          started.push(tile);
          waiting.set(tile, resolve);
          signal.addEventListener('abort', () => {
            aborted.push(tile);
            reject(new Error('aborted'));
          });
        }),
      ({ tile }) => done.push(tile),
    );
    scheduler.want([0, 1, 2, 3, 4, 5, 6, 7].map(key));
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
    scheduler.want([4, 5, 8].map(key));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(aborted).toEqual([0, 1, 2, 3]);
    expect(started.at(-1)).toBe(8);
    for (const tile of [4, 5, 8]) waiting.get(tile)!();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(done.sort()).toEqual([4, 5, 8]);
  });
});
