"""Loads chunks of market sessions: rows of Parquet, pruned by time, into dense record batches.

The wall and what is derived from it go in parts of ten minutes, so that the long form of an hour is never in memory.
Blocks on disk: called from worker threads only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.lake.dense import dense_frame
from spymaster.market.instruments import instrument
from spymaster.serving import fill, known, reading, scene, surfaces, wall
from spymaster.serving.batches import Arrays, missing_columns, record_batch
from spymaster.serving.errors import UnavailableError
from spymaster.serving.fill import SECOND_NS, Span
from spymaster.serving.opening import price_decimals
from spymaster.serving.session import CHUNK_S, Chunk, Session
from spymaster.serving.surfaces import BY_NAME, FLAGS, SNAPSHOT, SURFACES
from spymaster.serving.wall import WallArrays

WALL = "silver.wall_surface_1s"
VACUUM = "silver.vacuum_surface_1s"
PRESSURE = "silver.pressure_surface_1s"
BANDS = "silver.physics_bands_1s"
MOVES = "silver.move_conditions_1s"
GEX = "silver.gex_surface_1s"
RADAR = "silver.radar_vacuum_1s"

PART_S = 600
_LOOKBACK_S = 61
"""Outside regular hours the wall stores every price once a minute: this far back each has its last row."""
_BASELINE_S = 1860
_DENSE_COLUMNS = ("window_end", "spot_ref_price_int", "window_valid", "contract")
_ONE_PER_SECOND: dict[str, tuple[str, dict[str, Any]]] = {
    "bands": (BANDS, {"cells": surfaces.BAND_CELLS, "scores": surfaces.SCORES, "scores_d1": surfaces.SCORES_D1}),
    "radar": (RADAR, {"features": surfaces.RADAR_FEATURES}),
}

Progress = Callable[[int], None]
"""Told the share of a load that is done, percent."""


class _RejectedError(Exception):
    """Rows that must not be drawn; the text says why."""


def load_chunk(session: Session, number: int, progress: Progress = lambda _: None) -> Chunk:
    """The dense columns of one chunk. A surface whose rows are refused is missing, and the chunk says why."""
    first = number * CHUNK_S
    rows = min(CHUNK_S, session.seconds - first)
    return _Load(session, first, rows, progress).chunk()


class _Load:
    """One load: the chunk and, for what needs a past, some seconds before it."""

    def __init__(self, session: Session, first: int, rows: int, progress: Progress) -> None:
        self._session = session
        self._first, self._rows = first, rows
        self._progress = progress
        self._broken: dict[str, str] = {}
        has_pressure = session.statuses["pressure"].ok
        lead = min(first, reading.LEAD_S + scene.FLOW_S + (0 if has_pressure else _BASELINE_S))
        self._span = Span(session.timeline, first - lead, rows + lead, session.tick, counted_from=first)
        self._lead = lead

    def chunk(self) -> Chunk:
        snap = fill.fill_snap(self._span, self._rows_of(SNAPSHOT, BY_NAME["snap"].needs[SNAPSHOT], optional=True))
        state = snap["state"]
        wall_codes, clipped, exact = self._wall()
        self._progress(60)
        vacuum = self._guarded("vacuum", self._vacuum)
        net, pressure = self._pressure(exact)
        self._progress(75)
        columns: dict[str, Arrays] = {
            "snap": self._own(snap),
            "wall": wall_codes if wall_codes is not None else self._missing("wall"),
            "vacuum": self._codes("vacuum", "score", vacuum),
            "pressure": self._codes("pressure", "net", net),
            "ladder": self._ladder(exact),
            "gex": self._guarded("gex", self._gex) or self._missing("gex"),
            "moves": self._guarded("moves", self._moves) or self._missing("moves"),
        }
        columns["snap"]["flags"] = columns["snap"]["flags"] | np.where(clipped, FLAGS["CLIPPED"], 0).astype(np.uint8)
        for name, (table, sources) in _ONE_PER_SECOND.items():
            columns[name] = self._lists(name, table, sources)
        columns["reading"] = self._reading(state, exact, vacuum, pressure, columns["moves"])
        secs = np.arange(self._first, self._first + self._rows, dtype=np.int32)
        geometry = self._session.geometry
        batches = {s.name: record_batch(s, geometry, secs, columns[s.name]) for s in SURFACES}
        self._progress(100)
        return Chunk(self._first, self._rows, batches, dict(self._span.orphans), self._broken)

    def _wall(self) -> tuple[Arrays | None, NDArray[np.bool_], WallArrays | None]:
        """Codes of the chunk, its clipped seconds, and exact quantities of the whole span."""
        if not self._session.statuses["wall"].ok:
            return None, np.zeros(self._rows, np.bool_), None
        session, parts = self._session, []
        for first in range(self._span.first, self._first + self._rows, PART_S):
            part = self._span.part(first, min(PART_S, self._first + self._rows - first))
            try:
                parts.append(self._wall_part(part))
            except _RejectedError as error:
                self._reject(("wall", "ladder", "reading"), error)
                return None, np.zeros(self._rows, np.bool_), None
            self._progress(int(55 * (first - self._span.first + part.rows) / self._span.rows))
        exact = WallArrays(*(np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])))
        encoded = [
            wall.fill_wall(exact.rows(at, min(at + PART_S, self._span.rows)), session.transfers)
            for at in range(self._lead, self._span.rows, PART_S)
        ]
        codes = {name: np.concatenate([arrays[name] for arrays, _ in encoded]) for name in encoded[0][0]}
        return codes, np.concatenate([clipped for _, clipped in encoded]), exact

    def _wall_part(self, part: Span) -> WallArrays:
        """Exact quantities of a part; what stands since before it has a row within the lookback."""
        session, (begin, end) = self._session, part.bounds
        lookback = min(part.first, _LOOKBACK_S)
        rows = _between(session, WALL, max(0, begin - lookback * SECOND_NS), end, wall.COLUMNS)
        part.count(rows, "wall")
        self._require_on_tick(WALL, rows["price_int"])
        present = session.present[part.first - lookback : part.first + part.rows]
        return wall.wall_arrays(part, rows, present, session.geometry.half_ticks, session.grid_ticks)

    def _vacuum(self) -> NDArray[np.float64]:
        session, parts = self._session, []
        for first in range(self._span.first, self._first + self._rows, PART_S):
            part = self._span.part(first, min(PART_S, self._first + self._rows - first))
            parts.append(fill.vacuum_scores(part, self._rows_of(VACUUM, BY_NAME["vacuum"].needs[VACUUM], part=part),
                                            session.geometry.half_ticks))  # fmt: skip
        return np.concatenate(parts)

    def _pressure(
        self, exact: WallArrays | None
    ) -> tuple[NDArray[np.float64] | None, tuple[NDArray[np.float64], ...] | None]:
        """Net pressure by tick, and (net, ratio_bid, ratio_ask) by bucket around spot's own."""
        session, span = self._session, self._span
        half, ticks = session.geometry.half_ticks, session.bucket_ticks
        reach = -(-scene.K // ticks) + 1
        rows = self._guarded("pressure", self._pressure_rows)
        if rows is not None:
            place = rows.bucket_tick // ticks - span.spot[rows.at] // ticks + reach
            inside = (place >= 0) & (place <= 2 * reach)
            found = []
            for values in (rows.net, rows.ratio_bid, rows.ratio_ask):
                matrix = np.full((span.rows, 2 * reach + 1), np.nan)
                matrix[rows.at[inside], place[inside]] = values[inside]
                found.append(matrix)
            return fill.spread_buckets(span, rows, half, ticks), tuple(found)
        if exact is None:
            return None, None
        ratios = [
            scene.trailing_ratio(scene.bucket_frame(rest, span.spot, ticks, reach), span.valid)
            for rest in (exact.rest_bid, exact.rest_ask)
        ]
        return None, (np.full_like(ratios[0], np.nan), *ratios)

    def _pressure_rows(self) -> fill.PressureRows:
        frame = self._rows_of(PRESSURE, BY_NAME["pressure"].needs[PRESSURE])
        self._require_on_tick(PRESSURE, frame["bucket_price_int"])
        return fill.pressure_rows(self._span, frame)

    def _ladder(self, exact: WallArrays | None) -> Arrays:
        if exact is None:
            return self._missing("ladder")
        geometry = self._session.geometry
        own = exact.rows(self._lead, self._span.rows)
        if geometry.ladder_ticks > geometry.half_ticks:
            return self._missing("ladder")
        return wall.fill_ladder(own, geometry.rungs)

    def _gex(self) -> Arrays:
        frame = self._rows_of(GEX, BY_NAME["gex"].needs[GEX])
        self._require_on_tick(GEX, frame["strike_price_int"])
        return self._own(fill.fill_gex(self._span, frame, self._session.geometry))

    def _moves(self) -> Arrays:
        return self._own(fill.fill_moves(self._span, self._rows_of(MOVES, BY_NAME["moves"].needs[MOVES])))

    def _lists(self, name: str, table: str, sources: dict[str, Any]) -> Arrays:
        if not self._session.statuses[name].ok:
            return self._missing(name)
        frame = self._rows_of(table, BY_NAME[name].needs[table])
        return self._own(fill.fill_lists(self._span, frame, name, sources))

    def _reading(
        self,
        state: NDArray[np.uint8],
        exact: WallArrays | None,
        vacuum: NDArray[np.float64] | None,
        pressure: tuple[NDArray[np.float64], ...] | None,
        moves: Arrays,
    ) -> Arrays:
        session, span = self._session, self._span
        if exact is None or pressure is None:
            return self._missing("reading")
        try:
            levels = self._levels()
        except UnavailableError as error:
            self._reject(("reading",), error)
            return self._missing("reading")
        # The memory starts a fixed number of seconds before the chunk; the baseline may need more of a past.
        skip = max(0, self._lead - reading.LEAD_S - scene.FLOW_S)
        width = exact.add.shape
        seen = scene.Scene(
            first=span.first + skip,
            t0_ns=session.timeline.t0_ns,
            spot=span.spot[skip:],
            state=state[skip:],
            window_valid=span.valid[skip:],
            last_valid=session.last_valid[span.first + skip : span.first + span.rows],
            rest_bid=exact.rest_bid[skip:],
            rest_ask=exact.rest_ask[skip:],
            add=exact.add[skip:],
            pull=exact.pull[skip:],
            vacuum=(vacuum if vacuum is not None else np.full(width, np.nan))[skip:],
            net=pressure[0][skip:],
            ratio_bid=pressure[1][skip:],
            ratio_ask=pressure[2][skip:],
            moves=self._move_facts(moves, self._lead - skip),
            levels=levels,
            eps=instrument(session.key.symbol, session.info.lake.settings).eps_qty,
        )
        prices = scene.Prices(session.tick, price_decimals(session.tick), session.bucket_ticks)
        read = list(reading.read(seen, prices))[self._lead - skip :]
        return {
            "above": [one.above for one in read],
            "below": [one.below for one in read],
            "moves": [one.moves for one in read],
            "facts": [one.facts_json for one in read],
        }

    def _levels(self) -> list[scene.Level]:
        """Levels of the session with the seconds in which each is valid; none where their panel says why it has none.

        Raises `UnavailableError` where the panel is said to have some and they cannot be read.
        """
        session = self._session
        if not session.info.panel_status("levels").ok:
            return []
        rows = known.levels(session, session.seconds)
        return [
            scene.Level(
                reading.level_name(row["level_type"]),
                row["price_tick"],
                row["valid_from"],
                session.seconds if row["valid_to"] is None else row["valid_to"] - 1,
            )
            for row in rows
        ]

    def _move_facts(self, moves: Arrays, lead: int) -> list[dict[str, Any] | None] | None:
        if not self._session.statuses["moves"].ok:
            return None
        names = BY_NAME["moves"].column("z").members
        rows = zip(moves["z"], moves["soft_and"], moves["drive_dn"], moves["state_dn"], strict=True)
        facts = [reading.move_facts(z[:4].tolist(), soft, drive, int(bits), names) for z, soft, drive, bits in rows]
        return [None] * lead + facts

    def _codes(self, name: str, column: str, values: NDArray[np.float64] | None) -> Arrays:
        if values is None:
            return self._missing(name)
        wire = BY_NAME[name].column(column)
        assert wire.transfer is not None
        return {column: self._session.transfers.of(wire.transfer).encode(values[self._lead :])}

    def _guarded(self, name: str, load: Callable[[], Any]) -> Any:
        """What `load` returns; None where the surface has no data or its rows are refused."""
        if not self._session.statuses[name].ok:
            return None
        try:
            return load()
        except _RejectedError as error:
            self._reject((name,), error)
            return None

    def _rows_of(
        self, table: str, columns: tuple[str, ...], *, part: Span | None = None, optional: bool = False
    ) -> pl.DataFrame:
        span = part or self._span
        wanted = (*columns, *surfaces.OPTIONAL_SNAPSHOT) if optional else columns
        return _between(self._session, table, *span.bounds, wanted)

    def _require_on_tick(self, table: str, prices: pl.Series) -> None:
        odd = prices.filter(prices % self._session.tick != 0)
        if len(odd):
            raise _RejectedError(f"{table} has a price of {odd[0]} (1e-9), off the tick of {self._session.tick}")

    def _reject(self, names: tuple[str, ...], error: Exception) -> None:
        self._broken |= dict.fromkeys(names, Exception.__str__(error))

    def _missing(self, name: str) -> Arrays:
        return missing_columns(BY_NAME[name], self._session.geometry, self._rows)

    def _own(self, arrays: Arrays) -> Arrays:
        return {name: values[self._lead :] for name, values in arrays.items()}


def dense_second(session: Session, table: str, sec: int) -> pl.DataFrame:
    """Rows of a one-second table at one second; those of the wall in their dense form."""
    end = session.timeline.end_ns(sec)
    if table != WALL:
        return _between(session, table, end, end)
    since = end - _LOOKBACK_S * SECOND_NS
    rows = _between(session, WALL, since, end)
    windows = _between(session, SNAPSHOT, since, end, _DENSE_COLUMNS)
    known = rows.join(windows.select("window_end"), on="window_end", how="semi", maintain_order="left")
    if not windows.height:
        return known.clear()
    return dense_frame(known, windows, tick_size_int=session.tick, grid_ticks=session.grid_ticks, start=end, end=end)


def _between(
    session: Session, table: str, begin: int, end: int, columns: tuple[str, ...] | None = None
) -> pl.DataFrame:
    """Rows of a table whose window ends in [begin, end], ns UTC; row groups outside are not read."""
    frame = session.info.partitions[table].scan()
    if columns is not None:
        known = frame.collect_schema().names()
        frame = frame.select([name for name in columns if name in known])
    first, last = (pl.lit(bound).cast(pl.Datetime("ns", "UTC")) for bound in (begin, end))
    return frame.filter(pl.col("window_end").is_between(first, last)).collect()
