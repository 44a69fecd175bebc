import { describe, expect, it } from 'vitest';
import { NO_TICK } from '../../src/core/units.ts';
import { axisTick, reanchored, recentred, relTick } from '../../src/scale/anchor.ts';
import { priceMarks, priceStep, timeMarks, timeStep } from '../../src/scale/ticks.ts';
import { lodFor, MAX_PX_PER_SEC, MIN_PX_PER_SEC, secAt, xOf, zoomTime } from '../../src/scale/x.ts';
import { tickAt, yOf, zoomPrice } from '../../src/scale/y.ts';

const view = { x0: 100, pxPerSec: 2, yMid: 27200, pxPerTick: 8 };

describe('axes', () => {
  it('go there and back', () => {
    for (const second of [100, 101.5, 400]) expect(secAt(view, xOf(view, second))).toBeCloseTo(second);
    for (const tick of [27190, 27200.5, 27300]) expect(tickAt(view, 600, yOf(view, 600, tick))).toBeCloseTo(tick);
  });
  it('zoom around the pointer and stop at the limits', () => {
    const zoomed = zoomTime(view, 1.5, 300);
    expect(secAt(zoomed, 300)).toBeCloseTo(secAt(view, 300));
    expect(zoomTime(view, 1e9, 0).pxPerSec).toBe(MAX_PX_PER_SEC);
    expect(zoomTime(view, 1e-9, 0).pxPerSec).toBe(MIN_PX_PER_SEC);
    const taller = zoomPrice(view, 600, 1.5, 120);
    expect(tickAt(taller, 600, 120)).toBeCloseTo(tickAt(view, 600, 120));
  });
  it('take the largest level that is no coarser than a pixel', () => {
    expect([24, 1, 0.5, 0.25, 0.1, 0.0625, 0.02].map(lodFor)).toEqual([1, 1, 1, 4, 4, 16, 16]);
    expect(lodFor(1 / 64)).toBe(64);
  });
});

describe('anchors', () => {
  it('place the same tick at the same distance from spot', () => {
    expect(axisTick('price', 27210, 27200)).toBe(27210);
    expect(axisTick('spot', 27210, 27200)).toBe(10);
    expect(relTick('price', axisTick('price', 27210, 27200), 27200)).toBe(
      relTick('spot', axisTick('spot', 27210, 27200), 27200),
    );
  });
  it('know no place in a column without spot', () => {
    expect(axisTick('spot', 27210, NO_TICK)).toBeNaN();
    expect(relTick('price', 27210, NO_TICK)).toBeNaN();
  });
  it('keep what is in the middle in the middle when toggled', () => {
    const there = reanchored(view, 'spot', 27195);
    expect(there.yMid).toBe(5);
    expect(reanchored(there, 'price', 27195)).toEqual(view);
  });
  it('recentre when spot leaves the middle half, always, or never', () => {
    expect(recentred(view, 600, 27218, 'deadband')).toBe(view);
    expect(recentred(view, 600, 27219, 'deadband').yMid).toBe(27219);
    expect(recentred(view, 600, 27201, 'always').yMid).toBe(27201);
    expect(recentred(view, 600, 29000, 'manual')).toBe(view);
    expect(recentred(view, 600, Number.NaN, 'always')).toBe(view);
  });
});

describe('grid', () => {
  it('has round times, wherever the session starts', () => {
    expect(timeStep(1, 70)).toBe(120);
    expect(timeMarks(0, 400, 120, (s) => s + 32399)).toEqual([1, 121, 241, 361]);
  });
  it('has round prices', () => {
    expect(priceStep(8, 26, 4)).toBe(4);
    expect(priceStep(24, 26, 4)).toBe(2);
    expect(priceMarks(27193, 27205, 4)).toEqual([27196, 27200, 27204]);
  });
});
