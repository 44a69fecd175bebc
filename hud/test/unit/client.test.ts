import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StreamClient } from '../../src/wire/client.ts';
import type { ServerMessage } from '../../src/wire/control.gen.ts';
import type { Frame } from '../../src/wire/frame.ts';
import type { LinkState } from '../../src/wire/messages.ts';
import { frameBytes } from '../harness/arrow.mjs';

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  binaryType = '';
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 3;
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  frame(epoch: number, seq: number, sec: number, flags = 0): void {
    this.onmessage?.({ data: frameBytes({ kind: 2, flags, epoch, seq, sec, count: 1, segments: [] }).buffer });
  }
}

describe('the client of the stream', () => {
  const links: LinkState[] = [];
  const frames: Frame[] = [];
  const controls: ServerMessage[] = [];
  let client: StreamClient;
  const last = (): FakeSocket => FakeSocket.all.at(-1)!;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', FakeSocket);
    FakeSocket.all = [];
    links.length = frames.length = controls.length = 0;
    client = new StreamClient(
      'ws://x/v1/stream',
      { symbol: 'ES', dt: '2026-01-06', surfaces: ['snap'], from: 100, bootstrap: 300, speed: 1, play: false },
      {
        frame: (frame) => frames.push(frame),
        control: (message) => controls.push(message),
        link: (state) => links.push(state),
      },
      () => Date.now(),
    );
    client.open();
    last().accept();
    last().say({ type: 'subscribed', id: 1, epoch: 1 });
  });
  afterEach(() => {
    client.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('offers the subprotocol and asks for its session with history', () => {
    expect(last().protocol).toBe('spymaster.arrow.v1');
    expect(last().sent[0]).toMatchObject({ type: 'subscribe', from: 100, bootstrap: 300, play: false });
    expect(links).toEqual(['connecting', 'ready']);
  });
  it('acknowledges every ten windows, and what is left after a quarter of a second', () => {
    for (let i = 0; i < 12; i++) last().frame(1, i, 100 + i);
    const acks = () => last().sent.filter((m) => m.type === 'ack');
    expect(acks().at(-1)).toEqual({ type: 'ack', epoch: 1, seq: expect.any(Number) });
    vi.advanceTimersByTime(600);
    expect(acks().at(-1)).toEqual({ type: 'ack', epoch: 1, seq: 11 });
  });
  it('drops frames of an epoch that is over', () => {
    last().say({ type: 'subscribed', id: 2, epoch: 2 });
    last().frame(1, 0, 5);
    last().frame(2, 0, 50);
    expect(frames.map((f) => f.sec)).toEqual([50]);
  });
  it('takes a hole in the order as a lost connection, unless it was announced', () => {
    last().frame(1, 0, 100);
    last().frame(1, 3, 103, 2);
    expect(frames.map((f) => f.sec)).toEqual([100, 103]);
    last().frame(1, 9, 104);
    expect(links.at(-1)).toBe('reconnecting');
  });
  it('resumes after the last second it has, without history', () => {
    last().frame(1, 0, 100);
    last().frame(1, 1, 101);
    last().onclose?.({ code: 1006, reason: '' });
    expect(links.at(-1)).toBe('reconnecting');
    vi.advanceTimersByTime(700);
    last().accept();
    expect(last().sent[0]).toMatchObject({ type: 'subscribe', from: 102, bootstrap: 0 });
  });
  it('takes the frames of a new connection, whose epochs and numbers start again', () => {
    last().frame(1, 0, 100);
    last().frame(1, 1, 101);
    last().onclose?.({ code: 1006, reason: '' });
    vi.advanceTimersByTime(700);
    last().accept();
    last().say({ type: 'subscribed', id: 2, epoch: 1 });
    last().frame(1, 0, 102);
    last().frame(1, 1, 103);
    vi.advanceTimersByTime(600);
    expect(frames.map((f) => f.sec)).toEqual([100, 101, 102, 103]);
    expect(FakeSocket.all).toHaveLength(2);
    expect(links.at(-1)).toBe('ready');
    expect(last().sent.at(-1)).toEqual({ type: 'ack', epoch: 1, seq: 1 });
  });
  it('goes stale after 3 s of silence while playing, comes back with a message, reconnects after 12 s', () => {
    client.send({ type: 'play' });
    vi.advanceTimersByTime(4000);
    expect(links.at(-1)).toBe('stale');
    last().say({ type: 'heartbeat' });
    expect(links.at(-1)).toBe('ready');
    vi.advanceTimersByTime(13000);
    expect(links).toContain('reconnecting');
  });
  it('is at its end, and neither stale nor ready, whatever heartbeats come', () => {
    client.send({ type: 'play' });
    last().frame(1, 0, 100, 4);
    last().say({ type: 'eos', sec: 100 });
    last().say({ type: 'state', clock: 'ended' });
    const before = links.length;
    for (let i = 0; i < 8; i++) {
      vi.advanceTimersByTime(5000);
      last().say({ type: 'heartbeat' });
    }
    expect(links.slice(before)).toEqual([]);
    expect(links.at(-1)).toBe('ended');
  });
  it('asks for the last second again after a loss at the end, for none follows it', () => {
    client.send({ type: 'play' });
    last().frame(1, 0, 100, 4);
    last().say({ type: 'eos', sec: 100 });
    last().onclose?.({ code: 1006, reason: '' });
    vi.advanceTimersByTime(700);
    last().accept();
    expect(last().sent[0]).toMatchObject({ type: 'subscribe', from: 100, play: false });
    last().say({ type: 'subscribed', id: 2, epoch: 1 });
    client.send({ type: 'seek', sec: 50, bootstrap: 0 });
    last().onclose?.({ code: 1006, reason: '' });
    vi.advanceTimersByTime(1500);
    last().accept();
    expect(last().sent[0]).toMatchObject({ from: 50 });
  });
  it('does not call a paused stream stale', () => {
    vi.advanceTimersByTime(60_000);
    expect(links.at(-1)).toBe('ready');
  });
  it('stops for good where the server ended the sign-in or speaks another protocol', () => {
    last().onclose?.({ code: 1008, reason: 'policy' });
    expect(links.at(-1)).toBe('offline');
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });
});
