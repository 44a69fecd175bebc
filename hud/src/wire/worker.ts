/** The worker: socket, frames, Arrow, pooling of streamed rows, tile requests. Main gets typed arrays it can upload. */
import { StreamPooler } from '../model/pooler.ts';
import { StreamClient } from './client.ts';
import { type Block, decodeArrow } from './decode.ts';
import { FRAME_FLAG, type Frame, KIND } from './frame.ts';
import { address, getBytes } from './http.ts';
import { type FromWorker, TILE_ROWS, type TileKey, type ToWorker } from './messages.ts';
import { TileScheduler } from './tiles.ts';

type Opened = Extract<ToWorker, { type: 'open' }>;
let opened: Opened | null = null;
let client: StreamClient | null = null;
let pooler: StreamPooler | null = null;
let names = new Map<number, string>();
const schemas = new Map<number, Uint8Array>();

const SURFACE_IDS: Record<number, string> = {
  1: 'snap',
  2: 'wall',
  3: 'vacuum',
  4: 'pressure',
  5: 'bands',
  6: 'moves',
  7: 'gex',
  8: 'ladder',
  9: 'reading',
  10: 'radar',
};

function post(message: FromWorker): void {
  const transfer: Transferable[] = [];
  if (message.type === 'rows') {
    for (const block of Object.values(message.blocks)) {
      for (const values of Object.values(block.columns)) if (!Array.isArray(values)) transfer.push(values.buffer);
    }
  }
  (self as unknown as { postMessage(m: unknown, t: Transferable[]): void }).postMessage(message, transfer);
}

function onFrame(frame: Frame): void {
  if (frame.kind === KIND.SCHEMA) {
    for (const segment of frame.segments) schemas.set(segment.surfaceId, segment.bytes.slice());
    return;
  }
  const blocks: Record<string, Block> = {};
  for (const segment of frame.segments) {
    const schema = schemas.get(segment.surfaceId);
    const name = names.get(segment.surfaceId);
    if (schema && name) blocks[name] = decodeArrow([schema, segment.bytes]);
  }
  const source = frame.flags & FRAME_FLAG.HISTORY ? 'history' : 'stream';
  const pooled = pooler?.add(frame.sec, frame.count, blocks) ?? [];
  post({ type: 'rows', source, lod: 1, first: frame.sec, count: frame.count, blocks, epoch: frame.epoch });
  for (const rows of pooled) post({ type: 'rows', source: 'pooled', epoch: frame.epoch, ...rows });
}

async function fetchTile(key: TileKey, signal: AbortSignal): Promise<void> {
  const session = opened;
  if (!session) return;
  const from = key.tile * TILE_ROWS * key.lod;
  const to = Math.min(from + TILE_ROWS * key.lod, session.seconds);
  const url = address(session.base, `/v1/sessions/${session.symbol}/${session.dt}/tiles/${key.surface}`, {
    from,
    to,
    lod: key.lod,
    ...(key.pool ? { pool: key.pool } : {}),
    v: session.dataVersion,
  });
  const block = decodeArrow(await getBytes(url, signal));
  if (block.rows === 0 || signal.aborted) return;
  post({
    type: 'rows',
    source: 'tile',
    lod: key.lod,
    first: from / key.lod,
    count: block.rows,
    blocks: { [key.surface]: block },
    epoch: -1,
  });
}

const tiles = new TileScheduler(fetchTile, (key, problem) =>
  post({ type: 'tile', key, ok: problem === null, problem }),
);

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.type === 'open') {
    client?.close();
    opened = message;
    names = new Map(Object.entries(SURFACE_IDS).map(([id, name]) => [Number(id), name]));
    schemas.clear();
    pooler = new StreamPooler(message.width, message.seconds, message.cells);
    const url = new URL(`${message.base}/v1/stream`, self.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const { symbol, dt, surfaces, from, bootstrap, speed, play } = message;
    client = new StreamClient(
      url.href,
      { symbol, dt, surfaces, from, bootstrap, speed, play },
      {
        frame: onFrame,
        control: (m) => post({ type: 'control', message: m }),
        link: (state, detail) => post({ type: 'link', state, detail }),
      },
    );
    client.open();
  } else if (message.type === 'want') tiles.want(message.keys);
  else if (message.type === 'pool') pooler?.setPool(message.pool);
  else if (message.type === 'control') client?.send(message.message);
  else client?.close();
};
