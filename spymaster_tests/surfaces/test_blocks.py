"""Blocks of whole windows, and kernels that compile once whatever frames they are given."""

from __future__ import annotations

import io
from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.surfaces import kernels
from spymaster.surfaces.bands import physics_bands
from spymaster.surfaces.blocks import whole_windows, with_snapshot
from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.radar import RadarBuilder
from spymaster.surfaces.vacuum import vacuum_frames
from spymaster_tests.surfaces.frames import in_blocks, make_session

WALL, SNAPSHOT = make_session(12, no_spot_before=2)


@given(st.lists(st.integers(0, WALL.height), max_size=8).map(sorted))
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same_rows_in_blocks_of_whole_windows(cuts: list[int]):
    batches = [WALL[a:b] for a, b in zip([0, *cuts], [*cuts, WALL.height], strict=True)]
    blocks = list(whole_windows(batches))
    assert pl.concat(blocks).equals(WALL)
    ends = [block["window_end"].unique().to_list() for block in blocks]
    assert sum(len(some) for some in ends) == WALL["window_end"].n_unique()


@given(st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_every_snapshot_row_comes_once_with_the_wall_rows_of_its_window(rows: int):
    pairs = list(with_snapshot(in_blocks(WALL, rows), SNAPSHOT))
    assert pl.concat([shots for _, shots in pairs]).equals(SNAPSHOT)
    for block, shots in pairs:
        assert set(block["window_end"]) <= set(shots["window_end"])


def test_windows_after_the_last_wall_row_come_with_an_empty_wall():
    early = WALL.filter(pl.col("window_end") <= SNAPSHOT["window_end"][6])
    *_, (block, shots) = with_snapshot([early], SNAPSHOT)
    assert (block.height, shots.height) == (0, 5)


def test_no_kernel_compiles_twice():
    """Frames in memory, read-only ones from a file, sliced ones and empty ones: one signature each."""
    buffer = io.BytesIO()
    WALL.write_parquet(buffer)
    buffer.seek(0)
    stored = pl.read_parquet(buffer)
    scales = calibration_frame({date(2024, 1, 2): session_pool(in_blocks(stored, 99), eps_qty=1)}, date(2024, 1, 3))
    for batches in ([WALL], in_blocks(stored, 101), [WALL[:0]], [stored[5:]]):
        assert len(list(physics_bands(batches, SNAPSHOT, scales, eps_qty=0.5)))
        list(vacuum_frames(batches, scales, eps_qty=1))
        radar = RadarBuilder(eps_qty=1.0)
        assert sum(radar.update(*pair).height for pair in with_snapshot(batches, SNAPSHOT)) == SNAPSHOT.height
    compiled = {name: k.signatures for name, k in vars(kernels).items() if hasattr(k, "signatures") and name[0] != "_"}
    assert len(compiled) == 10
    assert {name: len(signatures) for name, signatures in compiled.items()} == dict.fromkeys(compiled, 1)
