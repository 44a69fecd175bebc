"""Small pictures of tables (PNG), for wherever a person would rather look than read.

`picture(partition)` draws a stored partition; `draw(table, ...)` draws frames that are not stored. A table that is not
in `DRAWINGS`, or has no rows, has no picture. Adding one: write a function in one of the modules here that takes a
`Subject` and returns a Matplotlib figure, and name it below. Matplotlib is imported when something is drawn, never
before.

What every picture keeps: New York time along the bottom, contract and date in the title, units on the axes, seconds
that are not valid hatched, simulated data named as such, some 800 x 400 pixels and at most a few ten kilobytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spymaster.lake.partition import Partition

DRAWINGS: Final = {
    "bronze.contract_day_selection": "events:contract_day_selection",
    "bronze.future_mbo": "events:future_mbo",
    "bronze.option_definition": "definitions:option_definition",
    "bronze.option_mbo": "events:option_mbo",
    "gold.algo_contrast": "habits:algo_contrast",
    "gold.algo_intensity_1s": "habits:algo_intensity_1s",
    "gold.move_condition_scale": "moves:move_condition_scale",
    "gold.outcome_model": "models:outcome_model",
    "gold.physics_norm_calibration": "scales:physics_norm_calibration",
    "gold.retrieval_index": "retrieval:retrieval_index",
    "gold.retrieval_neighbor": "retrieval:retrieval_neighbor",
    "gold.retrieval_result": "retrieval:retrieval_result",
    "gold.setup_episode": "episodes:setup_episode",
    "gold.setup_outcome": "episodes:setup_outcome",
    "gold.setup_vector": "vectors:setup_vector",
    "gold.vector_scaler": "vectors:vector_scaler",
    "silver.bbo_change": "events:bbo_change",
    "silver.book_snapshot_1s": "lines:book_snapshot_1s",
    "silver.candle_2m": "candles:candle_2m",
    "silver.gex_level_1m": "gex:gex_level_1m",
    "silver.gex_surface_1s": "gex:gex_surface_1s",
    "silver.move_conditions_1s": "moves:move_conditions_1s",
    "silver.option_forward_1s": "smiles:option_forward_1s",
    "silver.option_quote_1s": "smiles:option_quote_1s",
    "silver.order_event": "orders:order_event",
    "silver.order_life": "orders:order_life",
    "silver.physics_bands_1s": "lines:physics_bands_1s",
    "silver.pressure_surface_1s": "pressure:pressure_surface_1s",
    "silver.radar_vacuum_1s": "lines:radar_vacuum_1s",
    "silver.session_level": "candles:session_level",
    "silver.trade": "events:trade",
    "silver.vacuum_surface_1s": "heat:vacuum_surface_1s",
    "silver.wall_surface_1s": "heat:wall_surface_1s",
}
"""Table -> `module:function` in this package."""


@dataclass(frozen=True)
class Subject:
    """What is drawn. `read(columns)` yields the rows in order, in bounded batches, and may be called more than once.

    `beside(table, columns)` gives all rows of another table of the same session, None where it is not at hand: a
    picture may need it for names, and has to do without.
    """

    table: str
    symbol: str
    dt: date
    read: Callable[[Sequence[str]], Iterator[pl.DataFrame]]
    simulated: bool = False
    beside: Callable[[str, Sequence[str]], pl.DataFrame | None] = lambda table, columns: None

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """All rows at once: for tables with a row per second or fewer."""
        return pl.concat(self.read(columns))

    def title(self, what: str, contract: str | None = None) -> str:
        """`ESH4 2023-12-25  What it shows`, with a warning on simulated data."""
        warning = "   SIMULATED" if self.simulated else ""
        return f"{contract or self.symbol} {self.dt:%Y-%m-%d}  {what}{warning}"


def picture(partition: Partition) -> bytes | None:
    """A stored partition as PNG bytes; None where the table has no drawing or the partition no rows."""
    if partition.table not in DRAWINGS or not partition.rows:
        return None
    simulated = partition.manifest.provenance == "simulated"

    def beside(table: str, columns: Sequence[str]) -> pl.DataFrame | None:
        other = partition.sibling(table)
        return other.read(columns) if other.path.is_file() else None

    return _png(Subject(partition.table, partition.symbol, partition.dt, partition.batches, simulated, beside))


def draw(
    table: str,
    frames: pl.DataFrame | Iterable[pl.DataFrame],
    *,
    symbol: str,
    dt: date,
    simulated: bool = False,
    beside: Mapping[str, pl.DataFrame] | None = None,
) -> bytes | None:
    """Frames of a table (`layer.name`) as PNG bytes; None where it has no drawing or there are no rows.

    `beside` are the tables of the same session that the picture may look into.
    """
    held = [frames] if isinstance(frames, pl.DataFrame) else list(frames)
    if table not in DRAWINGS or not sum(frame.height for frame in held):
        return None

    def read(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        return (frame.select(columns) for frame in held if frame.height)

    def other(name: str, columns: Sequence[str]) -> pl.DataFrame | None:
        return beside[name].select(columns) if beside and name in beside else None

    return _png(Subject(table, symbol, dt, read, simulated, other))


def _png(subject: Subject) -> bytes:
    from spymaster.surfaces.pictures.canvas import png

    module, function = DRAWINGS[subject.table].split(":")
    drawing: Callable[[Subject], Figure] = getattr(import_module(f"{__name__}.{module}"), function)
    return png(drawing(subject))
