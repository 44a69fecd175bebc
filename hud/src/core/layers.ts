/** Which layers may lie over each other: at most two are filled at a time; outlines fill nothing. */
import { type HudState, LAYERS, type Layer } from './store.ts';

type Layering = Pick<HudState, 'layers' | 'vacuumContour'>;
const MOST_FILLED = 2;

const filled = ({ layers, vacuumContour }: Layering): Layer[] =>
  LAYERS.filter((layer) => layers[layer] && !(layer === 'vacuum' && vacuumContour));

/** Switches off what is too many; `keep` stays, and the wall goes last. */
function fitted(state: Layering, keep: Layer): Layering {
  const on = filled(state);
  if (on.length <= MOST_FILLED) return state;
  const gone = on.find((layer) => layer !== keep && layer !== 'wall') ?? 'wall';
  return { ...state, layers: { ...state.layers, [gone]: false } };
}

/** Layers after one was switched on or off. */
export const withToggled = ({ layers, vacuumContour }: Layering, layer: Layer): Layering =>
  fitted({ layers: { ...layers, [layer]: !layers[layer] }, vacuumContour }, layer);

/** Layers after vacuum changed between patterns and outlines, which also switches it on. */
export const withVacuumStyle = ({ layers, vacuumContour }: Layering): Layering =>
  fitted({ layers: { ...layers, vacuum: true }, vacuumContour: !vacuumContour }, 'vacuum');
