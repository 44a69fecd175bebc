/** When analogues are asked for, and with what: never before they are known, never with outcomes before `reveal`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gateFor } from '../../src/core/timegate.ts';
import { emptyLists, type Lists } from '../../src/panels/model.ts';
import { Alike } from '../../src/wire/alike.ts';
import type { Manifest } from '../../src/wire/manifest.ts';

const manifest = { symbol: 'ES', dt: '2026-01-06', t0Ns: 1_000_000_000_000_000_000n } as Manifest;
const gate = (now: number) => gateFor('replay', now, 9999);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
let asked: URL[];
let lists: Lists;
let alike: Alike;

beforeEach(() => {
  asked = [];
  lists = emptyLists();
  alike = new Alike('', manifest, lists, () => {});
  vi.stubGlobal('fetch', async (url: string) => {
    const to = new URL(url, 'http://x');
    asked.push(to);
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
    expect(alike.reveal(gate(20))).toBe(false); // nothing is there yet
    await settle();
    expect(alike.reveal(gate(20))).toBe(true);
    await settle();
    expect(lists.analogues!.revealed).toBe(true);
    expect(alike.reveal(gate(20))).toBe(false);
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
