/**
 * The socket of one session: connects, subscribes, checks the order of frames, acknowledges, notices silence and comes
 * back after a loss where it stopped. Knows neither the DOM nor what frames contain.
 */

import type { ClientMessage, ServerMessage } from './control.gen.ts';
import { FRAME_FLAG, type Frame, FrameError, KIND, parseFrame } from './frame.ts';
import type { ControlRequest, LinkState } from './messages.ts';

export const SUBPROTOCOL = 'spymaster.arrow.v1';
const STALE_AFTER_MS = 3000;
const RECONNECT_AFTER_MS = 12000;
const BACKOFF_S = [0.5, 1, 2, 4, 8];
const ACK_EVERY = 10;
const ACK_MS = 250;

export interface Subscription {
  symbol: string;
  dt: string;
  surfaces: string[];
  from: number;
  bootstrap: number;
  speed: number;
  play: boolean;
}
export interface ClientEvents {
  frame(frame: Frame): void;
  control(message: ServerMessage): void;
  link(state: LinkState, detail: string | null): void;
}

export class StreamClient {
  private socket: WebSocket | null = null;
  private epoch = -1;
  private nextSeq = 0;
  private lastSec: number;
  private unacked = 0;
  private lastAck = 0;
  private lastSeen = 0;
  private attempt = 0;
  private nextId = 1;
  private closed = false;
  private stale = false;
  /** The last second of the session has come; nothing follows it until a seek. */
  private ended = false;
  private resubscribing = false;
  private timer: ReturnType<typeof setInterval> | null = null;

  constructor(
    private readonly url: string,
    private readonly wanted: Subscription,
    private readonly events: ClientEvents,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.lastSec = wanted.from - 1;
  }

  open(): void {
    this.events.link(this.attempt ? 'reconnecting' : 'connecting', null);
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.lastSeen = this.now();
    // Epochs and sequence numbers count within a connection.
    this.epoch = -1;
    this.nextSeq = 0;
    this.unacked = 0;
    socket.onopen = () => {
      this.attempt = 0;
      this.subscribe();
    };
    socket.onmessage = (event: MessageEvent) => {
      if (socket !== this.socket) return;
      this.seen();
      if (typeof event.data === 'string') this.onControl(JSON.parse(event.data) as ServerMessage);
      else this.onFrame(event.data as ArrayBuffer);
    };
    socket.onclose = (event) => {
      if (socket === this.socket && !this.closed) this.lost(event.reason || `closed ${event.code}`, event.code);
    };
    this.timer ??= setInterval(() => this.watch(), 500);
  }

  send(request: ControlRequest): void {
    if (request.type === 'play') this.wanted.play = true;
    if (request.type === 'pause') this.wanted.play = false;
    if (request.type === 'speed') this.wanted.speed = request.value;
    if (request.type === 'seek') {
      this.lastSec = request.sec - 1;
      this.ended = false;
    }
    this.post({ ...request, id: this.nextId++ });
  }

  close(): void {
    this.closed = true;
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.socket?.close(1000);
    this.socket = null;
  }

  private subscribe(): void {
    const resume = this.resubscribing;
    this.post({
      type: 'subscribe',
      id: this.nextId++,
      ...this.wanted,
      // No second follows the last one: it comes again, and the end with it.
      from: this.ended ? this.lastSec : this.lastSec + 1,
      bootstrap: resume ? 0 : this.wanted.bootstrap,
    });
    this.resubscribing = true;
  }

  private post(message: ClientMessage): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  private onControl(message: ServerMessage): void {
    if (message.type === 'subscribed' && typeof message.epoch === 'number') {
      this.startEpoch(message.epoch);
      this.events.link('ready', null);
    }
    if (message.type === 'eos' || (message.type === 'state' && message.clock === 'ended')) {
      // The server's clock has stopped: silence is no fault now, and a seek starts paused.
      this.ended = true;
      this.wanted.play = false;
      this.events.link('ended', null);
    }
    if (message.type === 'error' && message.code === 'incompatible') {
      this.close();
      this.events.link('incompatible', message.message ?? null);
    }
    if (message.type === 'session_changed') {
      this.events.control(message);
      this.subscribe();
      return;
    }
    this.events.control(message);
  }

  private startEpoch(epoch: number): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.nextSeq = 0;
    this.unacked = 0;
  }

  private onFrame(buffer: ArrayBuffer): void {
    let frame: Frame;
    try {
      frame = parseFrame(buffer);
      if (frame.epoch < this.epoch) return;
      if (frame.epoch > this.epoch) this.startEpoch(frame.epoch);
      // Frames that were dropped on purpose are announced; any other hole is a fault of the connection.
      if (frame.seq !== this.nextSeq && !(frame.flags & FRAME_FLAG.AFTER_GAP)) {
        throw new FrameError('seq', `${frame.seq} where ${this.nextSeq} was due`);
      }
    } catch (error) {
      this.lost(error instanceof Error ? error.message : 'bad frame', 1002);
      return;
    }
    this.nextSeq = frame.seq + 1;
    if (frame.kind !== KIND.SCHEMA) this.lastSec = Math.max(frame.sec + frame.count - 1, this.lastSec);
    if (frame.flags & FRAME_FLAG.LAST) this.ended = true;
    this.events.frame(frame);
    this.unacked += Math.max(1, frame.count);
    if (this.unacked >= ACK_EVERY || this.now() - this.lastAck > ACK_MS) this.acknowledge(frame.seq);
  }

  private acknowledge(seq: number): void {
    this.unacked = 0;
    this.lastAck = this.now();
    this.post({ type: 'ack', epoch: this.epoch, seq });
  }

  private seen(): void {
    this.lastSeen = this.now();
    if (this.stale) {
      this.stale = false;
      this.events.link('ready', null);
    }
  }

  private watch(): void {
    if (this.unacked > 0 && this.now() - this.lastAck > ACK_MS) this.acknowledge(this.nextSeq - 1);
    if (!this.wanted.play || !this.socket) return;
    const silence = this.now() - this.lastSeen;
    const slow = 1 / Math.min(1, this.wanted.speed);
    if (silence > RECONNECT_AFTER_MS * slow) this.lost('no message', 0);
    else if (silence > STALE_AFTER_MS * slow && !this.stale && this.socket.readyState === 1) {
      this.stale = true;
      this.events.link('stale', null);
    }
  }

  private lost(reason: string, code: number): void {
    const socket = this.socket;
    this.socket = null;
    this.stale = false;
    socket?.close();
    if (this.closed) return;
    if (code === 1008) {
      this.events.link('offline', 'the server ended this sign-in; open the sign-in link again');
      return;
    }
    const wait = BACKOFF_S[Math.min(this.attempt, BACKOFF_S.length - 1)]! * (0.8 + 0.4 * Math.random());
    this.attempt += 1;
    this.events.link('reconnecting', reason);
    setTimeout(() => {
      if (!this.closed && !this.socket) this.open();
    }, wait * 1000);
  }
}
