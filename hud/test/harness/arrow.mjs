/** Arrow bytes for the double of the sidecar, written with the reference library. */
import {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint8,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';

const leaf = (values) =>
  values instanceof Int32Array ? new Int32() : values instanceof Float32Array ? new Float32() : new Uint8();

function dataOf(column, rows) {
  const { values, size } = column;
  if (Array.isArray(values)) return vectorFromArray(values, new Utf8()).data[0];
  const child = makeData({ type: leaf(values), length: values.length, data: values });
  if (size === undefined || size === 1) return child;
  return makeData({
    type: new FixedSizeList(size, new Field('item', leaf(values), false)),
    length: rows,
    nullCount: 0,
    child,
  });
}

/** `columns`: name -> {values, size?}; `sec` is put first. */
export function streamBytes(secs, columns) {
  const all = { sec: { values: secs }, ...columns };
  const data = Object.values(all).map((column) => dataOf(column, secs.length));
  const fields = Object.keys(all).map((name, i) => new Field(name, data[i].type, false));
  const batch = new RecordBatch(
    new Schema(fields),
    makeData({ type: new Struct(fields), length: secs.length, nullCount: 0, children: data }),
  );
  return RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
}

/** The schema message and the batch message of a stream of one batch. */
export function messagesOf(stream) {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const end = 8 + view.getInt32(4, true);
  return { schema: stream.slice(0, end), batch: stream.slice(end, stream.byteLength - 8) };
}

/** One binary frame. `segments`: [{id, rows, bytes}], ids ascending. */
export function frameBytes({ kind, flags = 0, epoch, seq, tsNs = 0n, sec = 0, count = 0, segments }) {
  const pad = (n) => (n + 7) & ~7;
  let at = 40 + 16 * segments.length;
  const places = segments.map((segment) => {
    const place = pad(at);
    at = place + segment.bytes.length;
    return place;
  });
  const out = new Uint8Array(pad(at));
  const view = new DataView(out.buffer);
  out.set([0x53, 0x50, 0x4d, 0x31, 1, kind]);
  view.setUint16(6, flags, true);
  view.setUint32(8, epoch, true);
  view.setUint32(12, segments.length, true);
  view.setBigUint64(16, BigInt(seq), true);
  view.setBigInt64(24, tsNs, true);
  view.setUint32(32, sec, true);
  view.setUint32(36, count, true);
  segments.forEach((segment, i) => {
    const entry = 40 + 16 * i;
    view.setUint16(entry, segment.id, true);
    view.setUint16(entry + 2, 1, true);
    view.setUint32(entry + 4, segment.rows, true);
    view.setUint32(entry + 8, places[i], true);
    view.setUint32(entry + 12, segment.bytes.length, true);
    out.set(segment.bytes, places[i]);
  });
  return out;
}
