import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { decodeArrow } from '../../src/wire/decode.ts';
import { parseFrame } from '../../src/wire/frame.ts';
import { messagesOf, streamBytes } from '../harness/arrow.mjs';
import { asTruth, buffer, bytes, json } from './fixtures.ts';

const schemas = new Map(parseFrame(buffer('schema.bin')).segments.map((s) => [s.surfaceId, s.bytes]));
const geometry = json('geometry.json') as {
  surfaces: { id: number; name: string; columns: { name: string; length: number | null }[] }[];
};
const surfaceOf = new Map(geometry.surfaces.map((s) => [s.id, s]));
const nestedIn = (id: number) => (name: string) =>
  surfaceOf.get(id)?.columns.find((c) => c.name === name)?.length != null;

/** The reference library's view of the same bytes. */
function oracle(data: Uint8Array): Record<string, unknown[]> {
  const table = tableFromIPC(data);
  return Object.fromEntries(
    table.schema.fields.map((field) => [
      field.name,
      Array.from(table.getChild(field.name)!, (v: unknown) => {
        const plain = (x: unknown): unknown => (typeof x === 'number' && Number.isNaN(x) ? null : x);
        return v !== null && typeof v === 'object' ? Array.from(v as Iterable<unknown>, plain) : plain(v);
      }),
    ]),
  );
}
const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
};

describe.each(['window', 'window-missing', 'bundle'])('%s.bin', (name) => {
  const truth = json(`${name}.json`);
  const frame = parseFrame(buffer(`${name}.bin`));
  it('has the header of its truth', () => {
    expect({
      kind: frame.kind,
      flags: frame.flags,
      epoch: frame.epoch,
      seq: frame.seq,
      ts_ns: String(frame.tsNs),
      sec: frame.sec,
      count: frame.count,
    }).toEqual(
      Object.fromEntries(['kind', 'flags', 'epoch', 'seq', 'ts_ns', 'sec', 'count'].map((key) => [key, truth[key]])),
    );
  });
  it.each(frame.segments.map((s) => [surfaceOf.get(s.surfaceId)!.name, s] as const))(
    '%s: both libraries agree with the truth',
    (surface, segment) => {
      const schema = schemas.get(segment.surfaceId)!;
      const mine = asTruth(decodeArrow([schema, segment.bytes]), nestedIn(segment.surfaceId));
      expect(mine).toEqual(truth.surfaces[surface]);
      expect(oracle(join(schema, segment.bytes))).toEqual(truth.surfaces[surface]);
    },
  );
});

describe('the largest bundle', () => {
  it('decodes to the sums of its truth', () => {
    const truth = json('bundle-max.json') as { sums: Record<string, Record<string, number>> };
    for (const segment of parseFrame(buffer('bundle-max.bin')).segments) {
      const sums = truth.sums[surfaceOf.get(segment.surfaceId)!.name]!;
      const row = Object.fromEntries(
        Object.keys(sums).map((name) => [name, { values: new Uint8Array(801), size: 801 }]),
      );
      const { schema } = messagesOf(streamBytes(Int32Array.of(0), row));
      const block = decodeArrow([schema, segment.bytes]);
      expect(block.rows).toBe(300);
      for (const [name, sum] of Object.entries(sums))
        expect(
          (block.columns[name] as Uint8Array).reduce((a, b) => a + b, 0),
          name,
        ).toBe(sum);
    }
  });
});

describe.each(geometry.surfaces.filter((s) => s.name !== 'ladder' && s.name !== 'reading'))(
  'tile-$name',
  ({ id, name }) => {
    it('is the same table to both libraries and to its truth', () => {
      const truth = json(`tile-${name}.json`);
      expect(asTruth(decodeArrow(bytes(`tile-${name}.arrows`)), nestedIn(id))).toEqual(truth);
      expect(oracle(bytes(`tile-${name}.arrows`))).toEqual(truth);
    });
    it('keeps its columns when it is empty', () => {
      const block = decodeArrow(bytes(`tile-${name}-empty.arrows`));
      expect(block.rows).toBe(0);
      expect(Object.keys(block.columns)).toEqual(Object.keys(json(`tile-${name}.json`)));
    });
  },
);
