import { describe, expect, it } from 'vitest';
import { withToggled, withVacuumStyle } from '../../src/core/layers.ts';
import { initialState } from '../../src/core/store.ts';

const layers = (wall: boolean, vacuum: boolean, pressure: boolean) => ({ wall, vacuum, pressure });

describe('Layer rule', () => {
  it('fills at most two: a third takes the place of one, never of the wall while another can go', () => {
    const state = { ...initialState(), layers: layers(true, true, false) };
    expect(withToggled(state, 'pressure').layers).toEqual(layers(true, false, true));
    expect(withToggled({ ...state, layers: layers(false, true, true) }, 'wall').layers).toEqual(
      layers(true, false, true),
    );
  });
  it('leaves all three on where vacuum is only outlined', () => {
    const state = { layers: layers(true, true, false), vacuumContour: true };
    expect(withToggled(state, 'pressure').layers).toEqual(layers(true, true, true));
  });
  it('switches vacuum on with its style, and one of three filled ones off', () => {
    expect(withVacuumStyle({ layers: layers(true, false, true), vacuumContour: false })).toEqual({
      layers: layers(true, true, true),
      vacuumContour: true,
    });
    expect(withVacuumStyle({ layers: layers(true, true, true), vacuumContour: true })).toEqual({
      layers: layers(true, true, false),
      vacuumContour: false,
    });
  });
});
