/** Every key of the HUD: the same list drives the handler and the help page. */
export type Action =
  | 'playPause'
  | 'back1'
  | 'forward1'
  | 'back10'
  | 'forward10'
  | 'backCandle'
  | 'forwardCandle'
  | 'timeIn'
  | 'timeOut'
  | 'priceIn'
  | 'priceOut'
  | 'follow'
  | 'anchor'
  | 'recentre'
  | 'theme'
  | 'screenshot'
  | 'slower'
  | 'faster'
  | 'start'
  | 'toNow'
  | 'goto'
  | 'zoomBack'
  | 'mode'
  | 'layer1'
  | 'layer2'
  | 'layer3'
  | 'layer4'
  | 'layer5'
  | 'layer6'
  | 'vacuumStyle'
  | 'levels'
  | 'candles'
  | 'bands'
  | 'gex'
  | 'nextEpisode'
  | 'previousEpisode'
  | 'reveal'
  | 'close'
  | 'help';

export interface Binding {
  readonly key: string;
  readonly shift?: boolean;
  readonly alt?: boolean;
  readonly action: Action;
  readonly label: string;
  readonly text: string;
}

const bind = (key: string, action: Action, label: string, text: string, mod: 'shift' | 'alt' | '' = ''): Binding => ({
  key,
  action,
  label,
  text,
  ...(mod === 'shift' ? { shift: true } : {}),
  ...(mod === 'alt' ? { alt: true } : {}),
});

export const BINDINGS: readonly Binding[] = [
  bind(' ', 'playPause', 'Space', 'play or pause'),
  bind('ArrowLeft', 'back1', '←', 'one second back'),
  bind('ArrowRight', 'forward1', '→', 'one second on'),
  bind('ArrowLeft', 'back10', 'Shift ←', 'ten seconds back', 'shift'),
  bind('ArrowRight', 'forward10', 'Shift →', 'ten seconds on', 'shift'),
  bind('ArrowLeft', 'backCandle', 'Alt ←', 'one candle back', 'alt'),
  bind('ArrowRight', 'forwardCandle', 'Alt →', 'one candle on', 'alt'),
  bind('[', 'slower', '[', 'slower'),
  bind(']', 'faster', ']', 'faster'),
  bind('Home', 'start', 'Home', 'start of the session'),
  bind('End', 'toNow', 'End', 'back to the present'),
  bind('G', 'goto', 'G', 'go to a time'),
  bind('+', 'timeIn', '+', 'zoom into time'),
  bind('=', 'timeIn', '=', 'zoom into time'),
  bind('-', 'timeOut', '−', 'zoom out of time'),
  bind('+', 'priceIn', 'Shift +', 'zoom into price', 'shift'),
  bind('_', 'priceOut', 'Shift −', 'zoom out of price', 'shift'),
  bind('Z', 'zoomBack', 'Z', 'back to the zoom before'),
  bind('F', 'follow', 'F', 'follow the present'),
  bind('A', 'anchor', 'A', 'anchor: price or spot'),
  bind('R', 'recentre', 'R', 'recentre: dead band, always, manual'),
  bind('1', 'layer1', '1', 'wall'),
  bind('2', 'layer2', '2', 'vacuum'),
  bind('3', 'layer3', '3', 'pressure'),
  bind('4', 'layer4', '4', 'spot and best bid and ask'),
  bind('5', 'layer5', '5', 'column strip'),
  bind('6', 'layer6', '6', 'depth profile at the present'),
  bind('V', 'vacuumStyle', 'V', 'vacuum as patterns or outlines'),
  bind('L', 'levels', 'L', 'levels'),
  bind('C', 'candles', 'C', 'candles'),
  bind('B', 'bands', 'B', 'band edges'),
  bind('X', 'gex', 'X', 'gamma exposure'),
  bind('N', 'nextEpisode', 'N', 'next episode'),
  bind('P', 'previousEpisode', 'P', 'previous episode'),
  bind('O', 'reveal', 'O', 'reveal outcomes'),
  bind('M', 'mode', 'M', 'replay or review'),
  bind('T', 'theme', 'T', 'dark or light'),
  bind('S', 'screenshot', 'S', 'save a picture'),
  bind('?', 'help', '?', 'this list'),
  bind('Escape', 'close', 'Esc', 'close, release the cursor'),
];

export interface KeyLike {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
}

/** The action of a key press, or null. Shift is ignored for characters that need it to be typed, like `?`. */
export function actionFor(event: KeyLike): Action | null {
  if (event.ctrlKey || event.metaKey) return null;
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const matches = BINDINGS.filter((b) => b.key === key && Boolean(b.alt) === event.altKey);
  const exact = matches.find((b) => Boolean(b.shift) === event.shiftKey);
  if (exact) return exact.action;
  const typed = event.key.length === 1 && !/[a-z0-9 ]/i.test(event.key);
  return typed ? (matches[0]?.action ?? null) : null;
}
