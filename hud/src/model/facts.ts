/** Facts behind the reading of a second, as the sidecar wrote them: what the plot marks beside the prices they name. */
export interface Obstacle {
  readonly price: number;
  /** Resting quantity in times of the usual. */
  readonly ratio: number;
  readonly trend: 'building' | 'eroding' | 'holding';
}
export interface SideFacts {
  /** Furthest price to which this side's move outpaces the other. */
  readonly run: number | null;
  readonly obstacle: Obstacle | null;
  /** Prices between which liquidity leaves or has left, the nearer to spot first. */
  readonly thin: readonly [number, number] | null;
}
export interface Facts {
  readonly above: SideFacts;
  readonly below: SideFacts;
}

type Json = Record<string, unknown>;
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

function side(value: unknown): SideFacts {
  const { run, obstacle, thin } = object(value);
  const [price, ratio] = [num(object(obstacle).price), num(object(obstacle).ratio)];
  const trend = object(obstacle).trend;
  const [near, far] = [num(object(thin).price), num(object(thin).to_price)];
  return {
    run: num(object(run).price),
    obstacle:
      price === null || ratio === null
        ? null
        : { price, ratio, trend: trend === 'building' || trend === 'eroding' ? trend : 'holding' },
    thin: near === null || far === null ? null : [near, far],
  };
}

/** Facts of one second; null where the text is none or the second had no valid book. */
export function parseFacts(text: string): Facts | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const { above, below, valid } = object(json);
  return valid === false ? null : { above: side(above), below: side(below) };
}
