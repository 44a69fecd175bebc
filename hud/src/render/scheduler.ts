/** Draw on demand: a dirty mask schedules one animation frame; without changes there are no frames. */
export class Scheduler {
  private dirty = 0;
  private pending = false;
  frames = 0;

  constructor(
    private readonly draw: (dirty: number) => void,
    private readonly request: (callback: () => void) => void = (callback) => requestAnimationFrame(callback),
  ) {}

  mark(dirty: number): void {
    this.dirty |= dirty;
    if (this.pending || !this.dirty) return;
    this.pending = true;
    this.request(() => {
      const mask = this.dirty;
      this.dirty = 0;
      this.pending = false;
      this.frames += 1;
      this.draw(mask);
    });
  }
}

/** Whether the heat map is drawn at half resolution while interacting: the median of eight frames decides. */
export class FrameBudget {
  private readonly times: number[] = [];
  constructor(private readonly limitMs = 50) {}

  add(ms: number): void {
    this.times.push(ms);
    if (this.times.length > 8) this.times.shift();
  }
  get slow(): boolean {
    if (this.times.length < 8) return false;
    return [...this.times].sort((a, b) => a - b)[4]! > this.limitMs;
  }
}
