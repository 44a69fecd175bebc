"""`gold.algo_curve`: what a test saw, bin by bin, and what its surrogates saw."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel


class AlgoCurve(TableModel):
    """One row per test and bin: for pictures of the data against surrogates.

    Of a spectrum, neighbouring frequencies share a row, which has the largest of each column. Of pairs of sizes and
    distances only those that occurred are rows. Rows of algo_test without bins (facts, shares of volume) have none.
    """

    layer = "gold"
    name = "algo_curve"
    key = ("test_row_id", "bin")
    parameters = ("evidence", "instrument")
    parquet = ParquetLayout(dictionary=("test_row_id",))

    test_row_id = Column(pl.String, "as in algo_test")
    bin = Column(pl.Int32, "number of the bin", ge=0)
    x_lo = Column(pl.Float64, "where the bin begins; unit as in x_unit")
    x_hi = Column(pl.Float64, "where it ends")
    x_unit = Column(pl.String, "ms, Hz, or cell (size * 64 + distances; see docs)", isin=("ms", "Hz", "cell"))
    observed = Column(pl.Float32, "events of the data; whitened power of a spectrum", ge=0)
    mean = Column(pl.Float32, "mean over data and surrogates", ge=0)
    lo = Column(pl.Float32, "5 % of the surrogates are below", ge=0)
    hi = Column(pl.Float32, "5 % of the surrogates are above", ge=0)
    z = Column(pl.Float32, "(observed - mean) / deviation, as in the test")
    in_peak = Column(pl.Boolean, "the bin is in the peak that the effect is of")

    invariants = (
        Invariant("bin_has_a_width", "x_lo < x_hi", lambda pl: pl.col("x_lo") < pl.col("x_hi")),
        Invariant("band_in_order", "lo <= hi", lambda pl: pl.col("lo") <= pl.col("hi")),
    )
