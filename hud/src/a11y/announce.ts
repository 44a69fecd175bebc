/** A polite live region that speaks at most once per second. */
export class Announcer {
  private pending: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = 0;
  constructor(private readonly node: HTMLElement) {}

  say(text: string): void {
    this.pending = text;
    if (this.timer) return;
    const wait = Math.max(0, 1000 - (performance.now() - this.last));
    this.timer = setTimeout(() => {
      this.timer = null;
      this.last = performance.now();
      if (this.pending !== null) this.node.textContent = this.pending;
    }, wait);
  }
}
