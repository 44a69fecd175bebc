"""Tables are found by themselves, and a declaration that could not work is refused where it is made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import spymaster.tables
from spymaster.tables import (
    Column,
    ContractError,
    Invariant,
    ParquetLayout,
    TableModel,
    UnknownTableError,
    all_tables,
    table,
)

NEW_TABLE = '''
"""A table that a user adds."""

import polars as pl

from spymaster.tables.model import Column, TableModel


class Brand{Name}(TableModel):
    """One row per thing."""

    layer = "gold"
    name = "{name}"
    key = ("thing",)

    thing = Column(pl.Int64, "number of the thing", ge=0)
'''

FUTURES_TABLES = {
    "bronze.future_definition",
    "bronze.future_mbo",
    "bronze.contract_day_selection",
    "silver.book_snapshot_1s",
    "silver.wall_surface_1s",
    "silver.radar_vacuum_1s",
    "silver.trade",
    "silver.bbo_change",
    "silver.order_event",
    "silver.order_life",
    "silver.vacuum_surface_1s",
    "silver.physics_bands_1s",
    "gold.physics_norm_calibration",
}


@pytest.fixture
def extra_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules count as modules of `spymaster.tables` for one test."""
    before = set(sys.modules)
    monkeypatch.setattr(spymaster.tables, "__path__", [*spymaster.tables.__path__, str(tmp_path)])
    all_tables.cache_clear()
    yield tmp_path
    all_tables.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("spymaster.tables."):
            del sys.modules[name]
            delattr(spymaster.tables, name.rsplit(".", 1)[1])


def test_the_tables_of_the_futures_are_there_by_layer_and_name() -> None:
    assert set(all_tables()) >= FUTURES_TABLES
    layers = [name.split(".")[0] for name in all_tables()]
    assert layers == sorted(layers, key=("bronze", "silver", "gold").index)


def test_a_new_module_is_a_new_table(extra_tables: Path) -> None:
    (extra_tables / "brand_new.py").write_text(NEW_TABLE.format(Name="New", name="brand_new"))
    model = table("gold.brand_new")
    assert model is table("brand_new")
    assert model.description() == "One row per thing."
    model.validate(pl.DataFrame({"thing": [1, 2]}))


def test_two_modules_cannot_declare_the_same_table(extra_tables: Path) -> None:
    (extra_tables / "brand_new.py").write_text(NEW_TABLE.format(Name="New", name="brand_new"))
    (extra_tables / "brand_old.py").write_text(NEW_TABLE.format(Name="Old", name="brand_new"))
    with pytest.raises(TypeError, match=r"two models declare gold\.brand_new"):
        all_tables()


def test_an_unknown_table_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownTableError, match=r"no table 'silver\.wal'") as caught:
        table("silver.wal")
    assert "silver.wall_surface_1s" in str(caught.value)


def test_the_module_of_a_table_is_named_after_it() -> None:
    for model in all_tables().values():
        assert model.__module__ == f"spymaster.tables.{model.name}"


def test_the_models_load_without_the_heavy_libraries() -> None:
    code = (
        "import sys; from spymaster.tables import all_tables; all_tables(); import spymaster.lake, spymaster.settings;"
        "print([name for name in ('pandera', 'numba', 'databento', 'exchange_calendars', 'matplotlib', 'dagster')"
        " if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


class TestDeclaration:
    def test_a_key_is_the_order_of_the_rows(self) -> None:
        assert table("trade").sort_by == table("trade").key == ("event_id",)

    def test_the_fingerprint_follows_names_types_and_nulls_only(self) -> None:
        def declare(**columns: Column) -> str:
            body = {"__doc__": "x", "layer": "gold", "name": "thing", **columns}
            return type("Thing", (TableModel,), body).schema_fingerprint()

        one = declare(a=Column(pl.Int64, "an a"))
        assert one == declare(a=Column(pl.Int64, "another text", unit="lots", ge=0))
        others = {
            declare(b=Column(pl.Int64, "an a")),
            declare(a=Column(pl.Int32, "an a")),
            declare(a=Column(pl.Int64, "an a", nullable=True)),
            declare(a=Column(pl.Int64, "an a"), b=Column(pl.Int64, "a b")),
        }
        assert len(others) == 4
        assert one not in others

    def test_the_code_version_follows_the_version_and_the_columns(self) -> None:
        body = {"__doc__": "x", "layer": "gold", "name": "thing", "a": Column(pl.Int64, "an a")}
        first = type("Thing", (TableModel,), body)
        second = type("Thing", (TableModel,), {**body, "version": 2})
        third = type("Thing", (TableModel,), {**body, "a": Column(pl.Int8, "an a")})
        assert len({first.code_version(), second.code_version(), third.code_version()}) == 3

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"layer": "copper"}, "layer must be one of"),
            ({"__doc__": ""}, "needs a name, a docstring and columns"),
            ({"a": None}, "needs a name, a docstring and columns"),
            ({"key": ("b",)}, r"do not exist: \['b'\]"),
            ({"key": ("a",), "sort_by": ("b",)}, "must have the same columns"),
            ({"constant": ("c",)}, r"do not exist: \['c'\]"),
            ({"time_column": "t"}, r"do not exist: \['t'\]"),
            ({"parquet": ParquetLayout(delta=("d",))}, r"do not exist: \['d'\]"),
            ({"parquet": ParquetLayout(pruning=("p",))}, r"do not exist: \['p'\]"),
            ({"parquet": ParquetLayout(split=("s",))}, r"do not exist: \['s'\]"),
            ({"parquet": ParquetLayout(row_group_by="a")}, "need rows in order of that column first"),
            ({"symbol": Column(pl.String, "the root")}, r"cannot be columns: \['symbol'\]"),
            ({"validate": Column(pl.String, "a word of the base")}, r"cannot be columns: \['validate'\]"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes: dict[str, object], message: str) -> None:
        body = {"__doc__": "x", "layer": "gold", "name": "thing", "a": Column(pl.Int64, "an a"), **changes}
        with pytest.raises(TypeError, match=message):
            type("Thing", (TableModel,), body)

    def test_a_null_never_breaks_an_invariant(self) -> None:
        body = {
            "__doc__": "x",
            "layer": "gold",
            "name": "thing",
            "a": Column(pl.Int64, "an a; may be null", nullable=True, ge=0),
            "invariants": (Invariant("small", "a < 10", lambda pl: pl.col("a") < 10),),
        }
        model = type("Thing", (TableModel,), body)
        frame = pl.DataFrame({"a": [None, 3, None]}, schema=model.schema())
        assert model.validate(frame) is frame
        with pytest.raises(ContractError, match="small"):
            model.validate(pl.DataFrame({"a": [None, 11, None]}, schema=model.schema()))
