/** Transport: play, step, speed, go to a time; the scrubber beside it. */
import { formatSpan } from '../core/time.ts';
import { THEMES } from '../render/palette.ts';
import { drawScrubber } from '../render/scrubber.ts';
import { secAt } from '../scale/x.ts';
import { el, setText } from './dom.ts';
import type { Model, Panel } from './model.ts';

export const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100] as const;

export interface TransportActions {
  playPause(): void;
  step(seconds: number): void;
  speed(value: number): void;
  seek(second: number): void;
  goto(text: string): boolean;
  follow(): void;
}

/** The next speed up or down from `speed`. */
export function nextSpeed(speed: number, step: 1 | -1): number {
  const sorted = step > 0 ? SPEEDS.find((s) => s > speed) : [...SPEEDS].reverse().find((s) => s < speed);
  return sorted ?? speed;
}

export class Transport implements Panel {
  readonly root = el('div', { class: 'transport' });
  readonly time = el('input', {
    type: 'text',
    class: 'goto',
    'aria-label': 'go to a time, hh:mm or hh:mm:ss',
    title: 'Go to a time (G)',
  });
  private readonly play = el('button', { type: 'button', class: 'play', title: 'Play or pause (Space)' });
  private readonly speed = el('select', { 'aria-label': 'speed', title: 'seconds of the market per second' });
  private readonly follow = el('button', { type: 'button', title: 'Follow the present (F)' }, 'Follow');
  private readonly position = el('span', { class: 'num dim', title: 'time since the session began, of all of it' });
  private readonly canvas = el('canvas', {
    class: 'scrubber',
    role: 'slider',
    'aria-label': 'position in the session',
    'aria-valuemin': '0',
  });
  private plotWidth = 1;

  constructor(actions: TransportActions) {
    const button = (text: string, title: string, act: () => void): HTMLButtonElement => {
      const node = el('button', { type: 'button', title }, text);
      node.onclick = act;
      return node;
    };
    this.play.onclick = () => actions.playPause();
    for (const value of SPEEDS) this.speed.append(el('option', {}, `${value}×`));
    this.speed.onchange = () => actions.speed(SPEEDS[this.speed.selectedIndex]!);
    this.follow.onclick = () => actions.follow();
    this.time.placeholder = 'hh:mm:ss';
    this.time.onkeydown = (event) => {
      if (event.key === 'Enter') {
        const ok = actions.goto(this.time.value);
        this.time.setAttribute('aria-invalid', String(!ok));
        if (ok) {
          this.time.value = '';
          this.time.blur();
        }
      }
      if (event.key === 'Escape') this.time.blur();
      event.stopPropagation();
    };
    let dragging = false;
    const seek = (event: PointerEvent): void => {
      const box = this.canvas.getBoundingClientRect();
      actions.seek(Math.round(((event.clientX - box.left) / box.width) * this.seconds));
    };
    this.canvas.onpointerdown = (event) => {
      dragging = true;
      this.canvas.setPointerCapture(event.pointerId);
      seek(event);
    };
    this.canvas.onpointerup = (event) => {
      if (dragging) seek(event);
      dragging = false;
    };
    this.root.append(
      el(
        'div',
        { class: 'buttons' },
        button('−10', 'ten seconds back (Shift ←)', () => actions.step(-10)),
        button('−1', 'one second back (←)', () => actions.step(-1)),
        this.play,
        button('+1', 'one second on (→)', () => actions.step(1)),
        button('+10', 'ten seconds on (Shift →)', () => actions.step(10)),
        this.speed,
        this.time,
        this.follow,
        this.position,
      ),
      this.canvas,
    );
  }
  private seconds = 1;

  setPlotWidth(width: number): void {
    this.plotWidth = width;
  }

  update({ state, manifest, gate, lists, labels, second }: Model): void {
    this.seconds = manifest.seconds;
    setText(this.play, state.playing ? '❚❚' : '▶');
    this.play.setAttribute('aria-label', state.playing ? 'pause' : 'play');
    const at = SPEEDS.indexOf(state.speed as 1);
    if (this.speed.selectedIndex !== at) this.speed.selectedIndex = at;
    this.follow.setAttribute('aria-pressed', String(state.followNow));
    setText(this.position, `${formatSpan(second + 1)} of ${formatSpan(manifest.seconds)}`);
    this.canvas.setAttribute('aria-valuemax', String(manifest.seconds - 1));
    this.canvas.setAttribute('aria-valuenow', String(second));
    this.canvas.setAttribute('aria-valuetext', labels.full(second));
    const ratio = devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const ctx = this.canvas.getContext('2d')!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawScrubber({
      ctx,
      width,
      height,
      seconds: manifest.seconds,
      now: second,
      window: [state.view.x0, secAt(state.view, this.plotWidth)],
      gate,
      minutes: lists.minutes,
      segments: manifest.segments,
      episodes: lists.episodes,
      colours: THEMES[state.theme],
      labels,
    });
  }
}
