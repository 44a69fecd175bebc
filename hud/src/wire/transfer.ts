/** Codes of cells (one byte, 0 = missing) to values and back. Declared per column in the manifest. */
export type Transfer =
  | { readonly fn: 'unit' }
  | { readonly fn: 'signed_unit' }
  | { readonly fn: 'signed_log'; readonly c: number; readonly max: number };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** Code of `x`; 0 where x is NaN. A non-zero x under `signed_log` never yields 128. */
export function encode(transfer: Transfer, x: number): number {
  if (Number.isNaN(x)) return 0;
  if (transfer.fn === 'unit') return 1 + Math.round(254 * clamp(x, 0, 1));
  // Magnitudes are rounded, so that a sign changes nothing else; halves go up, as on the server.
  if (transfer.fn === 'signed_unit') return 128 + Math.sign(x) * Math.round(127 * Math.min(1, Math.abs(x)));
  const size = Math.round((127 * Math.log1p(Math.abs(x) / transfer.c)) / Math.log1p(transfer.max / transfer.c));
  if (x === 0) return 128;
  return 128 + Math.sign(x) * clamp(size, 1, 127);
}

/** Value of a code; null for "missing". */
export function decode(transfer: Transfer, code: number): number | null {
  if (code === 0) return null;
  if (transfer.fn === 'unit') return (code - 1) / 254;
  if (transfer.fn === 'signed_unit') return (code - 128) / 127;
  const share = Math.abs(code - 128) / 127;
  const size = transfer.c * Math.expm1(share * Math.log1p(transfer.max / transfer.c));
  return code < 128 ? -size : size;
}

/** All 256 values, NaN for "missing". */
export function decodeTable(transfer: Transfer): Float64Array {
  return Float64Array.from({ length: 256 }, (_, code) => decode(transfer, code) ?? Number.NaN);
}

/** What "largest magnitude" pools by: distance from zero for signed functions, else the code. */
export const codeMagnitude = (transfer: Transfer, code: number): number =>
  transfer.fn === 'unit' ? code : Math.abs(code - 128);
