/** What each layer makes of its codes, pixel by pixel, by the specification that both renderers are held to. */
import { describe, expect, it } from 'vitest';
import { THEMES } from '../../src/render/palette.ts';
import type { Scene } from '../../src/render/scene.ts';
import { shader } from '../../src/render/shade.ts';
import { HALF, SECONDS, SPOT, smallScene, smallSession } from './session.ts';

type Data = ReturnType<typeof smallSession>;
const luminance = (rgb: ArrayLike<number>): number => 0.2126 * rgb[0]! + 0.7152 * rgb[1]! + 0.0722 * rgb[2]!;
/** Pixels of the cell at a second and a tick from spot (price anchor: spot rises a tick a second). */
function cell(data: Data, scene: Scene, second: number, rel: number): number[][] {
  const shade = shader(scene, data);
  const axis = scene.anchor === 'spot' ? rel : SPOT + second + rel;
  const top = scene.height / 2 - (axis - scene.view.yMid + 0.5) * scene.view.pxPerTick;
  const out: number[][] = [];
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 20; x++) {
      const rgb = new Float64Array(3);
      shade(second * 20 + x, top + y, rgb);
      out.push([...rgb]);
    }
  }
  return out;
}
const mean = (pixels: number[][]): number => pixels.reduce((sum, rgb) => sum + luminance(rgb), 0) / pixels.length;
const background = [...THEMES.dark.background];

describe('Wall layer', () => {
  const depth = (_: number, rel: number): number =>
    rel === 0 ? 0 : 128 + (rel > 0 ? 1 : -1) * (40 + 10 * Math.abs(rel));
  const scene = { ...smallScene, wall: true };
  it('is brighter where more rests, on either side', () => {
    const data = smallSession({ depth });
    expect(mean(cell(data, scene, 0, 3))).toBeGreaterThan(mean(cell(data, scene, 0, 1)));
    expect(mean(cell(data, scene, 0, -3))).toBeGreaterThan(mean(cell(data, scene, 0, -1)));
  });
  it('is paler where it has not rested, and notched where it shrinks', () => {
    const young = smallSession({ depth, rest: () => 1 });
    const eroding = smallSession({ depth, flow: () => 100 });
    const solid = smallSession({ depth });
    expect(mean(cell(young, scene, 0, 3))).toBeLessThan(mean(cell(solid, scene, 0, 3)));
    expect(new Set(cell(eroding, scene, 0, 3).map(String)).size).toBe(2);
    expect(new Set(cell(solid, scene, 0, 3).map(String)).size).toBe(1);
  });
  it('dots what is missing, and leaves what is zero empty', () => {
    const data = smallSession({ depth: (_, rel) => (rel === 0 ? 0 : 128) });
    expect(cell(data, scene, 0, 0).some((rgb) => String(rgb) !== String(background))).toBe(true);
    expect(cell(data, scene, 0, 2).every((rgb) => String(rgb) === String(background))).toBe(true);
  });
});

describe('Vacuum layer', () => {
  const scene = { ...smallScene, vacuum: true };
  const data = smallSession({ score: (_, rel) => (rel > 0 ? 230 : rel < 0 ? 30 : 128) });
  const drawn = (rel: number): number =>
    cell(data, scene, 0, rel).filter((rgb) => String(rgb) !== String(background)).length;
  it('hatches what leaves, dots what builds, leaves what idles empty, and has no colour', () => {
    expect(drawn(2)).toBe(100);
    expect(drawn(-2)).toBe(25);
    expect(drawn(0)).toBe(0);
    for (const [r, g, b] of cell(data, scene, 0, 2))
      expect(Math.max(r!, g!, b!) - Math.min(r!, g!, b!)).toBeLessThan(10);
  });
  it('outlines areas without filling them', () => {
    const outline = { ...scene, vacuumContour: true };
    const edge = (rel: number): number =>
      cell(data, outline, 5, rel).filter((rgb) => String(rgb) !== String(background)).length;
    // Ticks +1 to +5 leave in every second; spot rises, so that the area has a step on each side of a second.
    expect(edge(1)).toBeGreaterThan(19);
    expect(edge(3)).toBe(0);
    expect(edge(0)).toBe(0);
  });
});

describe('Pressure layer', () => {
  it('is blue where long outpaces, orange where short does, and nothing where neither does', () => {
    const data = smallSession({ net: (_, rel) => (rel > 0 ? 200 : rel < 0 ? 56 : 128) });
    const scene = { ...smallScene, pressure: true };
    const [long, short] = [cell(data, scene, 0, 2)[0]!, cell(data, scene, 0, -2)[0]!];
    expect(long[2]).toBeGreaterThan(long[0]!);
    expect(short[0]).toBeGreaterThan(short[2]!);
    expect(cell(data, scene, 0, 0)[0]).toEqual(background);
  });
});

describe('Anchors', () => {
  it('show the same cells: only their place differs', () => {
    const data = smallSession({
      depth: (second, rel) => 129 + ((second * 31 + (rel + HALF) * 7) % 120),
      net: (second, rel) => 1 + ((second * 17 + (rel + HALF) * 13) % 254),
    });
    const price = { ...smallScene, wall: true, pressure: true };
    const spot: Scene = { ...price, anchor: 'spot', view: { ...price.view, yMid: 0 } };
    for (let second = 0; second < SECONDS; second++) {
      // What lies inside both pictures.
      for (let rel = -HALF; rel <= HALF - second; rel++)
        expect(cell(data, spot, second, rel)).toEqual(cell(data, price, second, rel));
    }
  });
});
