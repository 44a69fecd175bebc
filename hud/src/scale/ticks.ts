/** Grid steps: times at round clock steps, prices at round multiples of the tick. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800];

export function timeStep(pxPerSec: number, minPx: number): number {
  return TIME_STEPS.find((step) => step * pxPerSec >= minPx) ?? 14400;
}

/** Seconds in [from, to] whose second of day is a multiple of `step`. */
export function timeMarks(from: number, to: number, step: number, secondOfDay: (second: number) => number): number[] {
  const marks: number[] = [];
  const first = Math.ceil(from);
  const behind = ((Math.round(secondOfDay(first)) % step) + step) % step;
  for (let second = first + (behind ? step - behind : 0); second <= to; second += step) marks.push(second);
  return marks;
}

/** Step in ticks: 1, 2, 4 then the decades of the price (points for ES: 4 ticks = 1 point). */
export function priceStep(pxPerTick: number, minPx: number, ticksPerPoint: number): number {
  const steps = [1, 2];
  for (let decade = 1; decade <= 10000; decade *= 10) for (const m of [1, 2, 5]) steps.push(m * decade * ticksPerPoint);
  return (
    steps
      .filter((step) => step >= 1)
      .sort((a, b) => a - b)
      .find((step) => step * pxPerTick >= minPx) ?? 10000
  );
}

export function priceMarks(from: number, to: number, step: number): number[] {
  const marks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) marks.push(tick);
  return marks;
}
