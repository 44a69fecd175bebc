"""The pictures of the documentation, from a generated stream: `uv run python -m benchmarks.doc_images`.

They show what the pictures of a real session look like; no market data is in them. Those of gamma exposure are of the
generated chain of `benchmarks.gex`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import gex
from benchmarks.pipeline import DAY, durable
from benchmarks.stream import StreamConfig, write_stream
from spymaster.lake import Lake
from spymaster.market.instruments import instrument
from spymaster.surfaces.pictures import draw, picture
from spymaster.surfaces.pressure import SNAPSHOT_COLUMNS, WALL_COLUMNS, PressurePass, session_buckets

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
TABLES = (
    "silver.book_snapshot_1s",
    "silver.wall_surface_1s",
    "silver.radar_vacuum_1s",
    "silver.vacuum_surface_1s",
    "silver.physics_bands_1s",
    "silver.pressure_surface_1s",
)
LARGEST = 150_000
"""Bytes a picture may have."""


def main() -> None:
    """Generate an hour and a quarter around the cash open, make the tables, draw them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "generated-20260106.mbo.dbn.zst"
        write_stream(path, StreamConfig(messages=900_000, seed=11, day=DAY, start_hour=14.25, end_hour=15.5))
        durable(str(path), str(Path(scratch) / "lake"))
        lake = Lake.open(Path(scratch) / "lake")
        _add_pressure(lake)
        for table in TABLES:
            store(table, picture(lake.partition(table, "ES", DAY)))
    frames = list(gex.Day(86_400, gex.PER_SECOND // 6, 3).gex())
    for name in ("gex_surface_1s", "gex_level_1m"):
        store(
            f"silver.{name}",
            draw(f"silver.{name}", [one[name] for one in frames], symbol="ES", dt=gex.DT, simulated=True),
        )


def store(table: str, image: bytes | None) -> None:
    """Write a picture; raises SystemExit where there is none or it is too large."""
    if image is None or len(image) > LARGEST:
        raise SystemExit(f"{table}: {'no picture' if image is None else f'{len(image):,} bytes'}")
    (FOLDER / f"{table.split('.')[1]}.png").write_bytes(image)
    print(f"{table}: {len(image):,} bytes")


def _add_pressure(lake: Lake) -> None:
    """The pressure surface of the session, without options."""
    wall, snapshot, calibration = (
        lake.partition(name, "ES", DAY)
        for name in ("silver.wall_surface_1s", "silver.book_snapshot_1s", "gold.physics_norm_calibration")
    )
    made = PressurePass(
        wall.batches(WALL_COLUMNS),
        snapshot.read(SNAPSHOT_COLUMNS),
        calibration.read(),
        buckets=session_buckets(wall, instrument("ES"), lake.settings),
        settings=lake.settings.pressure,
    )
    with lake.writer("silver.pressure_surface_1s", "ES", DAY) as writer:
        for frame in made:
            writer.write(frame)
        writer.commit(inputs=[wall, snapshot, calibration])


if __name__ == "__main__":
    main()
