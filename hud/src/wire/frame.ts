/**
 * Binary frames of `spymaster.arrow.v1` (little-endian): a 40-byte header, a table of 16-byte segment entries, and one
 * encapsulated Arrow message per segment, each at an offset divisible by 8 so that typed arrays need no copy.
 */
export const KIND = { SCHEMA: 1, WINDOW: 2, BUNDLE: 3 } as const;
export const FRAME_FLAG = { HISTORY: 1, AFTER_GAP: 2, LAST: 4 } as const;
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;
export const MAX_HISTORY_WINDOWS = 300;
const HEADER_BYTES = 40;
const ENTRY_BYTES = 16;
const MAGIC = 0x314d5053; // "SPM1"

export interface Segment {
  readonly surfaceId: number;
  readonly schemaRev: number;
  readonly rows: number;
  readonly bytes: Uint8Array;
}
export interface Frame {
  readonly kind: number;
  readonly flags: number;
  readonly epoch: number;
  readonly seq: number;
  /** Window end of the last window, ns since 1970; 0 for SCHEMA. */
  readonly tsNs: bigint;
  readonly sec: number;
  readonly count: number;
  readonly segments: readonly Segment[];
}

export class FrameError extends Error {
  override readonly name = 'FrameError';
  constructor(
    readonly field: string,
    problem: string,
  ) {
    super(`frame ${field}: ${problem}`);
  }
}

const require_ = (ok: boolean, field: string, problem: string): void => {
  if (!ok) throw new FrameError(field, problem);
};

/** Parses one frame. Segments are views on `buffer`. Throws FrameError on any violation; never reads out of bounds. */
export function parseFrame(buffer: ArrayBuffer): Frame {
  const total = buffer.byteLength;
  require_(total >= HEADER_BYTES, 'length', `${total} B is shorter than the header`);
  require_(total <= MAX_FRAME_BYTES, 'length', `${total} B is over ${MAX_FRAME_BYTES}`);
  const view = new DataView(buffer);
  require_(view.getUint32(0, true) === MAGIC, 'magic', 'is not SPM1');
  require_(view.getUint8(4) === 1, 'version', `${view.getUint8(4)} is not 1`);
  const kind = view.getUint8(5);
  require_(kind >= KIND.SCHEMA && kind <= KIND.BUNDLE, 'kind', `${kind} is unknown`);
  const flags = view.getUint16(6, true);
  const epoch = view.getUint32(8, true);
  const segCount = view.getUint32(12, true);
  const seqHigh = view.getUint32(20, true);
  require_(seqHigh < 0x200000, 'seq', 'is over 2^53');
  const seq = seqHigh * 0x100000000 + view.getUint32(16, true);
  const tsNs = view.getBigInt64(24, true);
  const sec = view.getUint32(32, true);
  const count = view.getUint32(36, true);
  if (kind === KIND.SCHEMA) require_(count === 0, 'count', `${count} in a SCHEMA frame`);
  if (kind === KIND.WINDOW) require_(count === 1, 'count', `${count} in a WINDOW frame`);
  if (kind === KIND.BUNDLE) require_(count >= 1, 'count', 'is 0 in a BUNDLE frame');
  if (flags & FRAME_FLAG.HISTORY) require_(count <= MAX_HISTORY_WINDOWS, 'count', `${count} in a HISTORY bundle`);
  require_(segCount <= (total - HEADER_BYTES) / ENTRY_BYTES, 'seg_count', `${segCount} do not fit`);

  const segments: Segment[] = [];
  let lastId = -1;
  let end = HEADER_BYTES + segCount * ENTRY_BYTES;
  for (let i = 0; i < segCount; i++) {
    const at = HEADER_BYTES + i * ENTRY_BYTES;
    const surfaceId = view.getUint16(at, true);
    const schemaRev = view.getUint16(at + 2, true);
    const rows = view.getUint32(at + 4, true);
    const offset = view.getUint32(at + 8, true);
    const length = view.getUint32(at + 12, true);
    require_(surfaceId > lastId, 'segment id', `${surfaceId} after ${lastId}`);
    require_(offset % 8 === 0, 'segment offset', `${offset} is not divisible by 8`);
    require_(offset >= end, 'segment offset', `${offset} overlaps what ends at ${end}`);
    require_(offset + length <= total, 'segment length', `${offset} + ${length} is over ${total}`);
    if (kind !== KIND.SCHEMA) require_(rows === count, 'segment rows', `${rows}, not ${count}`);
    segments.push({ surfaceId, schemaRev, rows, bytes: new Uint8Array(buffer, offset, length) });
    lastId = surfaceId;
    end = offset + length;
  }
  return { kind, flags, epoch, seq, tsNs, sec, count, segments };
}
