"""`silver.move_conditions_1s`: the conditions of a turn, second by second."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, TableModel
from spymaster.tables.move_condition_scale import CONDITIONS
from spymaster.tables.move_measure_1s import HORIZONS
from spymaster.tables.types import TIMESTAMP

STATE_NAMES = ("both_vacuum", "ask_vacuum", "bid_vacuum", "build", "mixed")
THESES = ("reject", "break", "chop")
SLOPED = (*(f"z_{name}" for name in CONDITIONS), "soft_and", "drive_dn")
"""What has derivatives, of the look-back of `SLOPE_HORIZON` seconds."""
SLOPE_HORIZON = 5
Z_LIMIT = 8.0

_NO_VALUE = "null where not valid"
_NO_Z = "null where not valid or without a scale"


def _value(text: str, unit: str = "", *, ge: float | None = None, le: float | None = None) -> Column:
    return Column(pl.Float32, text, unit=unit, nullable=True, ge=ge, le=le)


def _of_horizon(w: int) -> Iterator[tuple[str, Column]]:
    for side in ("ask", "bid"):
        yield f"r_{side}", _value(f"retreat of the {side}s from spot; null where not valid or empty", "ticks/s")
        yield f"n_{side}", _value(f"net pull of the {side}s, ln((pull + e)/(add + e)); {_NO_Z}")
        yield (
            f"f_{side}",
            _value(f"consumption of the {side}s, ln(1 + fill/(quantity at the start + e)); {_NO_Z}", ge=0),
        )
        yield f"b_{side}", _value(f"retreat of the best {side} from spot; {_NO_VALUE}", "ticks/s")
        yield (
            f"rho_{side}",
            _value(f"(away - toward)/(away + toward + E) of repriced {side}s; {_NO_VALUE}", ge=-1, le=1),
        )
    for name in CONDITIONS:
        yield f"z_{name}", _value(f"{name} against what is usual at the time of day; {_NO_Z}", ge=-Z_LIMIT, le=Z_LIMIT)
    yield "soft_and", _value(f"soft minimum of the four z of retreat and net pull; {_NO_Z}")
    yield "min_z", _value(f"smallest of the four z; {_NO_Z}")
    yield "vacuum", _value(f"sum of the four z; {_NO_Z}")
    yield "drive_dn", _value(f"how much more the bids give way than the asks; {_NO_Z}")
    yield "drive_up", _value(f"the opposite; {_NO_Z}")
    for way, order in (("dn", "ask retreat, ask pull, bid retreat, bid pull"), ("up", "bids first, then asks")):
        yield (
            f"state_{way}",
            Column(pl.UInt8, f"conditions that hold, read as binary digits: {order}; {_NO_Z}", nullable=True, le=15),
        )
    yield "state_name", Column(pl.Enum(STATE_NAMES), f"state_dn in words; {_NO_Z}", nullable=True)
    for way, side in (("dn", "bid"), ("up", "ask")):
        yield f"c5_{way}", _value(f"z of the consumption of the {side}s; {_NO_Z}", ge=-Z_LIMIT, le=Z_LIMIT)
    for way, side in (("dn", "bid"), ("up", "ask")):
        yield (
            f"c5_share_{way}",
            _value(f"fill/(fill + pull) of the {side}s; null where not valid or nothing left", ge=0, le=1),
        )
    for way in ("below", "above"):
        yield (
            f"thesis_from_{way}",
            Column(pl.Enum(THESES), f"what the state stands for if price comes from {way}; {_NO_Z}", nullable=True),
        )


def _columns() -> dict[str, Column]:
    columns = {f"{name}_w{w}": column for w in HORIZONS for name, column in _of_horizon(w)}
    for name in SLOPED:
        for order in (1, 2, 3):
            what = f"smoothed {('first', 'second', 'third')[order - 1]} derivative of {name}_w{SLOPE_HORIZON}"
            columns[f"d{order}_{name}_w{SLOPE_HORIZON}"] = _value(
                f"{what}; null without a value in each of the seconds before", f"1/s{order if order > 1 else ''}"
            )
    return columns


class MoveConditions1s(TableModel):
    """One row per second: do asks and bids move away, are they pulled faster than added, and which side gives way more.

    Four conditions: asks retreat from spot, asks are pulled, bids retreat, bids are pulled; the fifth, consumption, is
    what trades take away. Each is a z against the median of earlier sessions at that time of day. The conditions of a
    move are the move itself, mostly: studies use rows that end before it.
    """

    layer = "silver"
    name = "move_conditions_1s"
    key = ("window_end",)
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument", "setups")

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange")
    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    spot_ref_price_int = Column(
        pl.Int64,
        "spot at window_end, as in book_snapshot_1s; null before there is one",
        unit="1e-9 price",
        nullable=True,
    )
    valid = Column(pl.Boolean, "as in move_measure_1s")
    scale_provisional = Column(pl.Boolean, "the scale is of fewer sessions than the standard profile asks for")
    values = Columns(_columns())

    invariants = tuple(
        Invariant(
            f"opposite_drives_w{w}",
            f"drive_up_w{w} = -drive_dn_w{w}",
            lambda pl, w=w: pl.col(f"drive_up_w{w}") == -pl.col(f"drive_dn_w{w}"),
        )
        for w in HORIZONS
    )
