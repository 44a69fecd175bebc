import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gateFor } from '../../src/core/timegate.ts';
import type { Lists } from '../../src/panels/model.ts';
import { Context } from '../../src/wire/context.ts';
import { parseManifest } from '../../src/wire/manifest.ts';
import { json } from '../contract/fixtures.ts';

describe('the lists beside the stream', () => {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  beforeEach(() => {
    asked.length = waiting.length = 0;
    vi.stubGlobal('fetch', (url: string) => {
      if (!url.includes('/overview')) return Promise.resolve(new Response('{}'));
      asked.push(new URL(url, 'http://localhost').searchParams.get('as_of')!);
      return new Promise((resolve) => waiting.push(() => resolve(new Response('{"minutes":[]}'))));
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it('asks for where a seek has led, after the round that ran meanwhile', async () => {
    const changed = vi.fn();
    const context = new Context('', parseManifest(json('manifest.json')), {} as Lists, changed);
    const at = (second: number) => gateFor('replay', second, 86_399);
    const done = context.refresh(at(100));
    void context.refresh(at(5000));
    void context.refresh(at(300));
    expect(asked).toHaveLength(1);
    waiting.shift()!();
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    waiting.shift()!();
    await done;
    expect(asked).toEqual(['100', '300']);
    expect(changed).toHaveBeenCalledTimes(2);
  });
});
