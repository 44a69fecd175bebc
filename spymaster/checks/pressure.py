"""Physics integrity of `pressure_surface_1s`: whole grid, balanced, and equal to a recomputation from its inputs.

The recomputation is written from the table's description, in Polars: every flow of the last minutes weighed by its age,
instead of a state that fades second by second. It shares no code with `spymaster.surfaces`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.calibration import COMPONENTS, DISTANCES, OPTION_COMPONENTS
from spymaster.checks.frames import (
    CALIBRATION,
    OPTION_DEFINITION,
    OPTION_QUOTE,
    PRESSURE,
    SNAPSHOT,
    WALL,
    collect,
    finding,
    scan,
    violations,
)
from spymaster.lake.layout import partition_label

SAMPLE_WINDOWS = 8
MEMORY = 18
"""Flows older than this many time constants weigh less than 2e-8."""
WHOLE_MINUTE_S = 61
"""Within this time the wall has stored every price of its grid once."""
RELATIVE, ABSOLUTE = 2e-5, 2e-5
"""Of float32 values, from sums in another order."""
BALANCE_TOLERANCE = 1e-5
MOST_BUCKETS = 40

_NO_FLOW = pl.DataFrame(schema={"bucket": pl.Int64, **dict.fromkeys(OPTION_COMPONENTS, pl.Float64)})
_SCORES = ("rest_ratio_ask", "rest_ratio_bid", "long_pressure", "short_pressure", "net_pressure")
_KEY = ("window_end", "bucket_price_int")


@check(PRESSURE, SNAPSHOT, suite=Suite.DATA, blocking=True)
def grid_complete(session: Session) -> Finding:
    """Every second with a spot has one row per bucket within reach, in its place, and no other has any."""
    bucket = session.tick_size_int * session.instrument.bucket_ticks
    reach = _reach(session)
    rel = pl.col("rel_buckets")
    expected_bucket = pl.col("spot_ref_price_int").floordiv(bucket) + rel
    rows = (
        scan(session, PRESSURE, ["window_end", "bucket_price_int", "rel_buckets", "spot_ref_price_int"])
        .group_by("window_end")
        .agg(
            pl.len().alias("rows"),
            rel.min().alias("lowest"),
            rel.max().alias("highest"),
            (pl.col("bucket_price_int") != expected_bucket * bucket).sum().alias("misplaced"),
        )
    )
    wanted = scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int"]).filter(
        pl.col("spot_ref_price_int").is_not_null()
    )
    both = collect(wanted.with_columns(known=True).join(rows, on="window_end", how="full", coalesce=True))
    good = (
        pl.col("known").fill_null(False)
        & (pl.col("rows") == 2 * reach + 1)
        & (pl.col("lowest") == -reach)
        & (pl.col("highest") == reach)
        & (pl.col("misplaced") == 0)
    )
    bad = both.filter(~good.fill_null(False)).sort("window_end").drop("known")
    return finding(bad.height, bad, f"buckets -{reach} to {reach} in every second with a spot", windows=both.height)


@check(PRESSURE, suite=Suite.PHYSICS, blocking=True)
def balanced(session: Session) -> Finding:
    """net_pressure is (long - short)/(long + short), within [-1, 1], and all scores exist exactly in valid windows."""
    long, short, net = pl.col("long_pressure"), pl.col("short_pressure"), pl.col("net_pressure")
    both = (long + short).cast(pl.Float64)
    expected = pl.when(both > 0).then((long - short).cast(pl.Float64) / both).otherwise(0.0)
    wrong = (
        pl.any_horizontal(pl.col(name).is_not_null() != pl.col("window_valid") for name in _SCORES)
        | ~net.is_between(-1, 1).fill_null(True)
        | pl.any_horizontal((pl.col(name) < 0).fill_null(False) for name in _SCORES if name != "net_pressure")
        | ((net - expected).abs() > BALANCE_TOLERANCE).fill_null(False)
    )
    bad = scan(session, PRESSURE, [*_KEY, "window_valid", *_SCORES]).filter(wrong)
    return violations(bad, "net_pressure is the balance of the pressures, null exactly where not valid")


@check(PRESSURE, WALL, SNAPSHOT, CALIBRATION, suite=Suite.PHYSICS, blocking=True)
def equal_recomputation(session: Session) -> Finding:
    """A sample of windows equals a recomputation from wall, option quotes and calibration by other code.

    Options count where the surface says that it was made of them: a run of futures alone takes none.
    """
    sample = _sample(session)
    if sample.is_empty():
        return Finding(0, "no valid window to recompute", {"windows": 0})
    usual = _usual(session)
    components = _components(session, sample, usual)
    expected = _scored(session, components, usual).join(_differences(session, sample), on=_KEY, how="left")
    names = [*COMPONENTS, *_SCORES, "d1_net_pressure", "d2_net_pressure"]
    stored = collect(scan(session, PRESSURE, [*_KEY, *names]).filter(_among(sample["window_end"])))
    long = [
        frame.cast(dict.fromkeys(names, pl.Float64))
        .select(*_KEY, *names)
        .unpivot(index=_KEY, variable_name="column", value_name=value)
        for frame, value in ((expected, "expected"), (stored, "stored"))
    ]
    both = long[0].join(long[1], on=[*_KEY, "column"], how="full", coalesce=True)
    off = (pl.col("stored") - pl.col("expected")).abs()
    allowed = ABSOLUTE + RELATIVE * pl.col("expected").abs()
    wrong = (off > allowed).fill_null(False) | (pl.col("stored").is_null() != pl.col("expected").is_null())
    bad = both.filter(wrong).sort(*_KEY, "column")
    return finding(
        bad.height, bad, "pressure = recomputation from its inputs", windows=sample.height, values=both.height,
        worst_difference=both.select(off.max()).item(),
    )  # fmt: skip


def _reach(session: Session) -> int:
    """Buckets to either side that lie within the wall's grid wherever spot is in its own."""
    size, grid = session.instrument.bucket_ticks, session.lake.settings.engine.grid_ticks
    return min(MOST_BUCKETS, (grid - (size - 1)) // size)


def _sample(session: Session) -> pl.DataFrame:
    """Up to `SAMPLE_WINDOWS` valid windows with a spot, evenly spread, the first and the last among them."""
    windows = collect(
        scan(session, SNAPSHOT, ["window_end", "window_valid", "spot_ref_price_int"])
        .filter(pl.col("window_valid") & pl.col("spot_ref_price_int").is_not_null())
        .select("window_end", "spot_ref_price_int")
    )
    count = min(SAMPLE_WINDOWS, windows.height)
    if count < 2:
        return windows
    return windows[[round(i * (windows.height - 1) / (count - 1)) for i in range(count)]]


def _among(ends: pl.Series) -> pl.Expr:
    return pl.col("window_end").is_between(ends.min(), ends.max()) & pl.col("window_end").is_in(ends.implode())


def _usual(session: Session) -> pl.DataFrame:
    """One row per distance: what each component is divided by, and whether options were in the pool."""
    band = pl.col("distance").cut([d - 1 for d in list(DISTANCES.values())[1:]], labels=list(DISTANCES))
    distances = pl.DataFrame({"distance": range(_reach(session) + 1)}).with_columns(band=band.cast(pl.String))
    rows = collect(scan(session, CALIBRATION).filter(pl.col("kind") == "ratio")).with_columns(
        pl.col("band").cast(pl.String),
        divisor=pl.max_horizontal(
            pl.when(pl.col("metric_name").str.starts_with("rest_")).then("q50").otherwise("mean"),
            pl.lit(session.instrument.eps_qty),
        ),
    )
    pooled = rows.filter(pl.col("metric_name").is_in(OPTION_COMPONENTS) & pl.col("band").is_in(distances["band"]))
    wide = rows.pivot(on="metric_name", index="band", values="divisor").select(
        "band", pl.col(COMPONENTS).name.prefix("usual_")
    )
    return distances.join(wide, on="band", how="left").with_columns(options_pooled=pl.lit(pooled["n_rows"].sum() > 0))


def _components(session: Session, sample: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """One row per sampled window and bucket with its eight components."""
    size = session.tick_size_int * session.instrument.bucket_ticks
    reach = _reach(session)
    grid = sample.join(pl.DataFrame({"rel": range(-reach, reach + 1)}), how="cross").with_columns(
        bucket=pl.col("spot_ref_price_int").floordiv(size) + pl.col("rel")
    )
    since = _first_quote(session) if usual["options_pooled"][0] else None
    windows = [
        grid.filter(pl.col("window_end") == end)
        .join(_of_wall(session, end, size), on="bucket", how="left")
        .join(_of_options(session, end, size) if since else _NO_FLOW, on="bucket", how="left")
        .with_columns(pl.col(COMPONENTS).fill_null(0.0).cast(pl.Float64))
        .with_columns(
            pl.when(pl.lit(since is not None and end >= since)).then(pl.col(OPTION_COMPONENTS)).otherwise(None)
        )
        for end in sample["window_end"]
    ]
    return pl.concat(windows).with_columns(bucket_price_int=pl.col("bucket") * size)


def _first_quote(session: Session) -> datetime | None:
    """The first second with a quote of an option; None where the surface was made without options."""
    read = {record.name for record in session.partition(PRESSURE).manifest.inputs}
    if not all(
        partition_label(table, session.symbol, session.dt) in read for table in (OPTION_QUOTE, OPTION_DEFINITION)
    ):
        return None
    return collect(scan(session, OPTION_QUOTE, ["window_end"]).select(pl.col("window_end").min())).item()


def _weight(session: Session, end: object) -> pl.Expr:
    """What is left of a flow at `end`, by its age."""
    age = (pl.lit(end) - pl.col("window_end")).dt.total_nanoseconds() / 1e9
    return (-age / session.lake.settings.pressure.decay_s).exp()


def _memory(session: Session) -> timedelta:
    return timedelta(seconds=MEMORY * session.lake.settings.pressure.decay_s)


def _of_wall(session: Session, end, size: int) -> pl.DataFrame:
    """Book, trade and rest at one window, by bucket."""
    back = max(_memory(session), timedelta(seconds=WHOLE_MINUTE_S))
    columns = ["price_int", "side", "depth_qty_rest", "add_qty", "pull_qty_total", "fill_qty", "window_valid"]
    rows = collect(
        scan(session, WALL, ["window_end", *columns]).filter(
            (pl.col("window_end") <= end) & (pl.col("window_end") > pl.lit(end) - back)
        )
    ).with_columns(bucket=pl.col("price_int").floordiv(size), bid=pl.col("side") == "B")
    bid, add, pull, fill = (pl.col(name) for name in ("bid", "add_qty", "pull_qty_total", "fill_qty"))
    weight = pl.when("window_valid").then(_weight(session, end)).otherwise(0.0)
    flows = rows.group_by("bucket").agg(
        book_long=(pl.when(bid).then(add).otherwise(pull) * weight).sum(),
        book_short=(pl.when(bid).then(pull).otherwise(add) * weight).sum(),
        trade_long=(pl.when(bid).then(0).otherwise(fill) * weight).sum(),
        trade_short=(pl.when(bid).then(fill).otherwise(0) * weight).sum(),
    )
    last = rows.sort("window_end").group_by("price_int", "side", "bucket", "bid").agg(pl.col("depth_qty_rest").last())
    rest = last.group_by("bucket").agg(
        rest_long=pl.col("depth_qty_rest").filter("bid").sum(),
        rest_short=pl.col("depth_qty_rest").filter(~pl.col("bid")).sum(),
    )
    return flows.join(rest, on="bucket", how="full", coalesce=True)


def _of_options(session: Session, end, size: int) -> pl.DataFrame:
    """Option flow at one window, by bucket."""
    near = session.lake.settings.engine.grid_ticks // session.instrument.bucket_ticks
    columns = ["window_end", "instrument_id", "buy_volume", "sell_volume", "delta"]
    quotes = scan(session, OPTION_QUOTE, columns).filter(pl.col("window_end") <= end)
    recent = (pl.col("window_end") > pl.lit(end) - _memory(session)) & (
        pl.col("buy_volume") + pl.col("sell_volume") > 0
    )
    traded = collect(quotes.filter(recent).select("instrument_id").unique())["instrument_id"]
    last_delta = pl.col("delta").forward_fill().over("instrument_id")
    rows = collect(quotes.filter(pl.col("instrument_id").is_in(traded.implode()))).with_columns(delta=last_delta)
    seconds = collect(scan(session, SNAPSHOT, ["window_end", "window_valid", "spot_ref_price_int"]))
    names = ["instrument_id", "ts_recv", "right", "strike_price_int", "is_deleted"]
    versions = collect(scan(session, OPTION_DEFINITION, names)).sort("ts_recv")
    counted = (
        rows.filter(recent & pl.col("delta").is_not_null())
        .join(seconds, on="window_end", how="inner")
        .sort("window_end")
        .join_asof(
            versions, left_on="window_end", right_on="ts_recv", by="instrument_id", allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter(pl.col("right").is_not_null() & ~pl.col("is_deleted"))
        .with_columns(bucket=pl.col("strike_price_int").floordiv(size))
        .filter(
            pl.col("window_valid")
            & ((pl.col("bucket") - pl.col("spot_ref_price_int").floordiv(size)).abs() <= near).fill_null(False)
        )
    )  # fmt: skip
    call, buy, sell = pl.col("right") == "C", pl.col("buy_volume"), pl.col("sell_volume")
    weight = pl.col("delta").cast(pl.Float64).abs() * _weight(session, end)
    return counted.group_by("bucket").agg(
        option_long=(pl.when(call).then(buy).otherwise(sell) * weight).sum(),
        option_short=(pl.when(call).then(sell).otherwise(buy) * weight).sum(),
    )


def _scored(session: Session, components: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """Ratios, pressures and their balance."""
    settings = session.lake.settings.pressure
    rows = components.with_columns(distance=pl.col("rel").abs()).join(usual, on="distance", how="left")
    ratio = {name: pl.col(name) / pl.col(f"usual_{name}") for name in COMPONENTS}
    with_options = pl.col("option_long").is_not_null()
    weight_option = pl.when(with_options).then(settings.weight_option).otherwise(0.0)
    total = settings.weight_book + settings.weight_trade + settings.weight_rest + weight_option

    def pressure(way: str, other_side: pl.Expr) -> pl.Expr:
        rest = ratio[f"rest_{way}"] + pl.when(other_side).then(1.0).otherwise(0.0)
        return (
            settings.weight_book * ratio[f"book_{way}"]
            + settings.weight_trade * ratio[f"trade_{way}"]
            + settings.weight_rest * rest
            + pl.when(with_options).then(settings.weight_option * ratio[f"option_{way}"]).otherwise(0.0)
        ) / total

    long, short = pl.col("long_pressure"), pl.col("short_pressure")
    return rows.with_columns(
        rest_ratio_ask=ratio["rest_short"],
        rest_ratio_bid=ratio["rest_long"],
        long_pressure=pressure("long", pl.col("rel") > 0),
        short_pressure=pressure("short", pl.col("rel") < 0),
    ).with_columns(net_pressure=pl.when(long + short > 0).then((long - short) / (long + short)).otherwise(0.0))


def _differences(session: Session, sample: pl.DataFrame) -> pl.DataFrame:
    """d1 and d2 of the sampled windows' rows, from net_pressure of the stored neighbours."""
    second = pl.lit(timedelta(seconds=1)).cast(pl.Duration("ns"))
    ends = pl.concat([sample.select(pl.col("window_end") - k * second)["window_end"] for k in range(3)])
    stored = collect(scan(session, PRESSURE, [*_KEY, "net_pressure"]).filter(_among(ends)))
    net = stored.select(*_KEY, pl.col("net_pressure").cast(pl.Float64))
    rows = stored.join(sample.select("window_end"), on="window_end", how="semi")
    for k in (1, 2):
        earlier = net.select(
            (pl.col("window_end") + k * second).alias("window_end"),
            "bucket_price_int",
            pl.col("net_pressure").alias(f"net_{k}"),
        )
        rows = rows.join(earlier, on=_KEY, how="left")
    now, one, two = pl.col("net_pressure").cast(pl.Float64), pl.col("net_1"), pl.col("net_2")
    return rows.select(*_KEY, d1_net_pressure=now - one, d2_net_pressure=now - 2 * one + two)
