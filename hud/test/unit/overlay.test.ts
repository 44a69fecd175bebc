/** What is drawn above the heat map, by the calls on a canvas. */
import { describe, expect, it } from 'vitest';
import { gateFor } from '../../src/core/timegate.ts';
import type { Candle } from '../../src/model/candles.ts';
import type { Episode } from '../../src/model/episodes.ts';
import { SessionData } from '../../src/model/session.ts';
import { emptyLists } from '../../src/panels/model.ts';
import { readoutLines } from '../../src/panels/readout.ts';
import { drawCandles } from '../../src/render/candles.ts';
import { drawStrip } from '../../src/render/columns.ts';
import { drawMarks } from '../../src/render/marks.ts';
import { drawScrubber } from '../../src/render/scrubber.ts';
import { drawSpot } from '../../src/render/spot.ts';
import { recorder, SECONDS, SPOT, smallPlot, smallSession } from './session.ts';

const data = smallSession({ depth: (_, rel) => (rel === 0 ? 128 : rel > 0 ? 180 : 76) });

describe('Spot and BBO', () => {
  it('draw a step a second each, and quotes only while a pixel holds no more than four seconds', () => {
    const strokes = (pxPerSec: number): number => {
      const { ctx, calls } = recorder();
      drawSpot(smallPlot(data, ctx, { pxPerSec }));
      return calls.filter((call) => call.name === 'lineTo').length;
    };
    // Spot twice (its outline and itself) and two quotes; each second is one line, and one to the next.
    expect(strokes(20)).toBe(4 * (2 * SECONDS - 1));
    expect(strokes(0.2)).toBeLessThan(2 * (2 * SECONDS));
  });
});

describe('Candles', () => {
  const bar = { from: 0, to: 8, open: SPOT, high: SPOT + 4, low: SPOT - 2, close: SPOT + 2, closed: true };
  const calls = (change: object) => {
    const { ctx, calls } = recorder();
    drawCandles(smallPlot(data, ctx), [{ ...bar, approximate: false, ...change } as Candle]);
    return calls;
  };
  const names = (change: object): string[] => calls(change).map((call) => call.name);
  const dash = (change: object): unknown => calls(change).find((call) => call.name === 'setLineDash')!.args[0];
  it('are hollow where price rose, filled where it fell, dashed where only last trades are known', () => {
    expect(names({})).not.toContain('fill');
    expect(names({ close: SPOT - 1 })).toContain('fill');
    expect(dash({})).toEqual([]);
    expect(dash({ closed: false, approximate: true })).toEqual([3, 3]);
  });
});

describe('Scrubber', () => {
  it('shows nothing right of the present in replay, neither minutes nor episodes', () => {
    const minute = (sec: number) => ({ sec, low: SPOT, high: SPOT + 4, close: SPOT, valid: 1 });
    const episode = (decision: number) => ({ decision, trigger: decision }) as Episode;
    const drawn = (now: number): [number, number] => {
      const { ctx, calls } = recorder();
      drawScrubber({
        ...smallPlot(data, ctx),
        width: 600,
        height: 46,
        seconds: 600,
        now,
        window: [0, 60],
        gate: gateFor('replay', now, 599),
        minutes: [0, 60, 120, 180].map(minute),
        segments: [],
        episodes: [episode(90), episode(170)],
      });
      const bars = calls.filter((call) => call.name === 'fillRect' && call.args[2] === 59.5);
      return [bars.length, calls.filter((call) => call.name === 'arc').length];
    };
    expect(drawn(100)).toEqual([1, 1]);
    expect(drawn(178)).toEqual([2, 2]);
    expect(drawn(179)).toEqual([3, 2]);
  });
});

describe('Column strip and GEX strip', () => {
  const written = (change: object): unknown[] => {
    const { ctx, calls } = recorder();
    const plot = smallPlot(data, ctx, { yMid: SPOT + SECONDS - 1 });
    drawStrip({ ...plot, state: { ...plot.state, ...change } }, ctx, 220);
    return calls.filter((call) => call.name === 'fillText').map((call) => call.args[0]);
  };
  it('write exact depth, and the net of a strike in dollars', () => {
    const texts = written({});
    expect(texts).toContain('90');
    expect(texts.filter((text) => text === '10')).toHaveLength(9);
    expect(texts).toContain('+2M');
    expect(texts).toContain('GEX');
  });
  it('say so where flow is asked for and none is known, by drawing none', () => {
    expect(written({ gexFlow: true })).not.toContain('+2M');
  });
});

describe('Inspector', () => {
  it('tells what has not arrived from what is missing', () => {
    const plot = smallPlot(data, recorder().ctx);
    const lines = (of: typeof data): Map<string, string> =>
      new Map(
        readoutLines({
          ...plot,
          lists: emptyLists(),
          second: 5,
          data: of,
          state: { ...plot.state, cursor: { sec: 5, tick: SPOT + 5 } },
        }),
      );
    expect(lines(data).get('resting')).toBe('~0 contracts');
    const partial = new SessionData(data.manifest);
    partial.ingest(1, 0, SECONDS, {
      snap: {
        rows: SECONDS,
        columns: {
          spot_tick: new Int32Array(SECONDS).fill(SPOT + 5),
          state: new Uint8Array(SECONDS).fill(3),
          flags: new Uint8Array(SECONDS),
        },
      },
    });
    expect(lines(partial).get('resting')).toBe('loading');
    partial.ingest(1, 0, SECONDS, { wall: { rows: SECONDS, columns: { depth: new Uint8Array(SECONDS * 11) } } });
    expect(lines(partial).get('resting')).toBe('no data');
    expect(lines(partial).get('vacuum')).toBe('loading');
  });
});

describe('Marks of the reading', () => {
  const texts = (facts: string): unknown[] => {
    data.ingest(1, SECONDS - 1, 1, {
      reading: { rows: 1, columns: { above: [''], below: [''], moves: [''], facts: [facts] } },
    });
    const { ctx, calls } = recorder();
    drawMarks(smallPlot(data, ctx, { x0: SECONDS - 5 }));
    return calls.filter((call) => call.name === 'fillText').map((call) => call.args[0]);
  };
  const side = { run: null, obstacle: null, thin: null };
  it('stand beside the prices that it names', () => {
    const obstacle = { price: 6803, ratio: 9.36, trend: 'building' };
    const thin = { price: 6801, to_price: 6800 };
    expect(texts(JSON.stringify({ valid: true, above: { ...side, obstacle }, below: { ...side, thin } }))).toEqual([
      '9.4×▲',
      'thin',
    ]);
  });
  it('are none where nothing stands out, or the book is not valid', () => {
    expect(texts(JSON.stringify({ valid: true, above: side, below: side }))).toEqual([]);
    expect(texts('{"valid":false}')).toEqual([]);
  });
});
