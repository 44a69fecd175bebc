import { describe, expect, it } from 'vitest';
import {
  type Colours,
  defaultCuts,
  magnitude,
  type Rgb,
  signedLut,
  THEMES,
  wallLut,
  wallShare,
} from '../../src/render/palette.ts';
import { encode } from '../../src/wire/transfer.ts';

/** sRGB to linear. */
const linear = (v: number): number => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const luminance = (rgb: Rgb): number => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
const contrast = (a: Rgb, b: Rgb): number => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
};
/** Full-strength matrices of Machado, Oliveira and Fernandes (2009). */
const DEFICIENCIES: Record<string, number[][]> = {
  none: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
/** OKLab (Ottosson 2020) of linear RGB. */
function oklab([r, g, b]: number[]): number[] {
  const l = Math.cbrt(0.4122214708 * r! + 0.5363325363 * g! + 0.0514459929 * b!);
  const m = Math.cbrt(0.2119034982 * r! + 0.6806995451 * g! + 0.1073969566 * b!);
  const s = Math.cbrt(0.0883024619 * r! + 0.2817188376 * g! + 0.6299787005 * b!);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}
function distance(a: Rgb, b: Rgb): number {
  const seen = (rgb: Rgb, matrix: number[][]): number[] =>
    oklab(
      matrix.map((row) =>
        Math.min(
          1,
          Math.max(
            0,
            row.reduce((sum, w, i) => sum + w * linear(rgb[i]!), 0),
          ),
        ),
      ),
    );
  return Math.min(
    ...Object.values(DEFICIENCIES).map(
      (matrix) => 100 * Math.hypot(...seen(a, matrix).map((v, i) => v - seen(b, matrix)[i]!)),
    ),
  );
}

describe.each(['dark', 'light'] as const)('%s theme', (theme) => {
  const c: Colours = THEMES[theme];
  it('has text one can read and marks one can see', () => {
    for (const back of [c.background, c.panel]) {
      for (const role of ['text', 'dim'] as const) expect(contrast(c[role], back), role).toBeGreaterThanOrEqual(4.5);
      for (const role of ['bid', 'ask', 'call', 'put', 'spot', 'focus'] as const)
        expect(contrast(c[role], back), role).toBeGreaterThanOrEqual(3);
    }
  });
  it('keeps the two sides apart for every kind of colour vision', () => {
    expect(distance(c.bid, c.ask)).toBeGreaterThanOrEqual(20);
    expect(distance(c.call, c.put)).toBeGreaterThanOrEqual(20);
  });
  it.each(['cividis', 'inferno', 'viridis', 'grey'] as const)('%s has monotone luminance', (name) => {
    const steps = Array.from({ length: 65 }, (_, i) => luminance(magnitude(name, i / 64, theme)));
    for (let i = 1; i < steps.length; i++)
      expect(theme === 'dark' ? steps[i]! > steps[i - 1]! : steps[i]! < steps[i - 1]!).toBe(true);
  });
});

describe('look-up tables', () => {
  const transfer = { fn: 'signed_log', c: 10, max: 20000 } as const;
  const scale = { name: 'cividis', low: 0.3, high: 0.9, linear: false } as const;
  it('draw nothing for missing, zero and what is under the cut-off', () => {
    const lut = wallLut(scale, transfer, 'dark');
    for (const code of [0, 128, 128 + 38, 128 - 38]) expect(lut[code * 4 + 3], String(code)).toBe(0);
    expect(lut[255 * 4 + 3]).toBe(255);
  });
  it('tell the sides apart only by the palette that says so', () => {
    const lut = wallLut(scale, transfer, 'dark');
    expect([...lut.slice(10 * 4, 10 * 4 + 4)]).toEqual([...lut.slice(246 * 4, 246 * 4 + 4)]);
    const sides = wallLut({ ...scale, name: 'sides' }, transfer, 'dark');
    expect([...sides.slice(10 * 4, 10 * 4 + 3)]).toEqual([...THEMES.dark.bid]);
    expect([...sides.slice(246 * 4, 246 * 4 + 3)]).toEqual([...THEMES.dark.ask]);
  });
  it('are monotone in size, also on the linear scale', () => {
    for (const linearScale of [false, true]) {
      const shares = Array.from({ length: 127 }, (_, i) =>
        wallShare({ ...scale, linear: linearScale }, transfer, 129 + i),
      );
      for (let i = 1; i < shares.length; i++) expect(shares[i]!).toBeGreaterThanOrEqual(shares[i - 1]!);
    }
  });
  it('draw neutral pressure as background', () => {
    expect(signedLut('dark')[128 * 4 + 3]).toBe(0);
  });
});

describe('cut-offs to begin with', () => {
  it('leave the usual size of a price dark, and show three times a large one in full', () => {
    const transfer = { fn: 'signed_log', c: 53, max: 9950 } as const;
    const { cutLow, cutHigh } = defaultCuts(transfer);
    const scale = { name: 'grey', low: cutLow, high: cutHigh, linear: false } as const;
    expect(wallShare(scale, transfer, encode(transfer, 53))).toBe(0);
    expect(wallShare(scale, transfer, encode(transfer, 200))).toBeGreaterThan(0.2);
    expect(wallShare(scale, transfer, encode(transfer, 610))).toBe(1);
  });
});
