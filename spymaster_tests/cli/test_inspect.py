"""`spymaster inspect`: censuses, ladders, rows and manifests, against what is known about the files."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.cli.ladder import parse_time
from spymaster.feed.reader import MboFile
from spymaster.lake import Lake
from spymaster.market.dbn import F_LAST, F_SNAPSHOT
from spymaster_tests.checks.sessions import DT, SYMBOL
from spymaster_tests.cli.conftest import Cli
from spymaster_tests.streams import interleave, random_stream, write_raw_day

NS = 1_000_000_000


def raw_file(lake: Lake) -> Path:
    (path,) = lake.root.glob(f"raw/**/*{DT:%Y%m%d}*.dbn.zst")
    return path


def records_of(path: Path) -> np.ndarray:
    return np.concatenate([chunk.copy() for chunk in MboFile.open(path).chunks()])


def test_census_counts_what_is_in_the_file(cli: Cli, good_lake: Lake):
    records = records_of(raw_file(good_lake))
    snapshot = records["flags"] & F_SNAPSHOT != 0
    total = cli("inspect", "flags", raw_file(good_lake), "--json").json["total"]
    assert total["records"] == len(records)
    assert total["snapshot_records"] == snapshot.sum()
    assert total["events"] == (~snapshot & (records["flags"] & F_LAST != 0)).sum()
    assert total["actions"] == {letter: int((records["action"] == ord(letter)).sum()) for letter in "ACMRTFN"}
    assert total["flags"]["F_LAST"] == (records["flags"] & F_LAST != 0).sum()
    assert total["snapshots"] == 1
    assert total["last_live_ts_event"] == f"{np.datetime64(int(records['ts_event'][-1]), 'ns')}Z"


def test_census_tells_instruments_apart(cli: Cli, tmp_path: Path):
    ids = {"ESH4": 17077, "ESM4": 17078}
    streams = [random_stream(seed, 300, instrument_id=number) for seed, number in enumerate(ids.values())]
    path = write_raw_day(tmp_path, "ES", DT, interleave(*streams), contracts=ids)
    document = cli("inspect", "flags", path, "--json").json
    for stream, name in zip(streams, ids, strict=True):
        one = document["instruments"][name]
        assert one["records"] == len(stream)
        in_snapshot = np.concatenate(([False], stream["flags"] & F_SNAPSHOT != 0)).astype(int)
        assert one["snapshots"] == (np.diff(in_snapshot) == 1).sum()
    assert document["total"]["records"] == sum(map(len, streams))
    shown = cli("inspect", "flags", path).out
    assert "ESH4" in shown
    assert "ESM4" in shown


def test_a_damaged_file_is_counted_up_to_the_damage(cli: Cli, tmp_path: Path):
    stream = random_stream(1, 300)
    stream["rtype"][200] = 1
    path = write_raw_day(tmp_path, "ES", DT, stream)
    done = cli("inspect", "flags", path, "--json")
    assert done.code == 1
    assert done.json["total"]["records"] == 200
    assert "record 200" in done.json["error"]["message"]
    assert "record 200" in done.err


def test_census_of_the_real_file(cli: Cli, real_data: Path):
    total = cli("inspect", "flags", real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst", "--json").json["total"]
    assert (total["records"], total["snapshot_records"], total["live_records"]) == (68_792, 8_725, 60_067)
    assert total["actions"] == {"A": 29_216, "C": 17_999, "M": 12_233, "R": 0, "T": 2_973, "F": 6_371, "N": 0}
    assert (total["flags"]["F_LAST"], total["events"]) == (47_022, 47_022)


def test_ladder_at_the_end_of_the_real_file(cli: Cli, real_data: Path):
    path = real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    document = cli("inspect", "book", path, "-n", 1000, "--json").json
    assert (len(document["bids"]), len(document["asks"])) == (922, 565)
    assert document["bids"][0] == {"price_int": 4810000000000, "price": 4810.0, "qty": 22, "orders": 22}
    assert document["asks"][0] == {"price_int": 4810250000000, "price": 4810.25, "qty": 28, "orders": 18}


def test_ladder_at_a_time_is_the_snapshot_of_that_second(cli: Cli, good_lake: Lake):
    rows = good_lake.partition("silver.book_snapshot_1s", SYMBOL, DT).read()
    row = rows.row(rows.height // 2, named=True)
    at = f"{row['window_end']:%H:%M:%S}"
    for source in ([raw_file(good_lake)], ["--symbol", SYMBOL, "--dt", DT, "--lake", good_lake.root]):
        document = cli("inspect", "book", *source, "--at", at, "-n", 1, "--json").json
        (bid,), (ask,) = document["bids"], document["asks"]
        assert (bid["price_int"], bid["qty"], bid["orders"]) == tuple(
            row[f"best_bid_{name}"] for name in ("price_int", "qty", "orders")
        )
        assert (ask["price_int"], ask["qty"], ask["orders"]) == tuple(
            row[f"best_ask_{name}"] for name in ("price_int", "qty", "orders")
        )


def test_ladder_shown_to_people_has_the_asks_above_the_bids(cli: Cli, good_lake: Lake):
    shown = cli("inspect", "book", raw_file(good_lake), "-n", 2).out
    prices = [float(text.replace(",", "")) for text in shown.split() if text.startswith(("4,", "4."))]
    assert len(prices) == 4
    assert prices == sorted(prices, reverse=True)


def test_without_a_contract_a_file_of_several_is_a_question(cli: Cli, tmp_path: Path):
    ids = {"ESH4": 17077, "ESM4": 17078}
    streams = [random_stream(seed, 100, instrument_id=number) for seed, number in enumerate(ids.values())]
    path = write_raw_day(tmp_path, "ES", DT, interleave(*streams), contracts=ids)
    asked = cli("inspect", "book", path)
    assert asked.code == 1
    assert "--contract" in asked.err
    assert "ESH4, ESM4" in asked.err
    chosen = cli("inspect", "book", path, "--contract", "ESM4", "--json").json
    assert chosen["contract"] == "ESM4"
    assert chosen["counters"]["records"] == len(streams[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:30", "2024-03-06T14:30:00"),
        ("14:30:00.25", "2024-03-06T14:30:00.250"),
        ("14:30:00Z", "2024-03-06T14:30:00"),
        ("2024-03-05T23:59:59", "2024-03-05T23:59:59"),
        ("2024-03-06 09:30:00-05:00", "2024-03-06T14:30:00"),
    ],
)
def test_times_are_utc_of_the_date_unless_they_say_otherwise(text: str, expected: str):
    assert parse_time(text, datetime.date(2024, 3, 6)) == int(np.datetime64(expected, "ns").astype(np.int64))


def test_a_time_that_is_none_is_a_usage_error(cli: Cli, good_lake: Lake):
    done = cli("inspect", "book", raw_file(good_lake), "--at", "noon")
    assert done.code == 2
    assert "noon" in done.err


def test_rows_keep_their_nanoseconds(cli: Cli, good_lake: Lake):
    first = good_lake.partition("silver.trade", SYMBOL, DT).read().head(2)
    shown = cli("inspect", "table", "trade", "--lake", good_lake.root, "-n", 2, "--json").json
    assert shown["partition"] == f"silver.trade {SYMBOL} {DT}"
    assert shown["shown"][0]["ts_event"] == f"{np.datetime64(first['ts_event'].to_physical()[0], 'ns')}Z"
    assert [row["event_id"] for row in shown["shown"]] == first["event_id"].to_list()


def test_tail_columns_and_date(cli: Cli, good_lake: Lake):
    trades = good_lake.partition("silver.trade", SYMBOL, datetime.date(2024, 3, 5)).read()
    arguments = ["--dt", "2024-03-05", "--tail", "-n", 1, "--columns", "event_id,qty", "--json"]
    shown = cli("inspect", "table", "silver.trade", "--lake", good_lake.root, *arguments).json["shown"]
    assert shown == trades.select("event_id", "qty").tail(1).to_dicts()


def test_describe_gives_the_range_of_every_column(cli: Cli, good_lake: Lake):
    qty = good_lake.partition("silver.trade", SYMBOL, DT).read()["qty"]
    columns = cli("inspect", "table", "trade", "--describe", "--lake", good_lake.root, "--json").json["columns"]
    (told,) = [one for one in columns if one["column"] == "qty"]
    assert (told["min"], told["max"], told["unit"]) == (qty.min(), qty.max(), "lots")
    assert told["mean"] == pytest.approx(qty.mean())


@pytest.mark.parametrize("arguments", [["trade"], ["radar_vacuum_1s"], ["trade", "--describe"]])
def test_people_get_tables(cli: Cli, good_lake: Lake, arguments: list[str]):
    done = cli("inspect", "table", *arguments, "--lake", good_lake.root)
    assert done.code == 0
    rows = good_lake.partition(f"silver.{arguments[0]}", SYMBOL, DT).rows
    assert f"{rows:,} rows" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trades"], "no table 'trades'"),
        (["trade", "--dt", "2024-03-07"], "no complete partition of silver.trade for 2024-03-07"),
        (["trade", "--symbol", "CL"], "no complete partition of silver.trade for CL"),
        (["trade", "--columns", "price"], "has no columns ['price']"),
    ],
)
def test_what_is_not_there_is_said(cli: Cli, good_lake: Lake, arguments: list[str], message: str):
    done = cli("inspect", "table", *arguments, "--lake", good_lake.root)
    assert done.code == 1
    assert message in done.err.replace("\n", " ")


def test_a_manifest_names_inputs_and_counters(cli: Cli, good_lake: Lake):
    manifest = cli("inspect", "manifest", "trade", "--lake", good_lake.root, "--json").json
    assert manifest["inputs"][0]["name"] == f"bronze.future_mbo {SYMBOL} {DT}"
    assert manifest["counters"]["unknown_cancel"] == 0
    shown = cli("inspect", "manifest", "trade", "--lake", good_lake.root).out
    assert "fifo_known_fills" in shown
    assert f"bronze.future_mbo {SYMBOL} {DT}" in shown


def test_tables_are_listed_and_one_is_explained(cli: Cli):
    names = {one["table"] for one in cli("tables", "--json").json}
    assert {"bronze.future_mbo", "silver.wall_surface_1s", "gold.physics_norm_calibration"} <= names
    shown = cli("tables", "wall_surface_1s").out
    assert "depth_qty_rest" in shown
    assert "conservation" in shown
    contract = cli("tables", "silver.wall_surface_1s", "--json").json
    assert contract["columns"][0] == {
        "name": "window_end",
        "type": str(pl.Datetime("ns", "UTC")),
        "unit": "ns",
        "nullable": False,
        "description": "end of the window, exclusive",
    }
    assert cli("tables", "walls").code == 1
