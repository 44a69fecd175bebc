/** The inspector: exact values in words, each with its unit and what it is measured by. */
import { describe, expect, it } from 'vitest';
import { inspectLines } from '../../src/model/inspect.ts';
import { smallManifest } from './session.ts';

const manifest = smallManifest();
const wall = {
  rows: [{ add_qty: 3, depth_qty_end: 41, window_end: '1', side: 'A' }],
  units: { depth_qty_end: 'lots', add_qty: 'lots' },
};

describe('Inspector', () => {
  it('reads exact values in a fixed order with unit and baseline, null as no data', () => {
    const answer = {
      tables: {
        'silver.option_quote_1s': { rows: [{ add_qty: 99 }, { add_qty: 98 }], units: {} },
        'silver.vacuum_surface_1s': { rows: [{ vacuum_score: null, wall_strength_log: 1.25 }], units: {} },
        'silver.wall_surface_1s': wall,
      },
    };
    expect(inspectLines(answer, manifest)).toEqual([
      ['resting', '41 contracts'],
      ['added', '3 contracts in this second'],
      ['vacuum', 'no data'],
      ['strength', '1.25 ln of times the median of its 20 ticks'],
    ]);
    expect(inspectLines(null, manifest)).toEqual([]);
  });
  it('names both sides where both rest at a price', () => {
    const rows = ['B', 'A'].map((side) => ({ ...wall.rows[0], side }));
    const lines = inspectLines({ tables: { 'silver.wall_surface_1s': { ...wall, rows } } }, manifest);
    expect(lines.map(([name]) => name)).toEqual(['resting bid', 'resting ask', 'added bid', 'added ask']);
  });
});

describe('Pressure layer', () => {
  const row = {
    bucket_price_int: 6802_000_000_000,
    net_pressure: -0.4,
    long_pressure: 0.6,
    short_pressure: 1.4,
    book_long: 41,
    book_short: 12,
    trade_long: 0,
    trade_short: 2.5,
    option_long: null,
    option_short: null,
    rest_long: 0,
    rest_short: 930,
  };
  const usual = { book_long: 20, book_short: 24, trade_long: 4, trade_short: 5, rest_short: 100 };
  const lines = (table: object, of = manifest) =>
    new Map(inspectLines({ tables: { 'silver.pressure_surface_1s': table } }, of));

  it('names book, trade, option and rest apart for long and short, with unit and baseline', () => {
    expect([...lines({ rows: [row], usual })]).toEqual([
      ['pressure, 6802.00 to 6802.75', ''],
      ['balance', '−0.40 of −1..1: long 0.6, short 1.4 times the usual'],
      ['book', 'long 41 (2.05×), short 12 (0.5×)'],
      ['trade', 'long 0 (0×), short 2.5 (0.5×)'],
      ['option', 'not quoted in this session so far'],
      ['rest', 'long 0, short 930 (9.3×)'],
      ['unit', 'contracts; flows fade, options count by delta; × the usual of 20 earlier sessions at this distance'],
    ]);
  });
  it('says so where there is nothing to compare with, no score, or no row', () => {
    const bare = lines({ rows: [{ ...row, net_pressure: null }] });
    expect(bare.get('book')).toBe('long 41, short 12');
    expect(bare.get('balance')).toBe('no data');
    expect(bare.get('unit')).toMatch(/no usual value to compare with$/);
    const own = smallManifest({ calibration: { status: 'same_session' } });
    expect(lines({ rows: [row], usual }, own).get('unit')).toMatch(/the usual of this session at this distance$/);
    expect(lines({ rows: [] }).size).toBe(0);
  });
});
