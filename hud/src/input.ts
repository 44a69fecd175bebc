/** Pointer, wheel and keys to actions of the app. */
import { moveCursor } from './a11y/cursor.ts';
import type { App } from './app.ts';
import { actionFor } from './core/keymap.ts';
import { DIRTY } from './core/store.ts';
import { NO_TICK } from './core/units.ts';
import { secAt, zoomTime } from './scale/x.ts';
import { tickAt, zoomPrice } from './scale/y.ts';

const DWELL_MS = 150;
/** Pixels the pointer must move before a press becomes a drag. */
const DRAG_PX = 3;

/** Binds until `signal` aborts; the plot's own listeners go with its element. */
export function bindInput(app: App, signal: AbortSignal): void {
  const { store, stage, plotHost } = app;
  let press: { x: number; y: number; view: typeof store.state.view; box: boolean; moved: boolean } | null = null;
  let dwell: ReturnType<typeof setTimeout> | null = null;
  let request: AbortController | null = null;
  let dataCursor = false;

  const place = (event: PointerEvent | WheelEvent): { x: number; y: number } => {
    const box = plotHost.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const bounds = (): { width: number; height: number } => ({ width: stage.width, height: stage.height });
  const stopDwell = (): void => {
    if (dwell) clearTimeout(dwell);
    request?.abort();
  };
  const hover = (x: number, y: number): void => {
    const cursor = stage.pick(store.state, x, y);
    app.setCursor(cursor);
    stopDwell();
    if (!cursor) return app.readout.hide();
    app.readout.show(app.model(), x, y, bounds(), null);
    dwell = setTimeout(() => {
      request = new AbortController();
      app.inspect(cursor.sec, cursor.tick, request.signal).then(
        (lines) => {
          if (lines.length && store.state.cursor?.sec === cursor.sec)
            app.readout.show(app.model(), x, y, bounds(), lines);
        },
        () => undefined,
      );
    }, DWELL_MS);
  };

  plotHost.onpointerdown = (event) => {
    if (event.button !== 0) return;
    const at = place(event);
    press = { ...at, view: store.state.view, box: event.shiftKey, moved: false };
    plotHost.setPointerCapture(event.pointerId);
  };
  plotHost.onpointermove = (event) => {
    const at = place(event);
    if (!press) return hover(at.x, at.y);
    const [dx, dy] = [at.x - press.x, at.y - press.y];
    if (!press.moved && Math.hypot(dx, dy) < DRAG_PX) return;
    press.moved = true;
    app.readout.hide();
    if (press.box) {
      stage.box = { x0: press.x, y0: press.y, x1: at.x, y1: at.y };
      store.touch(DIRTY.HOVER);
    } else
      app.setView(
        {
          ...press.view,
          x0: press.view.x0 - dx / press.view.pxPerSec,
          yMid: press.view.yMid + dy / press.view.pxPerTick,
        },
        false,
        true,
      );
  };
  plotHost.onpointerup = (event) => {
    const done = press;
    press = null;
    const box = stage.box;
    stage.box = null;
    if (done?.box && box && done.moved) zoomInto(app, box.x0, box.y0, box.x1, box.y1);
    else if (done && !done.moved) hover(place(event).x, place(event).y);
  };
  plotHost.onpointerleave = () => {
    stopDwell();
    if (dataCursor) return;
    app.readout.hide();
    app.setCursor(null);
  };
  plotHost.ondblclick = () => app.act('follow');
  plotHost.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const at = place(event);
      const delta = event.deltaY || event.deltaX;
      const factor = Math.exp(-delta * 0.0015);
      const { view } = store.state;
      if (event.shiftKey) app.setView(zoomPrice(view, stage.height, factor, at.y));
      else app.setView(zoomTime(view, factor, at.x));
    },
    { passive: false },
  );

  window.addEventListener(
    'keydown',
    (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      // A dialog has its keys to itself, Esc included, which closes it.
      if (document.querySelector('dialog[open]')) return;
      if (target.closest('input[type=text]') && event.key !== 'Escape') return;
      // A focused control keeps the keys that work it; all others stay with the HUD.
      if (target.closest('select, input') && (event.key.length === 1 || event.key.startsWith('Arrow'))) return;
      if (target.closest('button, summary') && (event.key === ' ' || event.key === 'Enter')) return;
      if (target === plotHost && event.key === 'Enter') {
        dataCursor = true;
        const spot = app.data.lastSpot(store.state.now);
        if (spot !== NO_TICK) app.setCursor({ sec: store.state.now, tick: spot });
        return;
      }
      if (dataCursor && store.state.cursor) {
        const moved = moveCursor(store.state.cursor, event.key, app.gate());
        if (moved) {
          event.preventDefault();
          return app.setCursor(moved);
        }
      }
      const action = actionFor(event);
      if (!action) return;
      event.preventDefault();
      if (action === 'close') dataCursor = false;
      app.act(action);
    },
    { signal },
  );
}

function zoomInto(app: App, x0: number, y0: number, x1: number, y1: number): void {
  const { view } = app.store.state;
  const { width, height } = app.stage;
  const [left, right] = [secAt(view, Math.min(x0, x1)), secAt(view, Math.max(x0, x1))];
  const [top, bottom] = [tickAt(view, height, Math.min(y0, y1)), tickAt(view, height, Math.max(y0, y1))];
  if (right - left < 2 || top - bottom < 1) return;
  const time = zoomTime(view, width / (right - left) / view.pxPerSec, 0);
  const both = zoomPrice({ ...time, x0: left }, height, height / (top - bottom) / view.pxPerTick, height / 2);
  app.setView({ ...both, yMid: (top + bottom) / 2 }, true, true);
}
