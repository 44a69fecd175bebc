/** When analogues are asked for, and with what: never before they are known, never with outcomes before `reveal`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gateFor } from '../../src/core/timegate.ts';
import { emptyLists, type Lists } from '../../src/panels/model.ts';
import { Alike, PATIENCE_MS, TRIES } from '../../src/wire/alike.ts';
import type { Manifest } from '../../src/wire/manifest.ts';

const manifest = { symbol: 'ES', dt: '2026-01-06', t0Ns: 1_000_000_000_000_000_000n } as Manifest;
const gate = (now: number) => gateFor('replay', now, 9999);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
let asked: URL[];
/** Whether an address is refused, and with what. */
let refuse: (to: URL) => Response | null;
let changes: number;
let lists: Lists;
let alike: Alike;

beforeEach(() => {
  asked = [];
  refuse = () => null;
  changes = 0;
  lists = emptyLists();
  alike = new Alike('', manifest, lists, () => {
    changes += 1;
  });
  vi.stubGlobal('fetch', async (url: string) => {
    const to = new URL(url, 'http://x');
    asked.push(to);
    const refused = refuse(to);
    if (refused) return refused;
    const reveal = to.searchParams.get('reveal') === 'true';
    if (to.pathname.endsWith('/paths'))
      return Response.json({ query_id: 'q', first_s: -1, last_s: reveal ? 1 : 0, paths: [{ rank: 1, ticks: [2, 0] }] });
    const neighbours = [{ rank: 1, ...(reveal ? { outcome: 'chop' } : {}) }];
    return Response.json({ revealed: reveal, answers: [{ result: { query_id: 'q', n_sessions: 5 }, neighbours }] });
  });
});
afterEach(() => vi.unstubAllGlobals());

describe('Analogues are asked for', () => {
  it('once the decision of the episode is known, and forgotten before it', async () => {
    alike.choose({ episode: 'touch:1', second: 100 }, gate(70));
    await settle();
    expect(asked).toEqual([]);
    alike.moved(gate(99));
    expect(asked).toEqual([]);
    alike.moved(gate(100));
    alike.moved(gate(101));
    await settle();
    expect(asked.map((url) => url.pathname)).toEqual([
      '/v1/sessions/ES/2026-01-06/episodes/touch%3A1/analogues',
      '/v1/analogues/paths',
    ]);
    expect(asked[0]!.searchParams.get('as_of')).toBe('100');
    expect(lists.analogues!.answers[0]!.neighbours[0]!.path).toEqual([2, 0]);
    alike.moved(gate(50));
    expect(lists.analogues).toBeNull();
    alike.moved(gate(120));
    await settle();
    expect(asked.length).toBe(4);
  });
  it('without outcomes first, whatever was revealed before', async () => {
    alike.choose({ episode: 'a', second: 10 }, gate(20));
    alike.reveal(gate(20)); // nothing is there yet
    await settle();
    alike.reveal(gate(20));
    await settle();
    expect(lists.analogues!.revealed).toBe(true);
    alike.reveal(gate(20)); // it is
    alike.choose({ episode: 'b', second: 12 }, gate(20));
    await settle();
    expect(asked.map((url) => url.searchParams.get('reveal'))).toEqual([
      'false',
      'false',
      'true',
      'true',
      'false',
      'false',
    ]);
    expect(lists.analogues!.revealed).toBe(false);
  });
  it('of a second by the time at which it ends', async () => {
    alike.choose({ episode: null, second: 41 }, gate(41));
    await settle();
    expect(asked[0]!.pathname).toBe('/v1/analogues');
    expect(asked[0]!.searchParams.get('ts')).toBe('1000000042000000000');
    expect(asked[0]!.searchParams.get('as_of')).toBe('1000000042000000000');
  });
  it('and an answer to an earlier question is dropped', async () => {
    alike.choose({ episode: 'a', second: 10 }, gate(20));
    alike.choose({ episode: 'b', second: 500 }, gate(20));
    await settle();
    expect(lists.analogues).toBeNull();
  });
});

describe('What cannot be answered', () => {
  const down = (status: number, headers: Record<string, string> = {}): Response =>
    Response.json({ code: 'some_code' }, { status, headers });
  const question = { episode: 'a', second: 10 };

  it('is said, and asked anew when it is chosen again', async () => {
    refuse = () => down(500);
    alike.choose(question, gate(20));
    await settle();
    expect(lists.analoguesProblem).toContain('500 some_code');
    expect(lists.analogues).toBeNull();
    alike.moved(gate(21));
    await settle();
    expect(asked.length).toBe(1); // not every second
    refuse = () => null;
    const before = changes;
    alike.choose(question, gate(20));
    expect(lists.analoguesProblem).toBeNull(); // it is being asked
    expect(changes).toBeGreaterThan(before); // which the page says at once
    await settle();
    expect(lists.analogues!.answers.length).toBe(1);
  });
  it('leaves what was told before, and goes once there is an answer', async () => {
    alike.choose(question, gate(20));
    await settle();
    refuse = () => down(500);
    alike.reveal(gate(20));
    await settle();
    expect(lists.analoguesProblem).toContain('500');
    expect(lists.analogues!.revealed).toBe(false);
    refuse = () => null;
    alike.reveal(gate(20));
    expect(lists.analoguesProblem).toBeNull();
    await settle();
    expect(lists.analogues!.revealed).toBe(true);
    expect(lists.analoguesProblem).toBeNull();
  });
  it('may be the paths alone: the neighbours stay, and no path is said to be gone', async () => {
    refuse = (to) => (to.pathname.endsWith('/paths') ? down(500) : null);
    alike.choose(question, gate(20));
    await settle();
    expect(lists.analoguesProblem).toContain('/v1/analogues/paths: 500');
    expect(lists.analogues!.answers[0]!.drawn).toBe(false);
    refuse = () => null;
    alike.choose(question, gate(20));
    await settle();
    expect(lists.analogues!.answers[0]!.drawn).toBe(true);
    expect(lists.analoguesProblem).toBeNull();
  });
  it('is asked again where the server answers others first, and not for ever', async () => {
    const busy = (): Response => down(503, { 'retry-after': '0' });
    refuse = () => (asked.length < 4 ? busy() : null);
    alike.choose(question, gate(20));
    await expect.poll(() => lists.analogues?.answers.length).toBe(1);
    expect(lists.analoguesProblem).toBeNull();
    asked = [];
    refuse = busy;
    alike.choose(question, gate(20));
    await expect.poll(() => lists.analoguesProblem).toContain('503');
    expect(asked.length).toBe(TRIES);
  });
  it('is no longer waited for once another question is asked, or none is known', async () => {
    refuse = () => down(503, { 'retry-after': '0' });
    alike.choose(question, gate(20));
    await settle();
    alike.moved(gate(5));
    const { length } = asked;
    for (let i = 0; i < 30; i++) await settle();
    expect(length).toBeGreaterThan(0);
    expect(asked.length).toBe(length);
    expect(lists.analoguesProblem).toBeNull();
  });
  it('is given up after a while', async () => {
    vi.useFakeTimers();
    try {
      vi.stubGlobal(
        'fetch',
        (_: string, { signal }: { signal: AbortSignal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
      );
      alike.choose(question, gate(20));
      await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
      expect(lists.analoguesProblem).toBeNull();
      await vi.advanceTimersByTimeAsync(1);
      expect(lists.analoguesProblem).toBe(`no answer within ${PATIENCE_MS / 1000} s`);
    } finally {
      vi.useRealTimers();
    }
  });
});
