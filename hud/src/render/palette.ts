/** Colours: roles of either theme, magnitude and signed look-up tables of 256 RGBA entries by code. */
import type { MagnitudeName, Theme } from '../core/store.ts';
import type { Transfer } from '../wire/transfer.ts';

export type Rgb = readonly [number, number, number];
export const hex = (text: string): Rgb =>
  [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16)) as unknown as Rgb;
export const css = (rgb: Rgb, alpha = 1): string => `rgba(${rgb[0]},${rgb[1]},${rgb[2]},${alpha})`;

export interface Colours {
  readonly background: Rgb;
  readonly panel: Rgb;
  readonly grid: Rgb;
  readonly text: Rgb;
  readonly dim: Rgb;
  readonly bid: Rgb;
  readonly ask: Rgb;
  readonly call: Rgb;
  readonly put: Rgb;
  readonly spot: Rgb;
  readonly focus: Rgb;
  readonly hatch: Rgb;
}
const roles = (values: Record<keyof Colours, string>): Colours =>
  Object.fromEntries(Object.entries(values).map(([role, value]) => [role, hex(value)])) as unknown as Colours;

export const THEMES: Record<Theme, Colours> = {
  dark: roles({
    background: '#0b0e14',
    panel: '#11161f',
    grid: '#1c2431',
    text: '#e6edf3',
    dim: '#8b98a9',
    bid: '#4aa3ff',
    ask: '#ff9f40',
    call: '#8f7bff',
    put: '#ffc33d',
    spot: '#f5f7fa',
    focus: '#ffd866',
    hatch: '#3a4456',
  }),
  light: roles({
    background: '#fbfcfe',
    panel: '#f0f3f8',
    grid: '#dbe2ec',
    text: '#121821',
    dim: '#566274',
    bid: '#0b5cc4',
    ask: '#b85c00',
    call: '#4a34c8',
    put: '#a87800',
    spot: '#0b0e14',
    focus: '#8a5a00',
    hatch: '#a9b5c6',
  }),
};

const STOPS: Record<Exclude<MagnitudeName, 'sides'>, readonly string[]> = {
  cividis: [
    '#00224e',
    '#123570',
    '#3b496c',
    '#575d6d',
    '#707173',
    '#8a8678',
    '#a59c74',
    '#c3b369',
    '#e1cc55',
    '#fee838',
  ],
  inferno: [
    '#000004',
    '#1b0c41',
    '#4a0c6b',
    '#781c6d',
    '#a52c60',
    '#cf4446',
    '#ed6925',
    '#fb9b06',
    '#f7d13d',
    '#fcffa4',
  ],
  viridis: [
    '#440154',
    '#482878',
    '#3e4989',
    '#31688e',
    '#26828e',
    '#1f9e89',
    '#35b779',
    '#6ece58',
    '#b5de2b',
    '#fde725',
  ],
  grey: ['#10141b', '#f7f9fc'],
};

const mix = (a: Rgb, b: Rgb, share: number): Rgb =>
  [0, 1, 2].map((i) => a[i]! + (b[i]! - a[i]!) * share) as unknown as Rgb;

/** Colour of magnitude `u` in 0..1. On a light background the scale runs the other way, so that much is dark. */
export function magnitude(name: Exclude<MagnitudeName, 'sides'>, u: number, theme: Theme): Rgb {
  const stops = STOPS[name];
  const at = Math.min(1, Math.max(0, theme === 'dark' ? u : 1 - u)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  return mix(hex(stops[low]!), hex(stops[low + 1]!), at - low);
}

export interface WallScale {
  readonly name: MagnitudeName;
  /** Cut-offs as shares of the code range: at or below `low` nothing is drawn, at `high` the scale ends. */
  readonly low: number;
  readonly high: number;
  readonly linear: boolean;
}

/**
 * Cut-offs to begin with: from one and a half times the usual size of a price, to three times a large one. The transfer
 * carries both, as its knee (the median) and its end (fifty times the 95th percentile).
 */
export function defaultCuts(transfer: Transfer | null): { cutLow: number; cutHigh: number } {
  if (transfer?.fn !== 'signed_log') return { cutLow: 0.2, cutHigh: 0.55 };
  const share = (quantity: number): number => Math.log1p(quantity / transfer.c) / Math.log1p(transfer.max / transfer.c);
  const cutLow = share(1.5 * transfer.c);
  return { cutLow, cutHigh: Math.max(cutLow + 0.1, share((3 * transfer.max) / 50)) };
}

/** Position of a code on the wall scale, 0..1, after cut-offs. */
export function wallShare(scale: WallScale, transfer: Transfer, code: number): number {
  if (code === 0) return 0;
  let share = Math.abs(code - 128) / 127;
  if (scale.linear && transfer.fn === 'signed_log') {
    const range = Math.log1p(transfer.max / transfer.c);
    const cut = (x: number): number => Math.expm1(x * range);
    const [low, high] = [cut(scale.low), cut(scale.high)];
    return Math.min(1, Math.max(0, (cut(share) - low) / (high - low)));
  }
  share = (share - scale.low) / Math.max(0.01, scale.high - scale.low);
  return Math.min(1, Math.max(0, share));
}

/** RGBA by depth code. The low end fades into the background through alpha. */
export function wallLut(scale: WallScale, transfer: Transfer, theme: Theme): Uint8Array {
  const lut = new Uint8Array(1024);
  const colours = THEMES[theme];
  for (let code = 1; code < 256; code++) {
    const u = wallShare(scale, transfer, code);
    if (u <= 0) continue;
    const rgb = scale.name === 'sides' ? (code < 128 ? colours.bid : colours.ask) : magnitude(scale.name, u, theme);
    const alpha = scale.name === 'sides' ? u : Math.min(1, u * 5);
    lut.set([...rgb.map(Math.round), Math.round(255 * alpha)], code * 4);
  }
  return lut;
}

/** RGBA by pressure code: blue (long) through nothing to orange (short). */
export function signedLut(theme: Theme): Uint8Array {
  const lut = new Uint8Array(1024);
  for (let code = 1; code < 256; code++) {
    const share = (code - 128) / 127;
    const rgb = share > 0 ? THEMES[theme].bid : THEMES[theme].ask;
    lut.set([...rgb, Math.round(255 * Math.min(1, Math.abs(share) * 0.9))], code * 4);
  }
  return lut;
}
