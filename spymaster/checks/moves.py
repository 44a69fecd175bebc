"""Physics integrity of the move tables: sums are those of the wall, scales are causal, conditions follow from both."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import (
    CONDITIONS,
    MEASURE,
    MOVE_SCALE,
    SNAPSHOT,
    WALL,
    collect,
    finding,
    scan,
)

SAMPLE_WINDOWS = 40
ZONE_TICKS = 20
HORIZONS = (1, 5, 15)
LOOK_BACK_S = 15
TOLERANCE = 1e-4
"""Largest difference of a stored condition (float32) from its recomputation; of a double it is a millionth of that."""
MAD_TO_SIGMA, LEAST_MAD, Z_LIMIT = 1.4826, 1e-9, 8.0

_NEW_YORK = ZoneInfo("America/New_York")
_FLOWS = {
    "add": "add_qty",
    "pull": "pull_qty_total",
    "fill": "fill_qty",
    "away": "reprice_away_qty",
    "toward": "reprice_toward_qty",
}
_SCALED = ("r_ask", "n_ask", "r_bid", "n_bid", "f_ask", "f_bid")


def _differs(name: str, expected: pl.Expr, tolerance: float = 0.0) -> pl.Expr:
    """Where a stored column is not what is expected; a null differs from every number."""
    stored = pl.col(name)
    if not tolerance:
        return ~stored.eq_missing(expected)
    near = (stored - expected).abs() <= tolerance * pl.max_horizontal(expected.abs(), pl.lit(1.0))
    return ~pl.when(stored.is_null() | expected.is_null()).then(stored.is_null() & expected.is_null()).otherwise(near)


@check(MEASURE, SNAPSHOT, suite=Suite.DATA, blocking=True)
def spot_and_mid_of_snapshot(session: Session) -> Finding:
    """What the snapshot can tell is as it says: spot, validity, messages, mid, spread, the best prices' moves and flow.

    Valid are exactly the seconds that are usable like each of the 15 before them.
    """
    bid, ask, spot = pl.col("best_bid_price_int"), pl.col("best_ask_price_int"), pl.col("spot")
    bid_qty, ask_qty = (pl.col(f"best_{side}_qty").cast(pl.Int64) for side in ("bid", "ask"))
    usable = (
        pl.col("window_valid")
        & ~pl.col("crossed")
        & (pl.col("phase").cast(pl.String) == "continuous")
        & pl.all_horizontal(one.is_not_null() for one in (spot, bid, ask))
    )
    whole = pl.col("window_end") - pl.col("window_end").shift(LOOK_BACK_S) == timedelta(seconds=LOOK_BACK_S)
    run = usable.cast(pl.Int32).rolling_sum(LOOK_BACK_S + 1) == LOOK_BACK_S + 1
    moved = ((bid + ask).diff().abs() / (2 * session.tick_size_int)).fill_null(0.0)
    volume = pl.col("buy_volume") + pl.col("sell_volume") + pl.col("none_volume")
    eps = session.instrument.eps_qty
    before_bid, before_ask = bid.shift(1), ask.shift(1)
    flow = (
        pl.when(bid >= before_bid).then(bid_qty).otherwise(0)
        - pl.when(bid <= before_bid).then(bid_qty.shift(1)).otherwise(0)
        - pl.when(ask <= before_ask).then(ask_qty).otherwise(0)
        + pl.when(ask >= before_ask).then(ask_qty.shift(1)).otherwise(0)
    )
    names = ["best_bid_price_int", "best_bid_qty", "best_ask_price_int", "best_ask_qty",
             "spot_ref_price_int", "buy_volume", "sell_volume", "none_volume", "message_count", "crossed", "phase",
             "window_valid"]  # fmt: skip
    moves = {
        f"b_{side}_w{w}": ((price - spot).abs() - (price.shift(w) - spot).abs()) / (w * session.tick_size_int)
        for side, price in (("bid", bid), ("ask", ask))
        for w in HORIZONS
    }
    known = {
        "mid2_int": bid + ask,
        "spread_ticks": (ask - bid) // session.tick_size_int,
        "queue_imb": (bid_qty - ask_qty) / (bid_qty + ask_qty),
        "absorb": ((volume + eps) / (1.0 + moved)).log(),
        "ofi_1": flow,
        **moves,
    }
    snapshot = (
        scan(session, SNAPSHOT, ["window_end", *names])
        .rename({"spot_ref_price_int": "spot"})
        .sort("window_end")
        .select(
            "window_end",
            "spot",
            pl.col("message_count").alias("expected_msgs"),
            (whole & run).fill_null(False).alias("expected_valid"),
            *(value.alias(f"expected_{name}") for name, value in known.items()),
        )
    )
    stored = scan(session, MEASURE, ["window_end", "spot_ref_price_int", "valid", "msgs", *known])
    wrong = [
        _differs("spot_ref_price_int", spot).alias("spot"),
        _differs("valid", pl.col("expected_valid")).alias("valid"),
        _differs("msgs", pl.col("expected_msgs")).alias("msgs"),
    ]
    for name in known:
        exact = name in ("mid2_int", "spread_ticks", "ofi_1")
        of_valid = pl.when("valid").then(pl.col(f"expected_{name}"))
        wrong.append(_differs(name, of_valid, 0.0 if exact else TOLERANCE * 1e-6).alias(name))
    both = stored.join(snapshot, on="window_end", how="left").sort("window_end")
    faults = collect(both.select("window_end", *wrong)).unpivot(index="window_end", variable_name="column")
    bad = faults.filter("value").select("window_end", "column")
    return finding(bad.height, bad, "what the snapshot can tell is as it says", values=faults.height)


@check(MEASURE, WALL, suite=Suite.PHYSICS, blocking=True)
def flows_of_wall(session: Session) -> Finding:
    """Flows, quantities and mean distances of a sample of valid seconds are those of the wall, over 1, 5 and 15 s."""
    measures = collect(scan(session, MEASURE).filter("valid"))
    sample = measures.gather_every(max(1, measures.height // SAMPLE_WINDOWS))
    if sample.is_empty():
        return Finding(0, "no valid second", {"windows": 0})
    expected = _flows(session, sample).join(_quantities(session, sample), on="window_end")
    names = [name for name in expected.columns if name != "window_end"]
    long = [
        frame.select("window_end", pl.col(names).cast(pl.Float64)).unpivot(index="window_end", value_name=value)
        for frame, value in ((expected, "expected"), (sample, "stored"))
    ]
    both = long[0].join(long[1], on=["window_end", "variable"])
    bad = both.filter(_differs("stored", pl.col("expected"), TOLERANCE * 1e-6)).sort("window_end", "variable")
    return finding(bad.height, bad, "sums are those of the wall", windows=sample.height, values=both.height)


def _flows(session: Session, sample: pl.DataFrame) -> pl.DataFrame:
    """Sums of the wall's flows in the zone of each sampled second, over its looks back."""
    rows: list[dict[str, object]] = []
    width = ZONE_TICKS * session.tick_size_int
    for end, spot in sample.select("window_end", "spot_ref_price_int").iter_rows():
        zone = collect(
            scan(session, WALL, ["window_end", "price_int", "side", *_FLOWS.values()])
            .filter(pl.col("window_end").is_between(end - timedelta(seconds=14), end))
            .filter(
                ((pl.col("side") == "A") & pl.col("price_int").is_between(spot, spot + width))
                | ((pl.col("side") == "B") & pl.col("price_int").is_between(spot - width, spot))
            )
        )
        row: dict[str, object] = {"window_end": end}
        for horizon in HORIZONS:
            for side, code in (("ask", "A"), ("bid", "B")):
                late = pl.col("window_end") > end - timedelta(seconds=horizon)
                part = zone.filter(late & (pl.col("side") == code))
                row |= {
                    f"{name}_{side}_w{horizon}": part[column].cast(pl.Int64).sum() for name, column in _FLOWS.items()
                }
        rows.append(row)
    return pl.DataFrame(rows).with_columns(pl.col("window_end").cast(sample.schema["window_end"]))


def _quantities(session: Session, sample: pl.DataFrame) -> pl.DataFrame:
    """Quantity in the zone and its mean distance at both ends of the looks back: a price is as in its last row."""
    width = ZONE_TICKS * session.tick_size_int
    low, high = (getattr(sample["spot_ref_price_int"], name)() for name in ("min", "max"))
    wall = collect(
        scan(session, WALL, ["window_end", "price_int", "side", "depth_qty_end"])
        .filter(pl.col("price_int").is_between(low - width, high + width))
        .rename({"window_end": "at"})
    ).sort("at")
    steps = pl.DataFrame({"distance": range(ZONE_TICKS + 1)})
    ends = pl.DataFrame({"back": (0, *HORIZONS)})
    sides = pl.DataFrame({"side": ["A", "B"], "name": ["ask", "bid"], "sign": [1, -1]})
    sides = sides.with_columns(pl.col("side").cast(wall.schema["side"]))
    cells = sample.select("window_end", "spot_ref_price_int").join(steps, how="cross").join(ends, how="cross")
    cells = cells.join(sides, how="cross").with_columns(
        at=(pl.col("window_end") - pl.duration(seconds=pl.col("back"))).cast(wall.schema["at"]),
        price_int=pl.col("spot_ref_price_int") + pl.col("sign") * pl.col("distance") * session.tick_size_int,
    )
    held = cells.sort("at").join_asof(wall, on="at", by=["side", "price_int"], check_sortedness=False)
    quantity = pl.col("depth_qty_end").fill_null(0).cast(pl.Int64)
    total = held.group_by("window_end", "back", "name").agg(
        q=quantity.sum(), distance=(quantity * pl.col("distance")).sum()
    )
    total = total.with_columns(c=pl.when(pl.col("q") > 0).then(pl.col("distance") / pl.col("q")))
    columns: list[pl.Expr] = []
    for horizon in HORIZONS:
        for side in ("ask", "bid"):
            for number, back in ((0, horizon), (1, 0)):
                these = (pl.col("back") == back) & (pl.col("name") == side)
                columns += [
                    pl.col(value).filter(these).first().cast(pl.Float64).alias(f"{value}{number}_{side}_w{horizon}")
                    for value in ("q", "c")
                ]
    return total.group_by("window_end").agg(columns)


@check(MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def causal(session: Session) -> Finding:
    """Scales come from sessions before the date only, by their rows and by the manifest."""
    rows = collect(scan(session, MOVE_SCALE))
    late = rows.filter((pl.col("last_dt_used") >= session.dt).fill_null(False))
    inputs = [one for one in session.partition(MOVE_SCALE).manifest.inputs if one.kind == "partition"]
    read = sorted(date.fromisoformat(one.name.rsplit(" ", 1)[1]) for one in inputs)
    faults = [f"input of {day} is not earlier than {session.dt}" for day in read if day >= session.dt]
    faults += [
        f"{name}/{bucket}: last_dt_used {last} is not earlier than {session.dt}"
        for bucket, name, last in late.select("tod_bucket", "measure", "last_dt_used").iter_rows()
    ]
    message = faults[0] if faults else f"from {len(read)} sessions before {session.dt}"
    return Finding(len(faults), message, {"sessions": len(read)}, tuple(faults))


@check(MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def added_of_sessions(session: Session) -> Finding:
    """There is a scale for every half hour, and what is usually added is that of the sessions read.

    Not judged where a session that was read has no measures stored now.
    """
    rows = collect(scan(session, MOVE_SCALE))
    cells = {(name, w) for w in HORIZONS for name in (*_SCALED, "add")} | {("msgs", 1), ("absorb", 1)}
    wanted = pl.DataFrame(
        [(bucket, name, w) for bucket in range(48) for name, w in sorted(cells)],
        schema={"tod_bucket": pl.Int32, "measure": pl.String, "horizon_s": pl.Int32},
        orient="row",
    )
    key = list(wanted.columns)
    missing = wanted.join(rows, on=key, how="anti").with_columns(fault=pl.lit("missing"))
    inputs = [one.name for one in session.partition(MOVE_SCALE).manifest.inputs]
    days = [date.fromisoformat(name.rsplit(" ", 1)[1]) for name in inputs if name.startswith(f"{MEASURE} ")]
    if not all(session.lake.has(MEASURE, session.symbol, day) for day in days):
        return finding(missing.height, missing, "a scale for every half hour", rows=rows.height)
    names = [f"add_{side}_w{w}" for w in HORIZONS for side in ("ask", "bid")]
    start = (pl.col("window_end") - pl.duration(seconds=1)).dt.convert_time_zone("America/New_York")
    bucket = ((start.dt.hour().cast(pl.Int32) * 60 + start.dt.minute().cast(pl.Int32)) // 30).alias("tod_bucket")
    pool = pl.concat(
        [
            pl.DataFrame(schema={"tod_bucket": pl.Int32, **dict.fromkeys(names, pl.Float64)}),
            *(
                collect(
                    session.lake.partition(MEASURE, session.symbol, day)
                    .scan(["window_end", "valid", *names])
                    .filter("valid")
                    .select(bucket, pl.col(names).cast(pl.Float64))
                )
                for day in days
            ),
        ]
    )
    value, wide = pl.col("value"), pool.unpivot(index="tod_bucket", variable_name="name")
    usual = (
        wide.with_columns(horizon_s=pl.col("name").str.extract(r"_w(\d+)$").cast(pl.Int32), measure=pl.lit("add"))
        .group_by(key)
        .agg(m=value.median(), s=(value - value.median()).abs().median(), n=pl.len().cast(pl.Int64))
    )
    both = rows.filter(pl.col("measure") == "add").join(usual, on=key, how="left")
    wrong = both.filter(
        _differs("median", pl.col("m"), 1e-12)
        | _differs("mad", pl.col("s"), 1e-12)
        | _differs("n_rows", pl.col("n").fill_null(0))
    ).select(*key, fault=pl.lit("not that of the sessions"))
    bad = pl.concat([missing.select(wrong.columns), wrong]).sort(key)
    return finding(bad.height, bad, "scales are there, and what is added is that of the sessions", sessions=len(days))


@check(MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def fits_are_mirrored(session: Session) -> Finding:
    """Weights of the imbalances are ten with absolute sum 1; the micro-price of a mirrored book is mirrored, too."""
    fits = {
        name: json.loads(text)
        for name, text in collect(scan(session, MOVE_SCALE, ["measure", "value_json"])).drop_nulls().iter_rows()
    }
    faults = []
    weights, table = fits.get("ofi_weights"), fits.get("micro_price")
    if weights is not None and not (len(weights) == 10 and abs(sum(map(abs, weights)) - 1.0) < 1e-9):
        faults.append(f"{len(weights)} weights of absolute sum {sum(map(abs, weights))}")
    if table is not None:
        spreads = [table[k : k + 11] for k in range(0, len(table), 11)]
        mirrored = all(one == [-value for value in one[::-1]] for one in spreads)
        if not (mirrored and len(table) == 33):
            faults.append(f"a micro-price of {len(table)} states that is not antisymmetric in the imbalance")
    message = faults[0] if faults else f"{len(fits)} fits"
    return Finding(len(faults), message, {"fits": len(fits)}, tuple(faults))


@check(CONDITIONS, MEASURE, MOVE_SCALE, suite=Suite.PHYSICS, blocking=True)
def conditions_of_measures(session: Session) -> Finding:
    """Conditions of a sample of seconds follow from measures and scale: values, their z, what is made of those.

    What a scale is missing for, or is of too few sessions for, is null, and nothing else.
    """
    stored = collect(scan(session, CONDITIONS).filter("valid"))
    measures = collect(scan(session, MEASURE).filter("valid"))
    odd = collect(
        scan(session, CONDITIONS, ["window_end", "valid", "spot_ref_price_int"])
        .join(scan(session, MEASURE, ["window_end", "valid", "spot_ref_price_int"]), on="window_end", suffix="_measure")
        .filter(
            _differs("valid", pl.col("valid_measure"))
            | _differs("spot_ref_price_int", pl.col("spot_ref_price_int_measure"))
        )
        .select("window_end", column=pl.lit("valid or spot"))
    )
    sample = measures.gather_every(max(1, measures.height // SAMPLE_WINDOWS))
    both = sample.join(stored, on="window_end", suffix="_condition")
    scale = _Scale(session)
    settings = session.lake.settings.setups
    rows: list[tuple[object, ...]] = []
    for row in both.iter_rows(named=True):
        expected = dict(_conditions(row, scale, settings.kappa, settings.theta))
        rows += [(row["window_end"], name, row[name], value) for name, value in expected.items()]
    compared = pl.DataFrame(
        rows,
        schema={
            "window_end": stored.schema["window_end"],
            "column": pl.String,
            "stored": pl.Float64,
            "expected": pl.Float64,
        },
        orient="row",
        strict=False,
    )
    wrong = compared.filter(_differs("stored", pl.col("expected"), TOLERANCE))
    bad = pl.concat([odd, wrong.select("window_end", "column")]).sort("window_end", "column")
    told = wrong.join(bad, on=["window_end", "column"], how="right")
    return finding(bad.height, told, "conditions follow from measures and scale", windows=both.height)


class _Scale:
    """Median and spread by half hour, measure and look-back, as far as they may be used."""

    def __init__(self, session: Session) -> None:
        settings = session.lake.settings.setups
        demo = session.lake.profile == "demo"
        least = settings.scale_min_sessions_demo if demo else settings.scale_min_sessions
        columns = ["tod_bucket", "measure", "horizon_s", "median", "mad", "n_sessions"]
        self._known = {
            (bucket, name, w): (median, None if mad is None or mad < LEAST_MAD else MAD_TO_SIGMA * mad)
            for bucket, name, w, median, mad, n in collect(scan(session, MOVE_SCALE, columns)).iter_rows()
            if n >= least
        }

    def __call__(self, bucket: int, name: str, w: int) -> tuple[float | None, float | None]:
        return self._known.get((bucket, name, w), (None, None))


def _conditions(
    row: dict[str, object], scale: _Scale, kappa: float, theta: float
) -> Iterator[tuple[str, float | None]]:
    """Columns of the conditions of a valid second and what they should be. row: measures of the second."""
    local = (row["window_end"] - timedelta(seconds=1)).astimezone(_NEW_YORK)  # pyright: ignore
    bucket = (local.hour * 60 + local.minute) // 30
    for w in HORIZONS:
        usual = scale(bucket, "add", w)[0]
        e = None if usual is None else max(0.01 * usual, 0.5)
        z: dict[str, float | None] = {}
        for side in ("ask", "bid"):
            c0, c1, pull, add, fill, q0 = (
                row[f"{name}_{side}_w{w}"] for name in ("c0", "c1", "pull", "add", "fill", "q0")
            )
            values = {
                f"r_{side}": None if c0 is None or c1 is None else (c1 - c0) / w,  # pyright: ignore
                f"n_{side}": None if e is None else math.log((pull + e) / (add + e)),  # pyright: ignore
                f"f_{side}": None if e is None else math.log(1 + fill / (q0 + e)),  # pyright: ignore
            }
            for name, value in values.items():
                median, spread = scale(bucket, name, w)
                known = value is not None and median is not None and spread is not None
                z[name] = min(max((value - median) / spread, -Z_LIMIT), Z_LIMIT) if known else None  # pyright: ignore
                yield f"{name}_w{w}", value
                yield f"z_{name}_w{w}", z[name]
        four = [z[name] for name in ("r_ask", "n_ask", "r_bid", "n_bid")]
        known = [one for one in four if one is not None]
        whole = len(known) == 4
        yield f"soft_and_w{w}", -math.log(sum(math.exp(-kappa * one) for one in known) / 4) / kappa if whole else None
        yield f"drive_dn_w{w}", known[2] + known[3] - known[0] - known[1] if whole else None
        if not whole or all(abs(one - theta) > TOLERANCE for one in known):  # nearer, rounding decides the state
            for way, order in (("dn", (0, 1, 2, 3)), ("up", (2, 3, 0, 1))):
                code = sum((known[k] >= theta) << (3 - n) for n, k in enumerate(order)) if whole else None
                yield f"state_{way}_w{w}", code
