"""`silver.pressure_surface_1s`: who outpaces whom at each price."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PRESSURE_BUCKETS, TIMESTAMP

KINDS = ("book", "trade", "option", "rest")
DIRECTIONS = ("long", "short")
COMPONENTS = tuple(f"{kind}_{direction}" for kind in KINDS for direction in DIRECTIONS)

SCORES = (
    "rest_ratio_ask",
    "rest_ratio_bid",
    "long_pressure",
    "short_pressure",
    "net_pressure",
    "d1_net_pressure",
    "d2_net_pressure",
)

_MEANING = {
    "book_long": "decayed bids added and asks pulled",
    "book_short": "decayed asks added and bids pulled",
    "trade_long": "decayed asks filled: buyers lift",
    "trade_short": "decayed bids filled: sellers hit",
    "option_long": "decayed sum of |delta| of calls bought and puts sold; null where has_options is false",
    "option_short": "decayed sum of |delta| of puts bought and calls sold; null where has_options is false",
    "rest_long": "bids that rest at window_end",
    "rest_short": "asks that rest at window_end",
}


class PressureSurface1s(TableModel):
    """One row per second and bucket of prices around spot: flow and rest for and against a rise, and their balance.

    A bucket is `bucket_ticks` of the instrument, anchored on absolute prices. Flows decay exponentially. Each component
    is divided by what is usual at its distance from spot (calibration rows of earlier sessions), so the pressures are
    in units of the usual. A side that is not expected to rest at a price (bids above spot's bucket, asks below) counts
    there with its usual rest, 1, plus what rests there all the same: the balance is 0 where everything is as usual.
    Rows are for buckets that lie within the wall's grid as a whole.
    """

    layer = "silver"
    name = "pressure_surface_1s"
    key = ("window_end", "bucket_price_int")
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("engine", "instrument", "calibration", "options", "pressure")
    parquet = ParquetLayout(split=(*COMPONENTS[:6], *SCORES))

    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    contract = Column(pl.String, "the selected contract of the date")
    bucket_price_int = Column(pl.Int64, "lowest price of the bucket", unit="1e-9 price")
    rel_buckets = Column(
        pl.Int32, "distance from the bucket of spot", unit="buckets", ge=-PRESSURE_BUCKETS, le=PRESSURE_BUCKETS
    )
    spot_ref_price_int = Column(pl.Int64, "spot at window_end, as in book_snapshot_1s", unit="1e-9 price")
    window_valid = Column(pl.Boolean, "as in book_snapshot_1s; nothing invalid is ever scored")
    has_options = Column(
        pl.Boolean,
        "an option of the session has been quoted by window_end, and calibration knows what is usual for options; "
        "otherwise their weight is 0",
    )
    components = Columns(
        {
            name: Column(pl.Float32, meaning, unit="lots", nullable=name.startswith("option"), ge=0)
            for name, meaning in _MEANING.items()
        }
    )
    rest_ratio_ask = Column(
        pl.Float32, "rest_short over its usual value; null where not window_valid", unit="times the median",
        nullable=True, ge=0,
    )  # fmt: skip
    rest_ratio_bid = Column(
        pl.Float32, "rest_long over its usual value; null where not window_valid", unit="times the median",
        nullable=True, ge=0,
    )  # fmt: skip
    long_pressure = Column(
        pl.Float32, "weighted mean of the long components over their usual values; null where not window_valid",
        unit="times usual", nullable=True, ge=0,
    )  # fmt: skip
    short_pressure = Column(
        pl.Float32, "weighted mean of the short components over their usual values; null where not window_valid",
        unit="times usual", nullable=True, ge=0,
    )  # fmt: skip
    net_pressure = Column(
        pl.Float32, "(long - short)/(long + short), 0 if both are 0; null where not window_valid", nullable=True,
        ge=-1, le=1,
    )  # fmt: skip
    d1_net_pressure = Column(
        pl.Float32, "first difference, same bucket; null where a second is missing", unit="1/s", nullable=True
    )
    d2_net_pressure = Column(
        pl.Float32, "second difference, same bucket; null where a second is missing", unit="1/s2", nullable=True
    )

    invariants = (
        Invariant(
            "scores_need_validity",
            "pressures are null where not window_valid",
            lambda pl: pl.col("window_valid") | pl.col("net_pressure").is_null(),
        ),
        Invariant(
            "options_known_or_absent",
            "option components are null exactly where has_options is false",
            lambda pl: pl.col("option_long").is_null() == ~pl.col("has_options"),
        ),
    )
