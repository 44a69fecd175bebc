import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../src/model/facts.ts';
import { formatDollars } from '../../src/render/gex.ts';
import { longest } from '../../src/render/plot.ts';

describe('Facts of the reading', () => {
  const text = JSON.stringify({
    above: {
      level: { label: 'PM High', price: 6800, ticks: 4 },
      obstacle: { balance: 0.86, price: 6802, ratio: 9.4, ticks: 12, trend: 'building' },
      run: { buckets: 3, price: 6801, ticks: 8 },
      thin: null,
    },
    below: { obstacle: null, run: null, thin: { price: 6797.5, ticks: -6, to_price: 6796.75 } },
    valid: true,
  });
  it('name the prices that the plot marks', () => {
    expect(parseFacts(text)).toEqual({
      above: { run: 6801, obstacle: { price: 6802, ratio: 9.4, trend: 'building' }, thin: null },
      below: { run: null, obstacle: null, thin: [6797.5, 6796.75] },
    });
  });
  it('are none without a valid book, and for text that is none', () => {
    expect(parseFacts('{"valid":false,"above":{},"below":{}}')).toBeNull();
    expect(parseFacts('')).toBeNull();
    expect(parseFacts('{}')).toEqual({
      above: { run: null, obstacle: null, thin: null },
      below: { run: null, obstacle: null, thin: null },
    });
  });
});

describe('bars', () => {
  it('end at twelve medians, so that one huge order does not flatten the others', () => {
    expect(longest([10, 20, 30])).toBe(30);
    expect(longest([10, 10, 10, 10, 5000])).toBe(120);
    expect(longest([])).toBe(1);
  });
  it('carry dollars in two or three digits', () => {
    expect([-1_240_000_000, 52_300_000, 523_000_000, 9400, -12, 0].map(formatDollars)).toEqual([
      '−1.2B',
      '+52M',
      '+523M',
      '+9.4k',
      '−12',
      '+0',
    ]);
  });
});
