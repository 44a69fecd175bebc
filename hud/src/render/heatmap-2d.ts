/** Heat map without WebGL: `shade` for every pixel. Slower, same picture. */
import type { SessionData } from '../model/session.ts';
import type { HeatmapBackend, Scene } from './scene.ts';
import { shader } from './shade.ts';

export function paint(scene: Scene, data: SessionData, target: Uint8ClampedArray): void {
  const shade = shader(scene, data);
  const out = new Float64Array(3);
  let at = 0;
  for (let py = 0; py < scene.height; py++) {
    for (let px = 0; px < scene.width; px++, at += 4) {
      shade(px, py, out);
      target[at] = out[0]!;
      target[at + 1] = out[1]!;
      target[at + 2] = out[2]!;
      target[at + 3] = 255;
    }
  }
}

export class Canvas2dHeatmap implements HeatmapBackend {
  readonly kind = 'canvas2d';
  private readonly context: CanvasRenderingContext2D;
  private image: ImageData | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly data: SessionData,
  ) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('the browser has no 2D canvas');
    this.context = context;
  }

  changed(): void {}

  draw(scene: Scene): void {
    if (this.canvas.width !== scene.width || this.canvas.height !== scene.height || !this.image) {
      this.canvas.width = scene.width;
      this.canvas.height = scene.height;
      this.image = this.context.createImageData(scene.width, scene.height);
    }
    paint(scene, this.data, this.image.data);
    this.context.putImageData(this.image, 0, 0);
  }

  pixels(): Uint8ClampedArray {
    return this.image?.data ?? new Uint8ClampedArray(0);
  }
  dispose(): void {
    this.image = null;
  }
}
