/** Arrow messages to typed arrays. No row objects: a column is read as its values, cells as one contiguous run. */
import { tableFromIPC } from '@uwdata/flechette';

export type Values = Int32Array | Float32Array | Uint8Array | string[];
/** Columns of one surface over consecutive rows; fixed-size lists are flattened (row-major). */
export interface Block {
  readonly rows: number;
  readonly columns: Record<string, Values>;
}

interface RawBatch {
  readonly length: number;
  readonly values?: Int32Array | Float32Array | Uint8Array;
  readonly children?: readonly RawBatch[];
  at(index: number): unknown;
}

function join(parts: readonly (Int32Array | Float32Array | Uint8Array)[]): Int32Array | Float32Array | Uint8Array {
  const [first] = parts;
  if (!first) return new Uint8Array(0);
  if (parts.length === 1) return first.slice();
  const out = new (first.constructor as { new (n: number): Int32Array })(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part as Int32Array, at);
    at += part.length;
  }
  return out;
}

/** Decodes a stream, or a schema message followed by batch messages. The result owns its memory. */
export function decodeArrow(data: ArrayBuffer | Uint8Array | Uint8Array[]): Block {
  const table = tableFromIPC(data);
  const columns: Record<string, Values> = {};
  for (const name of table.names) {
    const batches = (table.getChild(name) as unknown as { data: readonly RawBatch[] }).data;
    const parts: (Int32Array | Float32Array | Uint8Array)[] = [];
    const strings: string[] = [];
    for (const batch of batches) {
      const child = batch.children?.[0];
      if (child?.values) {
        const width = batch.length ? child.values.length / batch.length : 0;
        parts.push(child.values.subarray(0, batch.length * Math.floor(width)));
      } else if (batch.values && !(batch.values instanceof Uint8Array && isText(batch))) {
        parts.push(batch.values.subarray(0, batch.length));
      } else for (let i = 0; i < batch.length; i++) strings.push(String(batch.at(i) ?? ''));
    }
    columns[name] = strings.length ? strings : join(parts);
  }
  return { rows: table.numRows, columns };
}

/** Text batches carry their bytes as `values` too; they are told apart by their offsets. */
const isText = (batch: RawBatch): boolean =>
  'offsets' in batch && (batch as { offsets?: unknown }).offsets !== undefined;
