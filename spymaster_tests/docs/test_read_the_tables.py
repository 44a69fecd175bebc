"""The Python on the page about reading tables runs and finds the rows."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from spymaster_tests.docs.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "tasks" / "read-the-tables.md"
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_both_blocks_read_the_lake(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lake.parent)
    with_polars, with_library = BLOCKS
    names: dict[str, object] = {}
    exec(with_polars, names)
    thick = names["thick"]
    assert isinstance(thick, pl.LazyFrame)
    rows = thick.collect()
    assert rows.height == 10
    assert rows["symbol"].unique().to_list() == ["ES"]
    assert rows["rel_ticks"].is_between(-20, 20).all()
    assert rows["depth_qty_rest"].is_sorted()

    names = {}
    exec(with_library, names)
    frame = names["frame"]
    assert isinstance(frame, pl.DataFrame)
    assert frame.height > 100
    assert {"symbol", "dt"} <= set(frame.columns)
    assert "simulated" in capsys.readouterr().out
