"""The formulas of the surfaces once more, in plain Python over dictionaries: slow, literal, and sharing no code."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from math import log, sqrt
from statistics import median
from typing import Any

import polars as pl

Row = dict[str, Any]
Book = dict[tuple[str, int], Row]
BANDS = {"AT": range(3), "NEAR": range(3, 6), "MID": range(6, 15), "FAR": range(15, 21)}
SECOND = timedelta(seconds=1)


def by_window(wall: pl.DataFrame, *, key: str) -> dict[datetime, Book]:
    """Rows of each window by (side, rel_ticks) or (side, price_int)."""
    windows: dict[datetime, Book] = defaultdict(dict)
    for row in wall.iter_rows(named=True):
        windows[row["window_end"]][row["side"], row[key]] = row
    return windows


def _zone(book: Book, side: str, ticks: range) -> list[Row]:
    sign = 1 if side == "A" else -1
    return [book[side, sign * tick] for tick in ticks if (side, sign * tick) in book]


def _sum(rows: list[Row], name: str) -> int:
    return sum(row[name] for row in rows)


def _mean_distance(rows: list[Row], name: str) -> float:
    total = _sum(rows, name)
    return sum(abs(row["rel_ticks"]) * row[name] for row in rows) / total if total else 20.0


def radar_side(book: Book, side: str, e: float) -> dict[str, float]:
    """Radar features of one side of one window."""
    zone = _zone(book, side, range(21))
    at, near, far = (_zone(book, side, BANDS[name]) for name in ("AT", "NEAR", "FAR"))
    total_s, total_e = _sum(zone, "depth_qty_start"), _sum(zone, "depth_qty_end")
    pull, add = _sum(zone, "pull_qty_rest"), _sum(zone, "add_qty")
    away, toward = _sum(zone, "reprice_away_qty"), _sum(zone, "reprice_toward_qty")

    def share(rows: list[Row]) -> float:
        return _sum(rows, "depth_qty_end") / (total_e + e) - _sum(rows, "depth_qty_start") / (total_s + e)

    at_e, near_e, far_e = (_sum(rows, "depth_qty_end") for rows in (at, near, far))
    distance_e, distance_s = _mean_distance(zone, "depth_qty_end"), _mean_distance(zone, "depth_qty_start")
    return {
        "com_disp_log": log((distance_e + 1) / (distance_s + 1)),
        "slope_convex_log": log((far_e + e) / (near_e + e)),
        "slope_inner_log": log((near_e + e) / (at_e + e)),
        "at_share_delta": share(at),
        "near_share_delta": share(near),
        "reprice_away_share_rest": away / (away + toward) if away + toward else 0.5,
        "pull_add_log_rest": log((pull + e) / (add + e)),
        "pull_intensity_log_rest": log(1 + pull / (total_s + e)),
        "add_intensity_log": log(1 + add / (total_s + e)),
        "at_pull_share_rest": _sum(at, "pull_qty_rest") / (pull + e),
        "near_pull_share_rest": _sum(near, "pull_qty_rest") / (pull + e),
        "fill_intensity_log": log(1 + _sum(zone, "fill_qty") / (total_s + e)),
        "bbo_dist_ticks": min((abs(row["rel_ticks"]) for row in zone if row["depth_qty_end"] > 0), default=20),
    }


def approach(mids: list[int | None]) -> list[str]:
    """`approach_dir` of consecutive seconds."""
    moves: list[int | None] = []
    for i, mid in enumerate(mids):
        before = mids[i - 3] if i >= 3 else None
        moves.append(None if mid is None or before is None else mid - before)
    directions = []
    for i, move in enumerate(moves):
        known = [m for m in moves[max(0, i - 59) : i + 1] if m is not None]
        direction = "none"
        if move is not None and len(known) >= 30:
            mean = sum(known) / len(known)
            if abs(move) > 0.5 * sqrt(sum((m - mean) ** 2 for m in known) / len(known)):
                direction = "up" if move > 0 else "down"
        directions.append(direction)
    return directions


def side_median(book: Book, side: str) -> float:
    """Median resting depth of the side's ticks 0..20, an empty tick as 0."""
    sign = 1 if side == "A" else -1
    return median(book[side, sign * k]["depth_qty_rest"] if (side, sign * k) in book else 0 for k in range(21))


def vacuum(wall: pl.DataFrame, e: float) -> list[Row]:
    """Every wall row with its metrics, in order."""
    prices, distances = by_window(wall, key="price_int"), by_window(wall, key="rel_ticks")

    def x(end: datetime, cell: tuple[str, int]) -> float:
        row = prices.get(end, {}).get(cell)
        return log((row["pull_qty_rest"] + e) / (row["add_qty"] + e)) if row else 0.0

    rows = []
    for end, book in prices.items():
        medians = {side: side_median(distances[end], side) for side in "AB"}
        for cell, row in book.items():
            lag = [x(end - k * SECOND, cell) for k in range(4)]
            start = row["depth_qty_start"] + e
            rows.append(
                row
                | {
                    "pull_add_log": lag[0],
                    "d1_pull_add_log": lag[0] - lag[1],
                    "d2_pull_add_log": lag[0] - 2 * lag[1] + lag[2],
                    "d3_pull_add_log": lag[0] - 3 * lag[1] + 3 * lag[2] - lag[3],
                    "net_withdrawal": (row["pull_qty_total"] - row["add_qty"]) / start,
                    "wall_erosion": -log((row["depth_qty_end"] + e) / start),
                    "pull_intensity_rest": row["pull_qty_rest"] / start,
                    "wall_strength_log": log((row["depth_qty_rest"] + e) / (medians[row["side"]] + e)),
                    "fill_share": row["fill_qty"] / (row["pull_qty_total"] + row["fill_qty"] + e),
                    "net_flow_qty": abs(row["add_qty"] - row["pull_qty_total"]),
                }
            )
    return rows


def bands(wall: pl.DataFrame, e: float) -> list[Row]:
    """Metrics of the sums of every window with a row, side and band."""
    windows = by_window(wall, key="rel_ticks")

    def x(end: datetime, side: str, band: str) -> float:
        rows = _zone(windows.get(end, {}), side, BANDS[band])
        return log((_sum(rows, "pull_qty_rest") + e) / (_sum(rows, "add_qty") + e))

    result = []
    for end, book in windows.items():
        for side in "BA":
            middle = side_median(book, side)
            for band, ticks in BANDS.items():
                rows = _zone(book, side, ticks)
                start, stop, rest = (_sum(rows, f"depth_qty_{name}") for name in ("start", "end", "rest"))
                add, pull, pull_rest = (_sum(rows, name) for name in ("add_qty", "pull_qty_total", "pull_qty_rest"))
                lag = [x(end - k * SECOND, side, band) for k in range(3)]
                result.append(
                    {
                        "window_end": end,
                        "side": side,
                        "band": band,
                        "window_valid": next(iter(book.values()))["window_valid"],
                        "active": add + pull + _sum(rows, "fill_qty") > 0,
                        "empty": start == 0 and stop == 0,
                        "pull_add_log": lag[0],
                        "d2_pull_add_log": lag[0] - 2 * lag[1] + lag[2],
                        "net_withdrawal": (pull - add) / (start + e),
                        "wall_erosion": -log((stop + e) / (start + e)),
                        "wall_strength_log": log((rest / len(ticks) + e) / (middle + e)),
                        "pull_intensity_rest": pull_rest / (start + e),
                        "depth_qty_end": stop,
                        "net_flow_qty": abs(add - pull),
                    }
                )
    return result


def score(kind: str, x: float, q05: float, scale: float) -> float:
    """N(x)."""
    raw = 0.5 + 0.5 * x / scale if kind == "signed" else (x - q05) / scale
    return min(max(raw, 0.0), 1.0)
