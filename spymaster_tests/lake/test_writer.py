"""What the writer promises: validated rows, the same bytes for the same data, and a manifest that tells everything."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from spymaster.lake import Lake, LakeKindError, MissingPartitionError
from spymaster.lake.errors import ManifestValueError, WriterStateError
from spymaster.tables import ContractError, ParquetLayout, all_tables
from spymaster_tests.lake.storing import DT, MBO, TRADE, leftovers, orders, partition, store, trades
from spymaster_tests.tables.samples import sample


@pytest.mark.parametrize("model", all_tables().values(), ids=lambda model: model.name)
def test_every_table_reads_back_as_it_was_written(model: type, lake: Lake) -> None:
    frame = sample(model)
    store(lake, frame, model=model)
    stored = lake.partition(model, "ES", DT)
    assert stored.read().equals(frame)
    assert stored.read().schema == frame.schema
    assert pl.concat(stored.batches(rows=2)).equals(frame)
    assert stored.rows == frame.height


class TestSameBytes:
    def test_however_the_caller_cuts_the_frames(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TRADE, "parquet", ParquetLayout(row_group_rows=64))
        rows = trades(1000)
        chosen = random.Random(1)
        seen = set()
        for _ in range(6):
            cuts = [0, *sorted(chosen.sample(range(1, 1000), chosen.randint(0, 40))), 1000]
            store(lake, [rows[start:end] for start, end in pairwise(cuts)])
            seen.add(partition(lake).path.read_bytes())
        assert len(seen) == 1
        assert pq.ParquetFile(partition(lake).path).num_row_groups == 16

    def test_in_another_root_at_another_time(self, tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        store(lake, trades(100))
        other = Lake.open(tmp_path / "elsewhere", create=True)
        monkeypatch.setenv("HOSTNAME", "another")
        store(other, trades(100))
        assert partition(lake).path.read_bytes() == partition(other).path.read_bytes()

    def test_the_content_hash_is_of_the_rows_alone(self, lake: Lake) -> None:
        first = store(lake, trades(100))
        assert store(lake, trades(100), notes={"told": "twice"}).content_hash == first.content_hash
        assert store(lake, trades(100, qty=5)).content_hash != first.content_hash
        assert store(lake, trades(99)).content_hash != first.content_hash
        assert store(lake, trades(100, contract="ESM4")).content_hash != first.content_hash


class TestRowGroups:
    def test_none_spans_two_contracts_and_one_contract_reads_alone(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MBO, "parquet", ParquetLayout(row_group_rows=40, row_group_by="contract"))
        frames = [orders("ESH4", 100), orders("ESM4", 30), orders("ESU4", 5)]
        mixed = pl.concat(frames)
        store(lake, [mixed[:70], mixed[70:101], mixed[101:]], model=MBO)
        stored = partition(lake, model=MBO)
        metadata = pq.ParquetFile(stored.path).metadata
        assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [40, 40, 20, 30, 5]
        for frame in frames:
            contract = frame.item(0, "contract")
            assert pl.concat(stored.batches(contract=contract)).equals(frame)
            assert pl.concat(stored.batches(["size"], rows=7, contract=contract)).equals(frame.select("size"))
        assert list(stored.batches(contract="ESZ4")) == []

    def test_the_declared_encodings_are_those_of_the_file(self, lake: Lake) -> None:
        store(lake, orders("ESH4", 2000), model=MBO)
        group = pq.ParquetFile(partition(lake, model=MBO).path).metadata.row_group(0)
        columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
        assert {column.compression for column in columns.values()} == {"ZSTD"}
        for name in MBO.parquet.delta:
            assert "DELTA_BINARY_PACKED" in columns[name].encodings
        for name in MBO.parquet.split:
            assert "BYTE_STREAM_SPLIT" in columns[name].encodings
        for name in MBO.parquet.dictionary or ():
            assert "RLE_DICTIONARY" in columns[name].encodings
        assert {name for name, column in columns.items() if column.is_stats_set} == set(MBO.pruning_columns())


class TestValidation:
    def test_a_broken_row_is_named_and_nothing_is_stored(self, lake: Lake) -> None:
        bad = trades(10).with_columns(qty=pl.when(pl.col("event_id") == 7).then(-3).otherwise(4).cast(pl.Int64))
        with pytest.raises(ContractError, match=r"silver\.trade \(ES 2024-01-02, rows from 0\).*qty >= 0.*qty=-3"):
            store(lake, bad)
        assert not lake.has(TRADE, "ES", DT)
        assert leftovers(lake) == []

    def test_the_old_partition_survives_a_broken_new_one(self, lake: Lake) -> None:
        store(lake, trades(10))
        before = partition(lake).path.read_bytes()
        with pytest.raises(ContractError):
            store(lake, trades(10, qty=-1))
        assert partition(lake).path.read_bytes() == before

    @pytest.mark.parametrize("first", [30, 31])
    def test_order_holds_across_row_groups(self, first: int, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TRADE, "parquet", ParquetLayout(row_group_rows=16))
        with pytest.raises(ContractError, match=r"rows from 32.*rows in order of event_id"):
            store(lake, [trades(32), trades(32, first=first)])
        store(lake, [trades(32), trades(32, first=32)])

    def test_one_contract_holds_across_row_groups(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TRADE, "parquet", ParquetLayout(row_group_rows=16))
        with pytest.raises(ContractError, match="one contract per partition"):
            store(lake, [trades(16), trades(16, first=16, contract="ESM4")])

    def test_a_wrong_column_is_refused_at_once(self, lake: Lake) -> None:
        with lake.writer(TRADE, "ES", DT) as writer, pytest.raises(ContractError, match="columns are missing"):
            writer.write(trades(3).drop("qty"))


class TestUse:
    def test_leaving_without_commit_stores_nothing(self, lake: Lake) -> None:
        with lake.writer(TRADE, "ES", DT) as writer:
            writer.write(trades(3))
        assert not lake.has(TRADE, "ES", DT)
        assert leftovers(lake) == []

    def test_after_the_commit_the_writer_is_spent(self, lake: Lake) -> None:
        with lake.writer(TRADE, "ES", DT) as writer:
            writer.write(trades(3))
            writer.commit(provenance="real")
            with pytest.raises(WriterStateError, match="is committed"):
                writer.write(trades(3, first=3))
            with pytest.raises(WriterStateError, match="is committed"):
                writer.commit()
        with pytest.raises(WriterStateError, match="is closed"):
            writer.write(trades(3, first=3))
        with pytest.raises(WriterStateError, match="is new"):
            lake.writer(TRADE, "ES", DT).write(trades(3))

    def test_a_writer_is_rewritten_by_the_next_one(self, lake: Lake) -> None:
        store(lake, trades(10))
        store(lake, trades(20))
        assert partition(lake).rows == 20
        assert sorted(path.name for path in partition(lake).path.parent.iterdir()) == [
            "_MANIFEST.json",
            "_SUCCESS",
            "part-00000.parquet",
        ]
        assert leftovers(lake) == []

    def test_several_tables_are_written_side_by_side(self, lake: Lake) -> None:
        with (
            lake.writer(TRADE, "ES", DT) as one,
            lake.writer(MBO, "ES", DT) as two,
            lake.writer(TRADE, "NQ", DT) as three,
        ):
            one.write(trades(3))
            two.write(orders("ESH4", 4))
            three.write(trades(5))
            for writer in (three, two, one):
                writer.commit(provenance="real")
        assert [lake.partition(*key).rows for key in ((TRADE, "ES", DT), (MBO, "ES", DT), (TRADE, "NQ", DT))] == [
            3,
            4,
            5,
        ]


class TestManifest:
    def test_it_tells_everything(self, lake: Lake) -> None:
        source = store(lake, orders("ESH4", 10), model=MBO, dataset="GLBX.MDP3")
        upstream = partition(lake, model=MBO)
        written = store(
            lake,
            trades(10),
            inputs=[upstream],
            parameters={"depth": np.int64(3)},
            counters={"unknown_cancel": np.uint32(2), "share": np.float64(0.5)},
            notes={"gap": [date(2024, 1, 1)]},
        )
        manifest = partition(lake).manifest
        assert manifest == written
        assert (manifest.table, manifest.symbol, manifest.dt, manifest.rows) == ("silver.trade", "ES", DT, 10)
        assert manifest.schema_fingerprint == TRADE.schema_fingerprint()
        assert manifest.code_version == TRADE.code_version()
        assert [vars(item) for item in manifest.inputs] == [
            {"kind": "partition", "name": "bronze.future_mbo ES 2024-01-02", "content_hash": source.content_hash}
        ]
        assert (manifest.provenance, manifest.dataset, manifest.profile) == ("real", "GLBX.MDP3", "standard")
        assert manifest.time_span == ("2024-01-02T15:00:00.000000000Z", "2024-01-02T15:00:00.000000009Z")
        assert manifest.parameters["engine"]["rest_ns"] == 500_000_000
        assert manifest.parameters["instrument"]["tick_size_int"] == 250_000_000
        assert manifest.parameters["depth"] == 3
        assert manifest.counters == {"unknown_cancel": 2, "share": 0.5}
        assert manifest.notes == {"gap": ["2024-01-01"]}
        assert manifest.empty_reason is None

    def test_the_copies_beside_the_file_agree_with_it(self, lake: Lake) -> None:
        manifest = store(lake, trades(10))
        folder = partition(lake).path.parent
        copy = json.loads((folder / "_MANIFEST.json").read_text())
        assert copy.pop("file_sha256") == hashlib.sha256(partition(lake).path.read_bytes()).hexdigest()
        assert copy.pop("file_bytes") == partition(lake).path.stat().st_size
        assert copy.pop("created_at").startswith("20")
        assert copy == json.loads(manifest.to_json())
        assert (folder / "_SUCCESS").read_bytes() == b""

    def test_an_empty_partition_says_why(self, lake: Lake) -> None:
        assert store(lake, [], empty_reason="no definition file").empty_reason == "no definition file"
        assert partition(lake).read().equals(TRADE.empty())
        assert list(partition(lake).batches()) == []
        assert store(lake, TRADE.empty()).empty_reason == "the inputs hold no rows for this table"
        assert store(lake, trades(1), empty_reason="not so").empty_reason is None

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes", np.zeros(3)])
    def test_what_is_not_json_is_refused_by_name(self, value: object, lake: Lake) -> None:
        with pytest.raises(ManifestValueError, match=r"counters\.engine\.odd\[1\]"):
            store(lake, trades(1), counters={"engine": {"odd": [1, value]}})
        with pytest.raises(MissingPartitionError):
            partition(lake)

    def test_what_the_settings_say_cannot_be_overwritten(self, lake: Lake) -> None:
        with pytest.raises(ManifestValueError, match=r"\['engine'\] are recorded from the settings"):
            store(lake, trades(1), parameters={"engine": {"rest_ns": 1}})


class TestProvenance:
    def test_the_simulators_dataset_is_simulated_and_no_other(self, lake: Lake) -> None:
        manifest = store(lake, trades(1), dataset="SIM.SPYMASTER")
        assert (manifest.provenance, lake.kind) == ("simulated", "simulated")

    def test_it_is_inherited_from_the_inputs_with_the_dataset(self, tmp_path: Path, lake: Lake) -> None:
        store(lake, orders("ESH4", 3), model=MBO, dataset="SIM.SPYMASTER")
        manifest = store(lake, trades(1), inputs=[partition(lake, model=MBO)])
        assert (manifest.provenance, manifest.dataset) == ("simulated", "SIM.SPYMASTER")

    def test_nobody_knowing_is_an_error(self, lake: Lake) -> None:
        with lake.writer(TRADE, "ES", DT) as writer, pytest.raises(LakeKindError, match="nothing says whether"):
            writer.commit()
        assert lake.kind is None

    def test_real_and_simulated_never_meet(self, tmp_path: Path, lake: Lake) -> None:
        simulated = Lake.open(tmp_path / "simulated", create=True, kind="simulated")
        store(simulated, orders("ESH4", 3), model=MBO)
        store(lake, orders("ESH4", 3), model=MBO, provenance="real")
        with pytest.raises(LakeKindError, match=r"the caller is simulated, the lake .* is real"):
            store(lake, trades(1), provenance="simulated")
        with pytest.raises(LakeKindError, match=r"dataset SIM\.SPYMASTER is simulated"):
            store(lake, trades(1), dataset="SIM.SPYMASTER")
        with pytest.raises(LakeKindError, match="the caller is real, dataset SIM"):
            store(simulated, trades(1), dataset="SIM.SPYMASTER", provenance="real")
        with pytest.raises(LakeKindError, match=r"bronze\.future_mbo ES 2024-01-02 is simulated"):
            store(lake, trades(1), inputs=[partition(simulated, model=MBO)])
        assert not lake.has(TRADE, "ES", DT)
        assert not simulated.has(TRADE, "ES", DT)
