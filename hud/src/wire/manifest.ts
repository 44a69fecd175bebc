/** The manifest of a session: everything the HUD must not hard-code. Parsed once; what is missing is named. */
import type { Transfer } from './transfer.ts';

export type SurfaceStatus = 'ok' | 'unavailable' | 'broken';
export interface ColumnSpec {
  readonly name: string;
  readonly type: string;
  readonly unit: string | null;
  readonly transfer: Transfer | null;
  readonly pool: 'max' | 'last' | 'mean' | null;
  readonly members: readonly string[];
}
export interface SurfaceSpec {
  readonly id: number;
  readonly name: string;
  readonly status: SurfaceStatus;
  readonly reason: string | null;
  readonly absent: string | null;
  readonly columns: readonly ColumnSpec[];
}
/** Whether a list of the context (candles, levels, episodes ...) or a stored table has data. */
export interface PartSpec {
  readonly name: string;
  readonly status: SurfaceStatus;
  readonly reason: string | null;
  /** Whether it was made, and has no row. */
  readonly empty?: boolean;
}
export interface BandSpec {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
}
export interface SegmentSpec {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}
export interface Manifest {
  readonly symbol: string;
  readonly contract: string;
  readonly dt: string;
  readonly dataVersion: string;
  readonly simulated: boolean;
  readonly t0Ns: bigint;
  readonly seconds: number;
  readonly exchangeTz: string;
  readonly segments: readonly SegmentSpec[];
  /** Where a page opens the session: 14 minutes into its trading. */
  readonly openingSec: number;
  readonly tickSize: number;
  readonly decimals: number;
  readonly baseTick: number;
  readonly halfTicks: number;
  readonly ladderTicks: number;
  readonly strikes: number;
  readonly bands: readonly BandSpec[];
  readonly bucketTicks: number;
  readonly calibration: {
    readonly status: string;
    readonly basis: string;
    readonly asofDt: string | null;
    readonly sessions: number | null;
    readonly reason: string | null;
  };
  readonly surfaces: ReadonlyMap<string, SurfaceSpec>;
  readonly panels: ReadonlyMap<string, PartSpec>;
  readonly tables: ReadonlyMap<string, PartSpec>;
}

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function need<T>(source: Json, field: string, check: (value: unknown) => value is T): T {
  const value = source[field];
  if (!check(value)) throw new ManifestError(`manifest field ${field}: ${JSON.stringify(value)} is not usable`);
  return value;
}
const isString = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

function parseTransfer(value: unknown): Transfer | null {
  if (!isObject(value)) return null;
  if (value.fn === 'unit' || value.fn === 'signed_unit') return { fn: value.fn };
  if (value.fn === 'signed_log' && isNumber(value.c) && isNumber(value.max)) {
    return { fn: 'signed_log', c: value.c, max: value.max };
  }
  throw new ManifestError(`manifest transfer ${JSON.stringify(value)} is unknown`);
}

const statusOf = (value: unknown): SurfaceStatus => (value === 'ok' || value === 'broken' ? value : 'unavailable');

function parseSurface(source: Json): SurfaceSpec {
  return {
    id: need(source, 'id', isNumber),
    name: need(source, 'name', isString),
    status: statusOf(source.status),
    reason: text(source.reason),
    absent: text(source.absent),
    columns: list(source.columns).map((column) => ({
      name: need(column, 'name', isString),
      type: text(column.type) ?? '',
      unit: text(column.unit),
      transfer: parseTransfer(column.transfer),
      pool: column.pool === 'max' || column.pool === 'last' || column.pool === 'mean' ? column.pool : null,
      members: Array.isArray(column.members) ? column.members.filter(isString) : [],
    })),
  };
}

/** Checks and converts the JSON of `GET /v1/sessions/{symbol}/{dt}`. Throws ManifestError naming the field. */
export function parseManifest(json: unknown): Manifest {
  if (!isObject(json)) throw new ManifestError('manifest is no object');
  const calibration = isObject(json.calibration) ? json.calibration : {};
  const surfaces = list(json.surfaces).map(parseSurface);
  const parts = (field: string): ReadonlyMap<string, PartSpec> =>
    new Map(
      list(json[field]).map((part) => {
        const name = need(part, 'name', isString);
        return [name, { name, status: statusOf(part.status), reason: text(part.reason), empty: part.rows === 0 }];
      }),
    );
  const t0 = need(json, 't0_ns', isString);
  if (!/^\d+$/.test(t0)) throw new ManifestError(`manifest field t0_ns: ${t0} is no integer`);
  return {
    symbol: need(json, 'symbol', isString),
    contract: text(json.contract) ?? '',
    dt: need(json, 'dt', isString),
    dataVersion: need(json, 'data_version', isString),
    simulated: json.provenance === 'simulated',
    t0Ns: BigInt(t0),
    seconds: need(json, 'seconds', isNumber),
    exchangeTz: text(json.exchange_tz) ?? 'America/Chicago',
    segments: list(json.segments).map((segment) => ({
      name: need(segment, 'name', isString),
      from: need(segment, 'from', isNumber),
      to: need(segment, 'to', isNumber),
    })),
    openingSec: need(json, 'opening_sec', isNumber),
    tickSize: Number(need(json, 'tick_size', isString)),
    decimals: need(json, 'price_decimals', isNumber),
    baseTick: need(json, 'base_tick', isNumber),
    halfTicks: need(json, 'half_ticks', isNumber),
    ladderTicks: isNumber(json.ladder_ticks) ? json.ladder_ticks : 40,
    strikes: isNumber(json.gex_strikes) ? json.gex_strikes : 25,
    bands: list(json.bands).map((band) => ({
      name: need(band, 'name', isString),
      lo: need(band, 'lo', isNumber),
      hi: need(band, 'hi', isNumber),
    })),
    bucketTicks: isNumber(json.bucket_ticks) ? json.bucket_ticks : 4,
    calibration: {
      status: text(calibration.status) ?? 'defaults',
      basis: text(calibration.basis) ?? 'instrument defaults',
      asofDt: text(calibration.asof_dt),
      sessions: isNumber(calibration.n_sessions) ? calibration.n_sessions : null,
      reason: text(calibration.reason),
    },
    surfaces: new Map(surfaces.map((surface) => [surface.name, surface])),
    panels: parts('panels'),
    tables: parts('tables'),
  };
}

export const column = (manifest: Manifest, surface: string, name: string): ColumnSpec | null =>
  manifest.surfaces.get(surface)?.columns.find((spec) => spec.name === name) ?? null;

/** Why a surface or panel is not drawn, or null where it is. */
export function unavailable(manifest: Manifest, name: string): string | null {
  const spec = manifest.surfaces.get(name) ?? manifest.panels.get(name);
  if (!spec) return 'not served';
  return spec.status === 'ok' ? null : (spec.reason ?? spec.status);
}

export const formatPrice = (manifest: Manifest, tick: number): string =>
  (tick * manifest.tickSize).toFixed(manifest.decimals);
/** Ticks as points, signed with a true minus. */
export const formatPoints = (manifest: Manifest, ticks: number): string => {
  const points = Math.abs(ticks * manifest.tickSize).toFixed(manifest.decimals);
  return ticks < 0 ? `−${points}` : ticks > 0 ? `+${points}` : points;
};
