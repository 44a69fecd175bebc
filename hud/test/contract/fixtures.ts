import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
export const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(path(name)));
export const buffer = (name: string): ArrayBuffer => bytes(name).slice().buffer;
// biome-ignore lint/suspicious/noExplicitAny: files written by another language
export const json = (name: string): any => JSON.parse(readFileSync(path(name), 'utf8'));

/** Columns as the truth beside a file has them: lists per row, NaN as null. */
export function asTruth(
  block: { rows: number; columns: Record<string, ArrayLike<number> | string[]> },
  nested: (name: string) => boolean,
): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(block.columns).map(([name, values]) => {
      if (Array.isArray(values)) return [name, values];
      const plain = Array.from(values, (v) => (Number.isNaN(v) ? null : v));
      const width = block.rows ? plain.length / block.rows : 0;
      if (!nested(name)) return [name, plain];
      return [name, Array.from({ length: block.rows }, (_, row) => plain.slice(row * width, (row + 1) * width))];
    }),
  );
}
