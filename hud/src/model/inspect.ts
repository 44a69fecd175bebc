/** Exact values at one price and second: what `inspect` answers, in words, each with its unit and what it is measured by. */
import { formatPrice, type Manifest } from '../wire/manifest.ts';

/** Without a value it heads what follows. */
export type Line = readonly [name: string, value: string];
type Row = Record<string, unknown>;
interface Table {
  readonly rows?: Row[];
  readonly units?: Record<string, string>;
  /** Usual value of each component, where earlier sessions tell one. */
  readonly usual?: Record<string, number>;
}

/** Tables with one row a price (and side): those of other kinds have columns of the same names that mean other things. */
const PRICED = ['wall_surface_1s', 'vacuum_surface_1s', 'gex_surface_1s'];
/** What is shown of their rows, in this order: column, words, baseline. Everything else is in the downloads. */
const SHOWN: readonly (readonly [string, string, string])[] = [
  ['depth_qty_end', 'resting', ''],
  ['depth_qty_rest', 'rested 500 ms', ''],
  ['order_count_end', 'orders', ''],
  ['add_qty', 'added', 'in this second'],
  ['pull_qty_total', 'pulled', 'in this second'],
  ['fill_qty', 'filled', 'in this second'],
  ['vacuum_score', 'vacuum', 'of 0..1, idle 0.5'],
  ['wall_strength_log', 'strength', 'ln of times the median of its 20 ticks'],
  ['gex_call', 'GEX calls', ''],
  ['gex_put', 'GEX puts', ''],
  ['gex', 'GEX net', ''],
  ['flow_gex', 'GEX flow', 'of this session'],
];
const KINDS = ['book', 'trade', 'option', 'rest'] as const;
const DIRECTIONS = ['long', 'short'] as const;

const num = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const short = (value: number): string => String(Number(value.toPrecision(3)));
/** One word for one thing: the tables count lots, the page contracts. */
const unitOf = (unit: string | undefined): string => (unit === 'lots' ? 'contracts' : (unit ?? ''));

/** Lines of an `inspect` answer, those of pressure last. */
export function inspectLines(json: unknown, manifest: Manifest): Line[] {
  const tables = (json as { tables?: Record<string, Table> } | null)?.tables ?? {};
  const of = (name: string): Table =>
    Object.entries(tables).find(([table]) => table.split('.').at(-1) === name)?.[1] ?? {};
  const lines: [number, string, string][] = [];
  for (const { rows = [], units = {} } of PRICED.map(of)) {
    for (const row of rows) {
      const side = rows.length > 1 ? ({ A: ' ask', B: ' bid' }[String(row.side)] ?? '') : '';
      SHOWN.forEach(([column, words, baseline], place) => {
        const value = row[column];
        if (value === undefined) return;
        const exact = typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
        const text = [exact, unitOf(units[column]), baseline].filter(Boolean).join(' ');
        lines.push([place, `${words}${side}`, value === null ? 'no data' : text]);
      });
    }
  }
  const inOrder = lines.sort((a, b) => a[0] - b[0]).map(([, name, text]): Line => [name, text]);
  return [...inOrder, ...pressureLines(of('pressure_surface_1s'), manifest)];
}

/** Who outpaces whom in a bucket: the balance, and what it is made of, long and short apart. */
function pressureLines({ rows = [], usual = {} }: Table, manifest: Manifest): Line[] {
  const row = rows[0];
  const from = num(row?.bucket_price_int);
  if (!row || from === null) return [];
  const low = Math.round(from / 1e9 / manifest.tickSize);
  const high = low + manifest.bucketTicks - 1;
  const [net, long, against] = ['net_pressure', 'long_pressure', 'short_pressure'].map((name) => num(row[name]));
  const lines: Line[] = [
    [`pressure, ${formatPrice(manifest, low)} to ${formatPrice(manifest, high)}`, ''],
    [
      'balance',
      net == null || long == null || against == null
        ? 'no data'
        : `${net > 0 ? '+' : net < 0 ? '−' : ''}${Math.abs(net).toFixed(2)} of −1..1: long ${short(long)}, short ${short(against)} times the usual`,
    ],
  ];
  for (const kind of KINDS) {
    const parts = DIRECTIONS.map((direction) => {
      const value = num(row[`${kind}_${direction}`]);
      const known = usual[`${kind}_${direction}`];
      if (value === null) return null;
      return `${direction} ${short(value)}${known ? ` (${short(value / known)}×)` : ''}`;
    });
    lines.push([kind, parts.includes(null) ? 'not quoted in this session so far' : parts.join(', ')]);
  }
  return [...lines, ['unit', pressureUnit(manifest, Object.keys(usual).length > 0)]];
}

function pressureUnit({ calibration }: Manifest, has: boolean): string {
  const unit = 'contracts; flows fade, options count by delta';
  if (!has) return `${unit}; no usual value to compare with`;
  const { sessions } = calibration;
  const pool =
    calibration.status === 'ok' ? `${sessions ?? '?'} earlier session${sessions === 1 ? '' : 's'}` : 'this session';
  return `${unit}; × the usual of ${pool} at this distance`;
}
