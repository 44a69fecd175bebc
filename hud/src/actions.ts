/** What every action of the keyboard and of the buttons does. */
import type { App } from './app.ts';
import type { Action } from './core/keymap.ts';
import { withVacuumStyle } from './core/layers.ts';
import { DIRTY } from './core/store.ts';
import { neighbour } from './model/episodes.ts';
import { nextSpeed } from './panels/transport.ts';
import { reanchored } from './scale/anchor.ts';
import { zoomTime } from './scale/x.ts';
import { zoomPrice } from './scale/y.ts';
import { savePicture } from './share.ts';

/** Share of the plot left of the present; the margin to its right shows the book as a profile. */
export const PRESENT_AT = 0.86;
const CANDLE_SECONDS = 120;

export function perform(app: App, action: Action): void {
  const { store } = app;
  const { state } = store;
  const centre = { x: app.stage.width * PRESENT_AT, y: app.stage.height / 2 };
  switch (action) {
    case 'playPause':
      app.feed.play(!state.playing);
      return store.set({ playing: !state.playing, followNow: state.playing ? state.followNow : true }, DIRTY.PANELS);
    case 'back1':
      return app.step(-1);
    case 'forward1':
      return app.step(1);
    case 'back10':
      return app.step(-10);
    case 'forward10':
      return app.step(10);
    case 'backCandle':
      return app.step(-CANDLE_SECONDS);
    case 'forwardCandle':
      return app.step(CANDLE_SECONDS);
    case 'slower':
      return app.setSpeed(nextSpeed(state.speed, -1));
    case 'faster':
      return app.setSpeed(nextSpeed(state.speed, 1));
    case 'start':
      return app.seek(0);
    case 'toNow':
      return store.set({ followNow: true, view: app.followed(state.view) }, DIRTY.VIEW);
    case 'goto':
      return app.transport.time.focus();
    case 'timeIn':
      return app.setView(zoomTime(state.view, 1.25, centre.x), true);
    case 'timeOut':
      return app.setView(zoomTime(state.view, 0.8, centre.x), true);
    case 'priceIn':
      return app.setView(zoomPrice(state.view, app.stage.height, 1.25, centre.y), true);
    case 'priceOut':
      return app.setView(zoomPrice(state.view, app.stage.height, 0.8, centre.y), true);
    case 'zoomBack': {
      const view = app.zooms.pop();
      return view ? store.set({ view }, DIRTY.VIEW) : undefined;
    }
    case 'follow': {
      const followNow = !state.followNow;
      return store.set(
        {
          followNow,
          ...(followNow ? { recentre: 'deadband' as const } : {}),
          view: followNow ? app.followed(state.view) : state.view,
        },
        DIRTY.VIEW | DIRTY.PANELS,
      );
    }
    case 'anchor': {
      const anchor = state.anchor === 'price' ? 'spot' : 'price';
      return store.set(
        { anchor, view: reanchored(state.view, anchor, app.data.lastSpot(state.now)) },
        DIRTY.VIEW | DIRTY.PANELS,
      );
    }
    case 'recentre': {
      const order = ['deadband', 'always', 'manual'] as const;
      const recentre = order[(order.indexOf(state.recentre) + 1) % order.length]!;
      app.say(`recentre ${recentre}`);
      return store.set({ recentre }, DIRTY.VIEW);
    }
    case 'theme': {
      const theme = state.theme === 'dark' ? 'light' : 'dark';
      document.documentElement.dataset.theme = theme;
      return store.set({ theme }, DIRTY.STYLE | DIRTY.PANELS | DIRTY.VIEW);
    }
    case 'mode':
      return app.toggleMode();
    case 'layer1':
      return app.toggleLayer('wall');
    case 'layer2':
      return app.toggleLayer('vacuum');
    case 'layer3':
      return app.toggleLayer('pressure');
    case 'vacuumStyle':
      return store.set(withVacuumStyle(state), DIRTY.STYLE | DIRTY.VIEW | DIRTY.PANELS);
    case 'layer4':
      app.stage.toggles.spot = !app.stage.toggles.spot;
      return store.touch(DIRTY.VIEW);
    case 'layer5':
      app.stage.toggles.strip = !app.stage.toggles.strip;
      document.documentElement.classList.toggle('no-strip', !app.stage.toggles.strip);
      return store.touch(DIRTY.VIEW);
    case 'layer6':
      app.stage.toggles.profile = !app.stage.toggles.profile;
      return store.touch(DIRTY.VIEW);
    case 'levels':
      return store.set({ showLevels: !state.showLevels }, DIRTY.VIEW);
    case 'candles':
      return store.set({ showCandles: !state.showCandles }, DIRTY.VIEW);
    case 'bands':
      return store.set({ showBands: !state.showBands }, DIRTY.VIEW);
    case 'gex':
      return store.set({ showGex: !state.showGex }, DIRTY.VIEW);
    case 'nextEpisode':
      return app.openEpisode(neighbour(app.lists.episodes, app.gate(), state.now, 1));
    case 'previousEpisode':
      return app.openEpisode(neighbour(app.lists.episodes, app.gate(), state.now, -1));
    case 'reveal':
      return app.feed.alike.reveal(app.gate());
    case 'screenshot':
      return savePicture(app);
    case 'help':
      return app.help.toggle();
    case 'close':
      return app.release();
  }
}
