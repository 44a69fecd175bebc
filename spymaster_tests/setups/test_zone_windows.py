"""Windows of any length: those of a second are radar's to the byte, longer ones what rows of the wall add up to."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.setups import zone_kernels
from spymaster.setups.errors import SetupInputError
from spymaster.setups.zone_windows import ends_of, spot_ticks, zone_windows
from spymaster.surfaces.blocks import WallBlock, nanoseconds
from spymaster.surfaces.radar import FEATURES, RadarBuilder, radar_features
from spymaster.surfaces.windows import ZoneSums, zone_sums
from spymaster.surfaces.zones import BAND_LAST_TICK, ZONE_QUANTITIES, ZONE_TICKS
from spymaster_tests.surfaces.frames import TICK, in_blocks, make_session, outside_rth

Market = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture(scope="module")
def market() -> Market:
    return make_session(260, seed=4)


def windows(market: Market, picks: list[tuple[int, int]], rows: int = 900) -> ZoneSums:
    """Windows that end with the numbered seconds, of the lengths given."""
    wall, shots = market
    second = np.array([pick[0] for pick in picks], dtype=np.int64)
    return zone_windows(
        in_blocks(wall, rows),
        ends_of(shots)[second],
        np.array([pick[1] for pick in picks]),
        spot_ticks(shots, TICK)[second],
        TICK,
    )


def test_windows_of_a_second_are_radar_to_the_byte(market: Market):
    wall, shots = market
    made = windows(market, [(k, 1) for k in range(shots.height)])
    direct = zone_sums(WallBlock.of(wall, moves=True), nanoseconds(shots["window_end"]), geometry=True)
    assert (made.sums == direct.sums).all()
    assert made.geometry is not None
    assert direct.geometry is not None
    assert (made.geometry == direct.geometry).all()
    radar = RadarBuilder(eps_qty=1.0).update(wall, shots)
    values = radar_features(made, eps_qty=1.0).astype(np.float32)
    for i, name in enumerate(FEATURES):
        for code, side in ((0, "bid"), (1, "ask")):
            assert values[:, code, i].tobytes() == radar[f"{side}_{name}"].to_numpy().tobytes(), name


def by_rows(market: Market, second: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and geometry of one window, price by price from the rows of the wall."""
    wall, shots = market
    end, spot = shots["window_end"][second], shots["spot_ref_price_int"][second]
    sums, geometry = np.zeros((2, 4, 7), dtype=np.int64), np.zeros((2, 5), dtype=np.int64)
    for code, (letter, sign) in enumerate((("B", -1), ("A", 1))):
        best = ZONE_TICKS
        for away in range(ZONE_TICKS, -1, -1):
            rows = wall.filter(
                (pl.col("side") == letter)
                & (pl.col("price_int") == spot + sign * away * TICK)
                & (pl.col("window_end") <= end)
            )
            inside = rows.filter(pl.col("window_end") > end - pl.duration(seconds=length, time_unit="ns"))
            last = rows["depth_qty_end"][-1] if rows.height else 0
            rest = rows["depth_qty_rest"][-1] if rows.height else 0
            first = inside["depth_qty_start"][0] if inside.height else last
            band = int(np.searchsorted(BAND_LAST_TICK, away))
            flows = [inside[name].sum() for name in ZONE_QUANTITIES[3:]]
            sums[code, band] += [first, last, rest, *flows]
            moved = [inside[f"reprice_{way}_qty"].sum() for way in ("away", "toward")]
            geometry[code, :4] += [away * first, away * last, *moved]
            best = away if last else best
        geometry[code, 4] = best
    return sums, geometry


@pytest.mark.parametrize("length", [1, 5, 120])
def test_longer_windows_are_what_the_rows_add_up_to(market: Market, length: int):
    picks = [(k, length) for k in (120, 151, 152, 200, 259)]
    made = windows(market, picks)
    assert made.geometry is not None
    for i, (second, _) in enumerate(picks):
        sums, geometry = by_rows(market, second, length)
        assert (made.sums[i] == sums).all()
        assert (made.geometry[i] == geometry).all()
    assert made.sums[..., 3].sum() > 0


def test_neither_order_nor_batches_nor_company_change_a_window(market: Market):
    picks = [(k, length) for length in (5, 120, 1) for k in range(130, 260, 3)]
    made = windows(market, picks)
    for rows in (61, 100_000):
        assert (windows(market, picks, rows).sums == made.sums).all()
    back = windows(market, picks[::-1])
    assert (back.sums[::-1] == made.sums).all()
    alone = windows(market, [picks[7]])
    assert (alone.sums[0] == made.sums[7]).all()


def test_rows_left_out_outside_regular_hours_change_nothing(market: Market):
    picks = [(k, length) for length in (5, 120) for k in range(130, 260, 7)]
    sparse = (outside_rth(market[0]), market[1])
    assert sparse[0].height < market[0].height
    assert (windows(sparse, picks).sums == windows(market, picks).sums).all()


def test_a_second_without_a_row_of_the_wall_ends_a_window_all_the_same(market: Market):
    wall, shots = market
    quiet = (wall.filter(pl.col("window_end") != shots["window_end"][180]), shots)
    made = windows(quiet, [(180, 5), (180, 1), (181, 5)])
    assert (made.sums[0] == windows(quiet, [(180, 5)], rows=50).sums[0]).all()
    assert made.sums[1, :, :, 3:].sum() == 0
    assert (made.sums[1, :, :, 0] == made.sums[1, :, :, 1]).all()


def test_later_seconds_change_nothing(market: Market):
    wall, shots = market
    cut = shots["window_end"][200]
    other = make_session(260, seed=77)[0]
    late = pl.col("window_end") > cut
    scrambled = (pl.concat([wall.filter(~late), other.filter(late)]), shots)
    picks = [(k, length) for length in (1, 5, 120) for k in range(130, 201, 5)]
    assert windows(scrambled, picks).sums.tobytes() == windows(market, picks).sums.tobytes()


def test_no_window_has_no_second(market: Market):
    with pytest.raises(SetupInputError, match="0 s"):
        windows(market, [(30, 0)])
    assert windows(market, []).sums.shape == (0, 2, 4, 7)


def test_kernels_know_the_zone_of_the_surfaces():
    assert zone_kernels.ZONE == ZONE_TICKS
