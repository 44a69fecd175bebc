import { describe, expect, it, vi } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import { AT_REST_MS, Feed, type FeedEvents } from '../../src/feed.ts';
import type { SessionData } from '../../src/model/session.ts';
import type { Lists } from '../../src/panels/model.ts';
import type { LinkEvents } from '../../src/wire/link.ts';

const made = vi.hoisted(() => ({ link: null as LinkEvents | null, refresh: vi.fn(() => Promise.resolve()) }));
vi.mock('../../src/wire/link.ts', () => ({
  Link: class {
    constructor(_base: string, _data: unknown, events: LinkEvents) {
      made.link = events;
    }
  },
}));
vi.mock('../../src/wire/context.ts', () => ({
  Context: class {
    refresh = made.refresh;
  },
}));

describe('the feed', () => {
  it('asks for the lists when the second of an event has come, for they hold nothing of it before', () => {
    vi.useFakeTimers();
    const state = { now: 599 };
    const store = { state, set: (change: object) => Object.assign(state, change), touch: () => {} };
    const gate = () => state.now;
    const events = { gate, rows: () => {}, heard: () => {}, say: () => {}, changed: () => {} };
    new Feed(
      '',
      {} as SessionData,
      {} as Lists,
      store as unknown as Store,
      events as unknown as FeedEvents,
      {} as Worker,
    );
    const link = made.link!;
    link.now(600); // a new minute
    expect(made.refresh).not.toHaveBeenCalled(); // taking a second does not wait for the questions
    vi.runAllTimers();
    expect(made.refresh.mock.calls).toEqual([[600]]);
    link.now(611);
    vi.runAllTimers();
    link.control({ type: 'event', sec: 612, kind: 'episode_triggered', payload: {} });
    expect(made.refresh).toHaveBeenCalledTimes(1);
    vi.runAllTimers();
    expect(made.refresh).toHaveBeenCalledTimes(1);
    link.now(612);
    vi.runAllTimers();
    link.now(613);
    vi.runAllTimers();
    expect(made.refresh.mock.calls).toEqual([[600], [612]]);
    vi.useRealTimers();
  });

  it('opens the session anew once its data have been left alone, not with every table that a run makes', () => {
    vi.useFakeTimers();
    const changed = vi.fn();
    new Feed(
      '',
      { manifest: { dataVersion: 'a' } } as unknown as SessionData,
      {} as Lists,
      {} as Store,
      { changed } as unknown as FeedEvents,
      {} as Worker,
    );
    const tell = (data_version: string) => made.link!.control({ type: 'session_changed', data_version });
    for (const version of ['b', 'c', 'd']) {
      tell(version);
      vi.advanceTimersByTime(AT_REST_MS - 1);
    }
    expect(changed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(changed).toHaveBeenCalledTimes(1);
    tell('e');
    tell('a'); // as it was: nothing to open
    vi.advanceTimersByTime(2 * AT_REST_MS);
    expect(changed).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
  });
});
