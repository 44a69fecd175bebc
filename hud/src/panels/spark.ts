/**
 * A line of values without axes, and fainter ones at the value `mark` and upright at the position `split`; gaps stay
 * gaps. Colour is the element's text colour.
 */
export function sparkline(
  canvas: HTMLCanvasElement,
  values: readonly number[],
  range: readonly [number, number],
  mark: number | null = null,
  split: number | null = null,
): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth || 60, canvas.clientHeight || 16];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const ctx = canvas.getContext('2d');
  if (!ctx) return;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.strokeStyle = getComputedStyle(canvas).color;
  const yOf = (value: number): number =>
    height - 1.5 - ((value - range[0]) / (range[1] - range[0] || 1)) * (height - 3);
  const xOf = (i: number): number => (i / Math.max(1, values.length - 1)) * (width - 2) + 1;
  ctx.globalAlpha = 0.45;
  ctx.fillStyle = ctx.strokeStyle;
  if (mark !== null) ctx.fillRect(0, Math.round(yOf(mark)), width, 1);
  if (split !== null) ctx.fillRect(Math.round(xOf(split)), 0, 1, height);
  ctx.globalAlpha = 1;
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  let drawing = false;
  values.forEach((value, i) => {
    if (Number.isNaN(value)) {
      drawing = false;
      return;
    }
    if (drawing) ctx.lineTo(xOf(i), yOf(value));
    else ctx.moveTo(xOf(i), yOf(value));
    drawing = true;
  });
  ctx.stroke();
}
