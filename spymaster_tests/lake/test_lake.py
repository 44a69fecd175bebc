"""Opening a lake, what kind it is, and reading partitions back."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from spymaster.lake import Lake, LakeKindError, LakeNotFoundError, MissingPartitionError
from spymaster.lake.errors import (
    CorruptLakeError,
    CorruptPartitionError,
    InvalidKeyError,
    SchemaDriftError,
    UnknownColumnError,
    UnsupportedLakeRootError,
)
from spymaster.settings import get_settings
from spymaster.tables import UnknownTableError
from spymaster_tests.lake.storing import DT, TRADE, partition, store, trades

LATER = date(2024, 1, 3)
LAST = date(2024, 1, 4)


class TestOpen:
    def test_what_is_not_a_lake_is_not_opened(self, tmp_path: Path) -> None:
        with pytest.raises(LakeNotFoundError, match=str(tmp_path / "nothing")):
            Lake.open(tmp_path / "nothing")
        assert not (tmp_path / "nothing").exists()

    def test_the_root_comes_from_the_settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPYMASTER_LAKE_ROOT", str(tmp_path / "chosen"))
        assert Lake.open(create=True).root == tmp_path / "chosen"
        assert Lake.open().root == tmp_path / "chosen"

    def test_opening_twice_changes_nothing(self, tmp_path: Path) -> None:
        Lake.open(tmp_path, create=True, kind="simulated")
        assert Lake.open(tmp_path, create=True).kind == "simulated"

    def test_a_uri_is_refused_for_what_it_is(self) -> None:
        with pytest.raises(UnsupportedLakeRootError, match="s3://bucket/lake"):
            Lake.open("s3://bucket/lake", create=True)

    @pytest.mark.parametrize(
        "content",
        ["", "[]", "{}", '{"format": 9}', '{"format": 1, "kind": "both", "parameter_profile": "standard"}',
         '{"format": 1, "kind": null, "parameter_profile": "fast"}'],
    )  # fmt: skip
    def test_a_spoilt_lake_file_is_named(self, content: str, lake: Lake) -> None:
        (lake.root / "_LAKE.json").write_text(content)
        with pytest.raises(CorruptLakeError, match=r"_LAKE\.json"):
            Lake.open(lake.root)

    def test_a_lake_that_vanishes_is_named(self, lake: Lake) -> None:
        shutil.rmtree(lake.root)
        with pytest.raises(LakeNotFoundError, match="no longer a data lake"):
            _ = lake.kind


class TestKindAndProfile:
    def test_the_first_data_decide_and_the_other_kind_is_refused(self, lake: Lake) -> None:
        assert lake.kind is None
        lake.claim_kind("real")
        lake.claim_kind("real")
        with pytest.raises(LakeKindError, match="holds real data; simulated data must not enter it"):
            lake.claim_kind("simulated")
        with pytest.raises(LakeKindError):
            Lake.open(lake.root, kind="simulated")
        assert Lake.open(lake.root).kind == "real"

    def test_the_profile_is_that_of_the_settings_or_else_of_the_lake(self, tmp_path: Path) -> None:
        demo = Lake.open(tmp_path / "demo", create=True, settings=get_settings(parameter_profile="demo"))
        assert demo.profile == "demo"
        assert Lake.open(tmp_path / "demo").profile == "demo"
        assert Lake.open(tmp_path / "demo", settings=get_settings(parameter_profile="standard")).profile == "standard"
        assert Lake.open(tmp_path / "plain", create=True).profile == "standard"

    def test_claiming_keeps_the_profile(self, tmp_path: Path) -> None:
        demo = Lake.open(tmp_path / "demo", create=True, settings=get_settings(parameter_profile="demo"))
        demo.claim_kind("simulated")
        record = json.loads((tmp_path / "demo" / "_LAKE.json").read_text())
        assert record == {"format": 1, "kind": "simulated", "parameter_profile": "demo"}


class TestPartitions:
    @pytest.fixture(autouse=True)
    def _three_days(self, lake: Lake) -> None:
        for number, dt in enumerate((LATER, DT, LAST)):
            store(lake, trades(10 + number), dt=dt)
        with lake.writer(TRADE, "NQ", DT) as writer:
            writer.write(trades(5))
            writer.commit()

    def test_they_are_listed_by_symbol_and_date(self, lake: Lake) -> None:
        keys = [(found.symbol, found.dt) for found in lake.partitions("silver.trade")]
        assert keys == [("ES", DT), ("ES", LATER), ("ES", LAST), ("NQ", DT)]
        assert [found.dt for found in lake.partitions(TRADE, "ES", start=LATER)] == [LATER, LAST]
        assert [found.dt for found in lake.partitions(TRADE, "ES", end=LATER)] == [DT, LATER]
        assert lake.partitions(TRADE, "CL") == []
        assert lake.partitions("silver.bbo_change") == []

    def test_only_whole_partitions_count(self, lake: Lake) -> None:
        folder = partition(lake).path.parent.parent
        (folder / "dt=2024-01-09").mkdir()  # a crash before the first file
        (folder / "dt=2024-13-77").mkdir()  # somebody else's
        (folder / "dt=2024-01-02.bak").mkdir()
        (folder.parent / "symbol=es").mkdir()
        assert [found.dt for found in lake.partitions(TRADE, "ES")] == [DT, LATER, LAST]
        assert [found.symbol for found in lake.partitions(TRADE)] == ["ES"] * 3 + ["NQ"]
        assert not lake.has(TRADE, "ES", date(2024, 1, 9))

    def test_a_missing_one_is_named_with_what_to_do(self, lake: Lake) -> None:
        with pytest.raises(MissingPartitionError, match=r"silver\.trade ES 2024-01-09 is not in") as caught:
            lake.partition(TRADE, "ES", date(2024, 1, 9))
        assert "spymaster run --symbol ES --dates 2024-01-09:2024-01-09" in str(caught.value)

    def test_reading_adds_symbol_and_date(self, lake: Lake) -> None:
        frame = lake.read("silver.trade")
        assert frame.height == 10 + 11 + 12 + 5
        assert frame.columns == [*TRADE.columns, "symbol", "dt"]
        assert frame.group_by("symbol", "dt").len().sort("symbol", "dt").rows() == [
            ("ES", DT, 11),
            ("ES", LATER, 10),
            ("ES", LAST, 12),
            ("NQ", DT, 5),
        ]

    def test_only_the_columns_asked_for_are_read(self, lake: Lake) -> None:
        lazy = lake.scan(TRADE, "ES", columns=["qty", "dt"])
        assert lazy.collect_schema().names() == ["qty", "symbol", "dt"]
        assert "PROJECT 1/12 COLUMNS" in lazy.explain()
        assert lake.read(TRADE, "ES", start=LAST, columns=["event_id"]).height == 12

    def test_no_partition_gives_an_empty_frame_of_the_same_shape(self, lake: Lake) -> None:
        empty = lake.read(TRADE, "CL")
        assert empty.schema == lake.read(TRADE, "ES").schema
        assert empty.is_empty()

    def test_unknown_names_are_named(self, lake: Lake) -> None:
        with pytest.raises(UnknownColumnError, match=r"silver\.trade has no columns \['quantity'\]"):
            lake.scan(TRADE, "ES", columns=["quantity"])
        with pytest.raises(UnknownColumnError, match=r"silver\.trade ES 2024-01-02 has no columns \['quantity'\]"):
            partition(lake).read(["quantity"])
        with pytest.raises(UnknownColumnError):
            list(partition(lake).batches(["quantity"]))
        with pytest.raises(UnknownTableError):
            lake.read("silver.trades")
        with pytest.raises(InvalidKeyError, match=r"'../ES'"):
            lake.has(TRADE, "../ES", DT)

    def test_another_programs_scan_of_the_table_reads_it_unaided(self, lake: Lake) -> None:
        frame = pl.read_parquet(lake.root / "silver" / "trade" / "**" / "*.parquet", hive_partitioning=True)
        assert frame.height == 38
        assert set(frame.get_column("symbol").unique()) == {"ES", "NQ"}
        assert frame.schema["dt"] == pl.Date

    def test_a_partition_with_other_columns_is_not_mixed_in(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TRADE, "schema_fingerprint", classmethod(lambda cls: "of another day"))
        with pytest.raises(SchemaDriftError, match=r"silver\.trade ES 2024-01-02 was written with other columns"):
            lake.scan(TRADE)
        assert partition(lake).read().height == 11  # alone it can be read


class TestDamage:
    def test_a_truncated_file_is_named(self, lake: Lake) -> None:
        store(lake, trades(1000))
        path = partition(lake).path
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(CorruptPartitionError, match=r"part-00000\.parquet cannot be read as Parquet"):
            _ = partition(lake).manifest

    def test_a_foreign_file_is_named(self, lake: Lake) -> None:
        store(lake, trades(3))
        trades(3).write_parquet(partition(lake).path)
        with pytest.raises(CorruptPartitionError, match="carries no manifest"):
            _ = partition(lake).manifest

    @pytest.mark.parametrize("text", ["{}", "not json", '{"format": 2}', "[]"])
    def test_a_spoilt_manifest_is_named(self, text: str, lake: Lake) -> None:
        store(lake, trades(3))
        trades(3).write_parquet(partition(lake).path, metadata={"spymaster.manifest": text})
        with pytest.raises(CorruptPartitionError, match="its manifest cannot be read"):
            _ = partition(lake).manifest

    def test_the_copies_may_be_lost_or_old(self, lake: Lake) -> None:
        """Readers rely on the file alone; the copies are for people and other tools."""
        store(lake, trades(3))
        folder = partition(lake).path.parent
        (folder / "_MANIFEST.json").write_text("{")
        (folder / "_SUCCESS").unlink()
        assert partition(lake).manifest.rows == 3
        assert lake.read(TRADE).height == 3
        store(lake, trades(4))
        assert json.loads((folder / "_MANIFEST.json").read_text())["rows"] == 4
        assert (folder / "_SUCCESS").exists()
