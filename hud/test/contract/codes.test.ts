import { describe, expect, it } from 'vitest';
import { groupAnchor, poolCells } from '../../src/model/lod.ts';
import { holds, met, ORDER, stateName, thesis } from '../../src/panels/mechanics.ts';
import { FrameError, parseFrame } from '../../src/wire/frame.ts';
import { ManifestError, parseManifest, unavailable } from '../../src/wire/manifest.ts';
import { decode, encode, type Transfer } from '../../src/wire/transfer.ts';
import { buffer, json } from './fixtures.ts';

interface TransferTruth {
  transfer: Transfer;
  decode: (number | null)[];
  values: (number | null)[];
  encode: number[];
}

describe.each(json('transfer.json') as TransferTruth[])(
  'transfer $transfer.fn',
  ({ transfer, decode: values, values: inputs, encode: codes }) => {
    it('decodes every code as the server does', () => {
      values.forEach((value, code) => {
        const mine = decode(transfer, code);
        if (value === null) expect(mine).toBeNull();
        else expect(mine!).toBeCloseTo(value, 8 - Math.ceil(Math.log10(Math.abs(value) + 1)));
      });
    });
    it('encodes every value as the server does', () => {
      expect(inputs.map((x) => encode(transfer, x ?? Number.NaN))).toEqual(codes);
    });
    it('goes there and back', () => {
      for (let code = 1; code < 256; code++) expect(encode(transfer, decode(transfer, code)!)).toBe(code);
    });
  },
);

describe('frames', () => {
  it.each(json('bad-frames.json') as { name: string; base64: string }[])('$name is refused', ({ base64 }) => {
    const bad = Uint8Array.from(Buffer.from(base64, 'base64'));
    expect(() => parseFrame(bad.slice().buffer)).toThrow(FrameError);
  });
  it.each(['schema.bin', 'window.bin', 'bundle.bin'])(
    '%s cut anywhere is refused, never read out of bounds',
    (name) => {
      const whole = buffer(name);
      const table = 40 + 16 * parseFrame(whole).segments.length;
      for (let length = 0; length < whole.byteLength - 8; length += length < table ? 1 : 37) {
        expect(() => parseFrame(whole.slice(0, length)), String(length)).toThrow(FrameError);
      }
    },
  );
  it('with any byte of header and table changed either parse within bounds or are refused', () => {
    const whole = buffer('window.bin');
    const table = 40 + 16 * parseFrame(whole).segments.length;
    for (let at = 0; at < table; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const copy = new Uint8Array(whole.slice(0));
        copy[at] = value;
        try {
          for (const segment of parseFrame(copy.buffer).segments)
            expect(segment.bytes.byteOffset + segment.bytes.length).toBeLessThanOrEqual(whole.byteLength);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }
    }
  });
});

describe('levels of detail', () => {
  const truth = json('lod.json');
  const { width, secs, spot, state } = truth as { width: number; secs: number[]; spot: number[]; state: number[] };
  const codes = Uint8Array.from(Buffer.from(truth.codes, 'base64'));
  it.each(
    truth.pooled as {
      level: number;
      transfer: Transfer;
      pool: 'max' | 'mean' | 'last';
      secs: number[];
      anchor: number[];
      codes: string;
    }[],
  )('$level s, $transfer.fn, $pool', (pooled) => {
    const wanted = Uint8Array.from(Buffer.from(pooled.codes, 'base64'));
    pooled.secs.forEach((first, g) => {
      const members = secs.flatMap((s, i) => (Math.floor(s / pooled.level) * pooled.level === first ? [i] : []));
      const [begin, end] = [members[0]!, members.at(-1)! + 1];
      const anchor = groupAnchor(spot.slice(begin, end), state.slice(begin, end));
      expect(anchor).toBe(pooled.anchor[g]);
      const mine = poolCells(
        codes.subarray(begin * width, end * width),
        width,
        spot.slice(begin, end),
        anchor,
        pooled.pool,
        pooled.transfer,
      );
      expect([...mine]).toEqual([...wanted.subarray(g * width, (g + 1) * width)]);
    });
  });
});

interface StateTruth {
  state_dn: number;
  state_up: number;
  holds: Record<string, boolean>;
  name: string;
  from_below: string;
  from_above: string;
}
describe('states of the conditions', () => {
  /** Places of `z`, as the wire has them. */
  const measures = ['r_ask', 'n_ask', 'r_bid', 'n_bid'];
  it.each(json('moves.json') as StateTruth[])('$state_dn reads as the library made it', (truth) => {
    for (const [direction, bits] of [
      ['down', truth.state_dn],
      ['up', truth.state_up],
    ] as const) {
      const lamps = ORDER[direction].map((place, i) => [measures[place]!, holds(bits, i)]);
      expect(Object.fromEntries(lamps)).toEqual(truth.holds);
      expect(met(bits)).toBe(Object.values(truth.holds).filter(Boolean).length);
    }
    expect(stateName(truth.state_dn)).toBe(truth.name);
    expect([thesis(truth.state_dn, 'up'), thesis(truth.state_dn, 'down')]).toEqual([
      truth.from_below,
      truth.from_above,
    ]);
  });
});

describe('manifest', () => {
  it('of the server is understood', () => {
    const manifest = parseManifest(json('manifest.json'));
    expect(manifest.t0Ns).toBe(1767657600000000000n);
    expect(manifest.bands.map((b) => b.name)).toEqual(['AT', 'NEAR', 'MID', 'FAR']);
    expect(manifest.surfaces.get('wall')!.columns[0]!.transfer).toEqual({
      fn: 'signed_log',
      c: expect.any(Number),
      max: expect.any(Number),
    });
    expect(unavailable(manifest, 'levels')).toBe('not materialised');
    expect(unavailable(manifest, 'wall')).toBeNull();
  });
  it('names the field that is not usable', () => {
    const broken = { ...json('manifest.json'), seconds: '86400' };
    expect(() => parseManifest(broken)).toThrow(ManifestError);
    expect(() => parseManifest(broken)).toThrow(/seconds/);
  });
});
