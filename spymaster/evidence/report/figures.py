"""The pictures of a report: what a test saw against its surrogates, on scales that are the same every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.sentences import Row, group, share, sub_test
from spymaster.evidence.report.svg import ASK, BID, CHANCE, FAINT, PEAK, SEEN, Axis, Chart, matrix
from spymaster.tables.algo_intensity_1s import INTENSITY_BANDS

NEW_YORK = ZoneInfo("America/New_York")
MOST_TIMES = 4.0
"""Top of the axis of ratios; what is beyond is cut, and said."""
MOST_SHARE = 0.5
REACH = 1.645
"""Deviations that nine in ten lie within."""
LEAST_MEAN = 8.0
NS = 1_000_000_000
DISTANCES = ("inside", "at best", "1 tick", "2 ticks", "3-5", "6-10", "11+", "unknown")
CHAIN_COLORS = {"chain_pegged": PEAK, "chain_oscillating": BID, "chain_other": SEEN}

_X = {
    ("E1", "ms"): Axis(15, 500, "age when cancelled, ms"),
    ("E1", "sub_ms"): Axis(1.5, 15, "age when cancelled, ms"),
    ("E1", "s"): Axis(900, 2100, "age when cancelled, ms"),
    ("E2", "peg_lag"): Axis(0.05, 15, "from a move of the quote to the order's next move, ms"),
    ("E3", "ms"): Axis(15, 200, "delay of the answer, ms"),
    ("E3", "few_ms"): Axis(0.5, 15, "delay of the answer, ms"),
    ("E3", "sub_ms"): Axis(0.15, 0.5, "delay of the answer, ms"),
    ("E6", "synthetic"): Axis(0.1, 300, "delay of the returning order, ms", log=True),
    ("E7", "episodes"): Axis(0, 1000, "from the trade to the withdrawal, ms"),
}


def against_surrogates(row: Row, curve: pl.DataFrame) -> str | None:
    """Ratio of what was seen to the mean of the surrogates by bin, with the band of nine in ten of them."""
    drawn = _gathered(curve.filter(pl.col("mean") > 0).sort("bin"))
    if not len(drawn):
        return None
    low, high, seen, mean, spread = drawn[:, :5].T
    ratio, below, above = seen / mean, np.maximum(1 - REACH * spread / mean, 0), 1 + REACH * spread / mean
    inside = drawn[:, 5] > 0
    x = _X.get((row["test_id"], row["sub_id"])) or Axis(0, float(high.max()), "place in the period, ms")
    chart = Chart(x, Axis(0, MOST_TIMES, "times chance"), f"{row['test_id']} {group(row['stratum_json'])}")
    middle = np.sqrt(low * high) if x.log else (low + high) / 2
    for part in np.split(np.arange(len(low)), np.flatnonzero(low[1:] > high[:-1] * 1.001) + 1):
        chart.band(middle[part], below[part], above[part])
    for part, color in ((~inside, SEEN), (inside, PEAK)):
        chart.bars(low[part], high[part], ratio[part], color, base=1.0)
    chart.line([x.low, x.high], [1, 1], FAINT, 0.8)
    best = int(np.argmax(np.where(inside, ratio, -1)))
    if inside.any() and ratio[best] > MOST_TIMES:
        edge = float(high[best] if x.place(middle[best]) < 0.75 else low[best])
        chart.text(edge, MOST_TIMES * 0.93, f"{ratio[best]:.1f} times")
    return chart.render()


def _gathered(known: pl.DataFrame) -> np.ndarray:
    """Bins to draw: from, to, seen, mean, spread of the surrogates, in the peak. Few events are drawn together.

    Neighbours outside the peak are joined until surrogates have `LEAST_MEAN` events there; their spreads add up as of
    independent bins.
    """
    columns = [known[name].cast(pl.Float64).to_numpy() for name in ("x_lo", "x_hi", "observed", "mean", "lo", "hi")]
    rows: list[list[float]] = []
    for low, high, seen, mean, least, most, peak in zip(*columns, known["in_peak"].to_list(), strict=True):
        spread = (most - least) / (2 * REACH)
        last = rows[-1] if rows else None
        if last and not peak and not last[5] and last[3] < LEAST_MEAN and low <= last[1] * 1.001:
            rows[-1] = [last[0], high, last[2] + seen, last[3] + mean, float(np.hypot(last[4], spread)), 0.0]
        else:
            rows.append([low, high, seen, mean, spread, float(peak)])
    return np.array(rows, np.float64).reshape(-1, 6)


def spectrum(row: Row, curve: pl.DataFrame) -> str | None:
    """Whitened power by frequency, with what nineteen in twenty surrogates stay below."""
    if curve.is_empty():
        return None
    rows = curve.sort("bin")
    middle, seen, high = (rows[name].cast(pl.Float64).to_numpy() for name in ("x_lo", "observed", "hi"))
    middle = np.maximum((middle + rows["x_hi"].to_numpy()) / 2, 0.2)
    chart = Chart(
        Axis(0.2, 200, "frequency, Hz", log=True), Axis(1, 1000, "power", log=True), f"E5 {group(row['stratum_json'])}"
    )
    chart.band(middle, np.ones(len(middle)), np.maximum(high, 1)).line(middle, np.maximum(seen, 1), SEEN)
    if row["peak_value"] is not None:
        top = float(np.max(seen))
        chart.dots([row["peak_value"]], [max(top, 1)]).text(
            row["peak_value"], max(top, 1), f"{row['peak_value']:.4g} Hz"
        )
    return chart.render()


def time_axis(start_ns: int, end_ns: int) -> Axis:
    """A day or part of one, in hours of New York."""
    first = pl.Series([start_ns]).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(str(NEW_YORK))[0]
    whole = first.replace(minute=0, second=0, microsecond=0)
    hours = (end_ns - start_ns) / NS / 3600
    step = timedelta(minutes=5 if hours <= 0.75 else 15 if hours <= 3 else 60 if hours <= 12 else 120)
    ticks = []
    moment = whole
    while moment.timestamp() * NS <= end_ns:
        if moment.timestamp() * NS >= start_ns:
            ticks.append((moment.timestamp() * NS, f"{moment:%H:%M}"))
        moment += step
    return Axis(float(start_ns), float(end_ns), "New York time", ticks=ticks)


def persistence(data: ReportData) -> str | None:
    """When a line stood out, and at which frequency: a dot for each window of two minutes that was tested."""
    rows = data.of_test("E5").filter(pl.col("peak_value").is_not_null() & pl.col("q_bh").is_not_null())
    if rows.is_empty():
        return None
    chart = Chart(_day(data), Axis(0.2, 200, "Hz", log=True), "E5 lines over the day", height=170)
    at = (rows["ts_start"].to_physical().to_numpy() + rows["ts_end"].to_physical().to_numpy()) // 2
    found = (rows["q_bh"] <= 0.05).to_numpy()
    peaks = rows["peak_value"].to_numpy()
    chart.dots(at[~found], peaks[~found], CHANCE, 2.0).dots(at[found], peaks[found], PEAK, 3.0)
    return chart.render()


def chains(data: ReportData) -> str | None:
    """One line per steered order, from its first price change to its last, by how it moves."""
    rows = _exemplars_of(data, "E2").filter(pl.col("role").str.starts_with("chain"))
    if rows.is_empty():
        return None
    rows = rows.with_columns(start=pl.col("ts_event").to_physical() - pl.col("lag_ns")).sort("start").head(60)
    end = rows["ts_event"].to_physical().to_numpy()
    chart = Chart(
        _day(data), Axis(0, rows.height + 1, "order", ticks=()), "E2 steered orders", height=60 + 4 * rows.height
    )
    places = np.arange(rows.height, 0, -1)
    for role, color in CHAIN_COLORS.items():
        of_role = (rows["role"] == role).to_numpy()
        chart.spans(rows["start"].to_numpy()[of_role], end[of_role], places[of_role], color)
    return chart.render()


def ratios(data: ReportData) -> str | None:
    """E7: groups in the peak against shifted trades, with intervals."""
    rows = data.of_test("E7").filter((pl.col("sub_id") == "episodes") & pl.col("effect").is_not_null())
    if rows.is_empty():
        return None
    names = [group(text) for text in rows["stratum_json"].to_list()]
    places = list(range(len(names), 0, -1))
    ticks = [(float(place), name) for place, name in zip(places, names, strict=True)]
    chart = Chart(
        Axis(0.1, 100, "times chance", log=True),
        Axis(0, len(names) + 1, ticks=ticks),
        "E7 rate",
        height=50 + 30 * len(names),
        left=130,
    )
    low, value, high = (np.maximum(rows[name].to_numpy(), 0.1) for name in ("effect_lo", "effect", "effect_hi"))
    chart.line([1, 1], [0, len(names) + 1], FAINT, dash="3 3").spans(low, high, places, SEEN, 2).dots(value, places)
    return chart.render()


def episode(data: ReportData) -> str | None:
    """E7: the orders of one group from entry to withdrawal, by distance from spot, and the trade."""
    rows = _exemplars_of(data, "E7").filter((pl.col("role") == "layer") & pl.col("ts_end").is_not_null())
    if rows.is_empty():
        return None
    one = rows.filter((pl.col("test_row_id") == rows["test_row_id"][0]) & (pl.col("link_id") == rows["link_id"].min()))
    start, end = (one[name].to_physical().to_numpy() for name in ("ts_event", "ts_end"))
    trade = int(np.median(end - one["lag_ns"].to_numpy()))
    first, last = int(start.min()), int(end.max())
    place = one["rel_ticks"].fill_null(0).to_numpy().astype(np.float64)
    seconds = (last - first) / NS
    x = Axis(0, seconds * 1.02, "seconds since the first order")
    y = Axis(float(place.min()) - 1, float(place.max()) + 1, "ticks from spot")
    chart = Chart(x, y, "E7 one group", height=180)
    color = BID if one["side"].cast(pl.String)[0] == "B" else ASK
    chart.spans((start - first) / NS, (end - first) / NS, place, color, 7)
    at = (trade - first) / NS
    chart.uprights([at], [y.low], [y.high]).text(at, y.high - (y.high - y.low) * 0.08, "trade of the other side")
    return chart.render()


def pairs(curve: pl.DataFrame) -> str | None:
    """E10: twins by distance of bid and offer, seen and expected."""
    if curve.is_empty():
        return None
    cell = curve["x_lo"].to_numpy().astype(np.int64)
    bid, ask = cell // 8 % 8, cell % 8
    seen, mean = (np.zeros((8, 8)) for _ in range(2))
    np.add.at(seen, (bid, ask), curve["observed"].cast(pl.Float64).to_numpy())
    np.add.at(mean, (bid, ask), curve["mean"].cast(pl.Float64).to_numpy())
    strength = np.clip(1 - mean / np.maximum(seen, 1), 0, 1) * (seen > mean)
    cells = [
        [
            (float(strength[r, c]), f"{seen[r, c]:,.0f} ({mean[r, c]:,.1f})" if seen[r, c] or mean[r, c] >= 0.5 else "")
            for c in range(7)
        ]
        for r in range(7)
    ]
    return matrix(
        DISTANCES[:7], DISTANCES[:7], cells, "E10 pairs", "offer's distance from the best offer", "bid's distance"
    )


def intensity(data: ReportData) -> list[tuple[str, str]]:
    """Caption and picture: candles with levels, share by side, share by band, on one axis of time."""
    rows = data.minutes.filter(pl.col("n_msgs") >= 5)
    if rows.is_empty() or rows["share"].null_count() == rows.height:
        return []
    x = _day(data)
    made: list[tuple[str, str]] = []
    sides = Chart(x, Axis(0, MOST_SHARE, "share"), "share by side", height=150)
    for side, color in (("B", BID), ("A", ASK)):
        _share_line(sides, rows, side, "all", color)
    made.append(("Share of messages owed to listed habits, minute by minute: bids blue, offers brown.", sides.render()))
    bands = Chart(x, Axis(0, MOST_SHARE, "share"), "share by band", height=150)
    for band, color in zip(INTENSITY_BANDS[:4], (PEAK, ASK, SEEN, CHANCE), strict=True):
        _share_line(bands, rows, "all", band, color)
    caption = "The same by distance from spot: AT (up to two ticks) orange, NEAR brown, MID and FAR grey."
    made.append((caption, bands.render()))
    candles = _candles(data, x)
    if candles is not None:
        made.append(("Two-minute candles, and the levels that were valid.", candles))
    return made


def _share_line(chart: Chart, rows: pl.DataFrame, side: str, band: str, color: str) -> None:
    part = rows.filter((pl.col("side").cast(pl.String) == side) & (pl.col("band").cast(pl.String) == band))
    if part.is_empty():
        return
    minute = part["minute"].to_physical().cast(pl.Int64).to_numpy()
    value = part["share"].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    gap = np.flatnonzero(np.diff(minute) > 120 * NS)
    chart.line(np.insert(minute, gap + 1, minute[gap] + 1) + 30 * NS, np.insert(value, gap + 1, np.nan), color)


def _candles(data: ReportData, x: Axis) -> str | None:
    if data.candles.is_empty():
        return None
    bars = data.candles.filter(pl.col("close_price_int").is_not_null()).with_columns(
        pl.col("bar_start", "window_end").to_physical()
    )
    bars = bars.filter((pl.col("window_end") > x.low) & (pl.col("bar_start") < x.high))
    if bars.is_empty():
        return None
    prices = {name: bars[f"{name}_price_int"].to_numpy() / 1e9 for name in ("open", "high", "low", "close")}
    low, high = float(prices["low"].min()), float(prices["high"].max())
    pad = max((high - low) * 0.06, 1e-9)
    chart = Chart(x, Axis(low - pad, high + pad), "candles", height=220)
    start, end = bars["bar_start"].to_numpy(), bars["window_end"].to_numpy()
    if data.levels.height:
        _levels(chart, data.levels, low - pad, high + pad)
    rising = prices["close"] >= prices["open"]
    for part, color in ((rising, BID), (~rising, ASK)):
        middle, width = (start[part] + end[part]) / 2, (end[part] - start[part]) * 0.35
        chart.uprights(middle, prices["low"][part], prices["high"][part], color, 0.8)
        bottom, top = (
            np.minimum(prices["open"], prices["close"])[part],
            np.maximum(prices["open"], prices["close"])[part],
        )
        for left, right, foot, head in zip(
            middle - width, middle + width, bottom, np.maximum(top, bottom + pad * 0.03), strict=True
        ):
            chart.bars([left], [right], [head], color, base=float(foot))
    return chart.render()


def _levels(chart: Chart, levels: pl.DataFrame, low: float, high: float) -> None:
    """Fixed levels inside the picture; names where there is room, the earliest first."""
    kept = levels.filter(~pl.col("is_placebo") & ~pl.col("is_moving")).with_columns(price=pl.col("price_int") / 1e9)
    kept = (
        kept.filter(pl.col("price").is_between(low, high))
        .sort("valid_from")
        .unique("price", keep="first", maintain_order=True)
    )
    named: list[float] = []
    for row in kept.with_columns(pl.col("valid_from", "valid_to").to_physical()).iter_rows(named=True):
        begin = max(float(row["valid_from"]), chart.x.low)
        end = min(float(row["valid_to"] or chart.x.high), chart.x.high)
        if end <= begin:
            continue
        chart.line([begin, end], [row["price"]] * 2, FAINT, 0.7, "4 3")
        if all(abs(row["price"] - other) > (high - low) * 0.06 for other in named):
            named.append(row["price"])
            chart.text(begin, row["price"] + (high - low) * 0.01, row["level_type"], FAINT, 10)


def _day(data: ReportData) -> Axis:
    start, end = (int(value.timestamp() * NS) for value in (data.run["ts_start"], data.run["ts_end"]))
    return time_axis(start, end)


def _exemplars_of(data: ReportData, test: str) -> pl.DataFrame:
    order = data.of_test(test).sort("statistic", descending=True)["test_row_id"].to_list()
    place = {name: number for number, name in enumerate(order)}
    rows = data.exemplars.filter(pl.col("test_row_id").is_in(order))
    rank = pl.col("test_row_id").replace_strict(place, default=len(place), return_dtype=pl.Int64)
    return rows.with_columns(rank=rank).sort("rank", "link_id", "member")


def curves_of(data: ReportData, row: Row) -> Sequence[tuple[str, str]]:
    """Caption and picture of one row."""
    curve = data.curves.filter(pl.col("test_row_id") == row["test_row_id"])
    words = group(row["stratum_json"])
    if row["test_id"] == "E10":
        drawn = pairs(curve)
    elif row["test_id"] == "E5":
        drawn = spectrum(row, curve)
    elif row["sub_id"] == "contra_pull" or row["p_method"] == "fact":
        drawn = None
    else:
        drawn = against_surrogates(row, curve)
    effect = share(row["effect"], row["effect_unit"])
    return [] if drawn is None else [(f"{words} ({sub_test(row['test_id'], row['sub_id'])}): effect {effect}", drawn)]
