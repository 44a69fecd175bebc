"""Raw files enter whole, under a name that tells their date, and are never touched again."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import pytest

from spymaster.lake import Lake, LakeKindError, raw_files, store_raw
from spymaster.lake import raw as raw_module
from spymaster.lake.errors import InvalidKeyError, InvalidRawNameError, RawFileExistsError
from spymaster.lake.raw import all_raw_files, cached_sha256, raw_date, raw_name

DT = date(2023, 12, 25)
MBO = {"source": "databento", "product_type": "future", "symbol": "ES", "table": "market_by_order_dbn"}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "glbx-mdp3-20231225.mbo.dbn.zst"
    path.write_bytes(b"raw bytes " * 1000)
    return path


class TestStore:
    def test_a_file_lands_where_it_belongs_unchanged(self, lake: Lake, original: Path) -> None:
        stored = store_raw(lake, original, **MBO, dt=DT)
        expected = "raw/source=databento/product_type=future/symbol=ES/table=market_by_order_dbn/" + original.name
        assert stored.file.name == expected
        assert not stored.already_there
        assert stored.file.path.read_bytes() == original.read_bytes()
        assert original.exists()
        assert lake.kind == "real"
        assert list((lake.root / "_staging").iterdir()) == []

    def test_the_same_file_again_is_fine(self, lake: Lake, original: Path) -> None:
        first = store_raw(lake, original, **MBO, dt=DT).file
        stamp = first.path.stat().st_mtime_ns
        again = store_raw(lake, original, **MBO, dt=DT)
        assert again.already_there
        assert again.file == first
        assert first.path.stat().st_mtime_ns == stamp

    def test_other_bytes_under_the_same_name_are_refused(self, lake: Lake, original: Path) -> None:
        store_raw(lake, original, **MBO, dt=DT)
        before = original.read_bytes()
        original.write_bytes(b"something else")
        with pytest.raises(RawFileExistsError, match=r"glbx-mdp3-20231225.* is already stored with other bytes"):
            store_raw(lake, original, **MBO, dt=DT)
        assert raw_files(lake, "ES", "market_by_order_dbn")[0].path.read_bytes() == before

    def test_a_file_that_appears_meanwhile_is_not_overwritten(
        self, lake: Lake, original: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = store_raw(lake, original, **MBO, dt=DT).file.path
        target.write_bytes(b"of another process")
        monkeypatch.setattr(Path, "exists", lambda self: False)  # it was not there when we looked
        with pytest.raises(RawFileExistsError):
            store_raw(lake, original, **MBO, dt=DT)
        monkeypatch.undo()
        assert target.read_bytes() == b"of another process"
        assert list((lake.root / "_staging").iterdir()) == []

    def test_simulated_files_never_enter_a_lake_of_real_ones(self, lake: Lake, original: Path) -> None:
        store_raw(lake, original, **MBO, dt=DT)
        with pytest.raises(LakeKindError, match="holds real data"):
            store_raw(lake, original, **{**MBO, "source": "simulated"}, dt=DT)
        assert not (lake.root / "raw" / "source=simulated").exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("source", "vendor"), ("product_type", "stock"), ("table", "mbo"), ("symbol", "es"), ("symbol", "..")],
    )
    def test_unknown_places_are_refused(self, lake: Lake, original: Path, field: str, value: str) -> None:
        with pytest.raises(InvalidKeyError, match=value):
            store_raw(lake, original, **{**MBO, field: value}, dt=DT)


class TestNames:
    @pytest.mark.parametrize(
        ("original", "stored"),
        [
            ("glbx-mdp3-20231225.mbo.dbn.zst", "glbx-mdp3-20231225.mbo.dbn.zst"),
            ("definition-glbx-es-fut.dbn.zst", "20231225.definition-glbx-es-fut.dbn.zst"),
            ("glbx-20231201-20231231.mbo.dbn", "20231225.glbx-20231201-20231231.mbo.dbn"),
            ("batch-20231224.dbn", "20231225.batch-20231224.dbn"),
            ("job-123456789.dbn", "20231225.job-123456789.dbn"),
        ],
    )
    def test_a_stored_name_tells_the_date(self, original: str, stored: str) -> None:
        assert raw_name(original, DT) == stored
        assert raw_date(stored) == DT
        assert raw_name(stored, DT) in (stored, f"20231225.{stored}")

    @pytest.mark.parametrize("name", ["x.dbn", "20231325.dbn", "glbx-20231201-20231231.mbo.dbn", "1234567.dbn"])
    def test_a_name_without_a_date_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidRawNameError, match=name):
            raw_date(name)


class TestDiscovery:
    def test_files_are_found_by_symbol_table_and_date(self, lake: Lake, tmp_path: Path) -> None:
        for day in (27, 25, 26):
            path = tmp_path / f"glbx-mdp3-202312{day}.mbo.dbn.zst"
            path.write_bytes(bytes([day]))
            store_raw(lake, path, **MBO, dt=date(2023, 12, day))
        definition = tmp_path / "definition.dbn"
        definition.write_bytes(b"d")
        store_raw(lake, definition, **{**MBO, "table": "definition"}, dt=DT)
        store_raw(lake, definition, **{**MBO, "symbol": "NQ", "product_type": "future_option"}, dt=DT)
        found = raw_files(lake, "ES", "market_by_order_dbn")
        assert [file.dt.day for file in found] == [25, 26, 27]
        assert [file.dt.day for file in raw_files(lake, "ES", "market_by_order_dbn", date(2023, 12, 26))] == [26]
        assert [file.path.name for file in raw_files(lake, "ES", "definition")] == ["20231225.definition.dbn"]
        assert raw_files(lake, "NQ", "market_by_order_dbn") == []
        assert len(raw_files(lake, "NQ", "market_by_order_dbn", product_type="future_option")) == 1
        assert [(file.symbol, file.table, file.dt.day) for file in all_raw_files(lake)] == [
            ("ES", "market_by_order_dbn", 25),
            ("ES", "market_by_order_dbn", 26),
            ("ES", "market_by_order_dbn", 27),
            ("ES", "definition", 25),
            ("NQ", "market_by_order_dbn", 25),
        ]

    def test_a_file_put_there_by_hand_without_a_date_does_not_lie_unnoticed(self, lake: Lake, original: Path) -> None:
        folder = store_raw(lake, original, **MBO, dt=DT).file.path.parent
        (folder / "notes.txt").write_text("not market data")
        (folder / "mystery.dbn").write_bytes(b"")
        with pytest.raises(InvalidRawNameError, match=r"mystery\.dbn"):
            raw_files(lake, "ES", "market_by_order_dbn")


class TestHash:
    def test_it_is_computed_once_for_a_size_and_time(
        self, lake: Lake, original: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = store_raw(lake, original, **MBO, dt=DT).file
        assert file.sha256 == hashlib.sha256(original.read_bytes()).hexdigest()
        monkeypatch.setattr(raw_module, "_sha256", lambda path: pytest.fail("hashed again"))
        assert cached_sha256(lake.root, file.path) == file.sha256

    def test_a_touched_file_is_hashed_again(self, lake: Lake, original: Path) -> None:
        file = store_raw(lake, original, **MBO, dt=DT).file
        before = file.sha256
        state = file.path.stat()
        changed = bytearray(file.path.read_bytes())
        changed[0] ^= 1
        file.path.write_bytes(bytes(changed))
        os.utime(file.path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
        assert file.sha256 == hashlib.sha256(bytes(changed)).hexdigest() != before

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "other"}'])
    def test_a_spoilt_cache_is_made_again(self, lake: Lake, original: Path, content: str) -> None:
        file = store_raw(lake, original, **MBO, dt=DT).file
        good = file.sha256
        (entry,) = (lake.root / "_cache" / "raw_sha256").iterdir()
        entry.write_text(content)
        assert file.sha256 == good
        assert json.loads(entry.read_text())["sha256"] == good
