"""Pictures: every registered table draws, small, the same every time, also at its shortest."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from spymaster.lake.lake import Lake
from spymaster.surfaces.pictures import DRAWINGS, draw, picture
from spymaster.tables import all_tables
from spymaster_tests.surfaces.drawn import DT, HOUR_NS, tables
from spymaster_tests.surfaces.frames import in_blocks, start_of

MOST_BYTES = 120_000


@pytest.fixture(scope="module")
def long() -> dict[str, pl.DataFrame]:
    return tables(400)


@pytest.fixture(scope="module")
def short() -> dict[str, pl.DataFrame]:
    return tables(1)


def test_every_drawing_is_of_a_table(long: dict[str, pl.DataFrame]):
    assert set(DRAWINGS) == set(long)
    assert set(DRAWINGS) <= set(all_tables())


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_table_becomes_a_small_png(long: dict[str, pl.DataFrame], name: str):
    png = draw(name, in_blocks(long[name], 5_000), symbol="ES", dt=DT, simulated=True)
    assert png is not None
    assert len(png) < MOST_BYTES
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert image.size == (840, 420)
    assert len(image.convert("RGB").getcolors(1 << 20) or []) > 10


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_the_shortest_session_draws_too(short: dict[str, pl.DataFrame], name: str):
    assert (draw(name, short[name], symbol="ES", dt=DT) or b"").startswith(b"\x89PNG")


def test_a_smile_is_drawn_against_strikes_where_definitions_are_at_hand(long: dict[str, pl.DataFrame]):
    name = "silver.option_quote_1s"
    known = pl.DataFrame(
        {
            "instrument_id": [1, 2, 3],
            "strike_price_int": [4_700 * 10**9, 4_800 * 10**9, 4_750 * 10**9],
            "expiration": pl.Series([start_of(DT) + 20 * HOUR_NS] * 3).cast(pl.Datetime("ns", "UTC")),
        }
    )
    png = draw(name, long[name], symbol="ES", dt=DT, beside={"bronze.option_definition": known})
    assert (png or b"").startswith(b"\x89PNG")
    assert png != draw(name, long[name], symbol="ES", dt=DT)


def test_episodes_are_drawn_over_candles_and_outcomes_over_episodes_where_they_are_at_hand(
    long: dict[str, pl.DataFrame],
):
    beside = {name: long[name] for name in ("silver.candle_2m", "gold.setup_episode")}
    for name in ("gold.setup_episode", "gold.setup_outcome"):
        alone, over = (draw(name, long[name], symbol="ES", dt=DT, beside=one) for one in (None, beside))
        assert (over or b"").startswith(b"\x89PNG")
        assert alone != over


def test_the_same_rows_are_the_same_bytes_and_simulated_ones_say_so(long: dict[str, pl.DataFrame]):
    name = "silver.vacuum_surface_1s"
    png = draw(name, long[name], symbol="ES", dt=DT)
    assert draw(name, in_blocks(long[name], 999), symbol="ES", dt=DT) == png
    assert draw(name, long[name], symbol="ES", dt=DT, simulated=True) != png


def test_no_rows_or_no_drawing_is_no_picture(long: dict[str, pl.DataFrame]):
    assert draw("silver.trade", long["silver.trade"][:0], symbol="ES", dt=DT) is None
    assert draw("silver.trade", [], symbol="ES", dt=DT) is None
    assert draw("bronze.future_definition", long["silver.trade"], symbol="ES", dt=DT) is None


def test_a_stored_partition_is_drawn_as_its_frame_is(tmp_path: Path, long: dict[str, pl.DataFrame]):
    name = "silver.wall_surface_1s"
    lake = Lake.open(tmp_path / "lake", create=True)
    with lake.writer(all_tables()[name], "ES", DT) as writer:
        writer.write(long[name])
        writer.commit(provenance="simulated")
    assert picture(lake.partition(name, "ES", DT)) == draw(name, long[name], symbol="ES", dt=DT, simulated=True)


def test_a_day_outside_regular_hours_keeps_levels_that_did_not_change(long: dict[str, pl.DataFrame]):
    """Rows of an unchanged level are missing outside RTH: the picture carries the level on and has no hole."""
    wall = long["silver.wall_surface_1s"].filter(pl.col("window_valid"))
    level = wall.filter(pl.col("side") == "A")["price_int"].max()
    still = wall.with_columns(
        depth_qty_end=pl.when(pl.col("price_int") == level).then(60).otherwise("depth_qty_end").cast(pl.Int32)
    )
    first = pl.col("window_end") == pl.col("window_end").min().over("price_int", "side")
    sparse = still.filter((pl.col("price_int") != level) | first)
    assert sparse.height < still.height
    name = "silver.wall_surface_1s"
    assert draw(name, sparse, symbol="ES", dt=DT) == draw(name, still, symbol="ES", dt=DT)


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import sys, spymaster.surfaces.pictures; sys.exit('matplotlib' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
