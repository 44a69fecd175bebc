"""Evidence: findings of earlier dates from the start, the date's own when it is over, intensity minute by minute."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from spymaster.evidence.report.gather import ReportData
from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.serving import evidence as told
from spymaster.serving import known
from spymaster.serving.app import create_app
from spymaster.serving.catalog import Catalog
from spymaster.serving.fill import SECOND_NS, Timeline
from spymaster.serving.session import Session
from spymaster.serving.store import SessionStore
from spymaster.tables import table
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.evidence import report_days as days
from spymaster_tests.serving.conftest import BASE, HEADERS, KEY, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL, add

TEST, REPLICATION, CURVE, INTENSITY = (
    f"gold.{name}" for name in ("algo_test", "algo_replication", "algo_curve", "algo_intensity_1s")
)
OVER_S = 3000
"""Second at whose end the tests of the date are known."""


def at(frame: pl.DataFrame, *columns: str, shift: int) -> pl.DataFrame:
    """Times moved by so many ns."""
    return frame.with_columns((pl.col(name).to_physical() + shift).cast(frame.schema[name]) for name in columns)


def frames(timeline: Timeline) -> dict[str, pl.DataFrame]:
    """The made-up date of the report, ending with second `OVER_S`."""
    data = days.report_data(controls=True)
    shift = timeline.end_ns(OVER_S) - (days.START + days.MINUTES * 60 * SECOND_NS)
    tests = pl.concat([data.tests, data.controls.with_columns(pl.col("test_row_id") + ":jittered")])
    tests = tests.with_columns(
        verdict=pl.when("is_negative_control")
        .then(pl.lit("simulated:none"))
        .otherwise("verdict")
        .cast(tests.schema["verdict"])
    )
    over = data.replication.with_columns(
        available_from=pl.Series([timeline.end_ns(OVER_S)] * data.replication.height).cast(
            tests.schema["available_from"]
        )
    )
    seconds = days.intensity().filter((pl.col("side") == "all") & (pl.col("band") == "all")).head(600)
    return {
        TEST: at(tests, "ts_start", "ts_end", "available_from", shift=shift).sort("test_row_id"),
        REPLICATION: over.sort(table(REPLICATION).key),
        CURVE: data.curves.sort(table(CURVE).key),
        INTENSITY: at(seconds, "window_end", shift=timeline.t0_ns - days.START),
    }


def add_evidence(lake: Lake, market: Session) -> None:
    """Store them in a lake of the served session, and findings of the date before."""
    made = frames(market.timeline)
    rows = made.pop(INTENSITY)
    model = table(INTENSITY)
    whole = rows.with_columns(
        contract=pl.lit("ESH4"),
        session_date=pl.lit(DT),
        qty_msgs=pl.lit(100),
        qty_attr=pl.lit(1.0),
        share_qty=pl.lit(0.01),
        attribution_hash=pl.lit("ab"),
        provenance=pl.lit("simulated"),
        share_msgs=(pl.col("n_attr") / pl.col("n_msgs")),
        **{
            name: pl.lit(0.0)
            for name in model.columns
            if name.startswith("share_") and name not in ("share_msgs", "share_qty")
        },
    )
    for name, frame in made.items():
        add(lake, name, frame)
    add(lake, INTENSITY, whole.select([pl.col(name).cast(column.dtype) for name, column in model.columns.items()]))
    store_earlier(lake, market)


def store_earlier(lake: Lake, market: Session, *, effect: float = 0.04) -> None:
    """A finding of the date before, known before the session begins, and two groups without one."""
    made = frames(market.timeline)[REPLICATION].head(3)
    since = pl.Series([market.timeline.t0_ns - 1] * 3).cast(made.schema["available_from"])
    with lake.writer(REPLICATION, SYMBOL, DT - timedelta(days=1)) as writer:
        writer.write(
            made.with_columns(
                pl.when(pl.col("effect").is_not_null()).then(effect).alias("effect"), available_from=since
            )
        )
        writer.commit(inputs=[], dataset=SIM_DATASET)


@pytest.fixture
def client(own_lake: Lake, market: Session):
    add_evidence(own_lake, market)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        yield one


def listed(client: TestClient, as_of: int) -> dict[str, Any]:
    answer = client.get(f"{BASE}/evidence", params={"as_of": as_of})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_findings_of_earlier_dates_are_known_from_the_start_and_the_dates_own_when_it_is_over(
    client: TestClient,
) -> None:
    early, over = listed(client, OVER_S - 1), listed(client, OVER_S)
    assert {row["earlier"] for row in early["evidence"]} == {True}
    assert early["tests"] == []
    own = [row for row in over["evidence"] if not row["earlier"]]
    assert [row["earlier"] for row in over["evidence"]][: len(early["evidence"])] == [True] * len(early["evidence"])
    assert {row["test_id"] for row in own} == set(days.PEAKS)
    assert {row["available_from"] for row in own} == {OVER_S}
    assert {row["test_id"]: (row["groups"], row["found"]) for row in over["tests"]}["E1"] == (2, 1)


def test_a_finding_comes_with_bins_null_days_and_controls_beside_it(client: TestClient) -> None:
    rows = listed(client, OVER_S)["evidence"]
    one = next(row for row in rows if row["test_id"] == "E1" and not row["earlier"] and not row["is_negative_control"])
    assert (one["verdict"], one["days_seen"], one["days_replicated"], one["stratum"]) == (
        "weak",
        4,
        4,
        "cancels of bids, 1 lot",
    )
    assert len(one["histogram"]) == len(one["null_hi"]) == told.MOST_BINS
    assert max(one["histogram"]) > max(one["null_hi"])
    assert one["null_method"] == "times redrawn in their own cells of 5 ms"
    controls = [row for row in rows if row["is_negative_control"]]
    assert {row["verdict"] for row in controls} == {"none"}
    assert len({row["test_id"] for row in controls}) == len(controls)


def test_a_test_that_found_nothing_is_listed_with_the_group_that_came_nearest() -> None:
    timeline = Timeline(t0_ns=days.START, seconds=86_400)
    nothing = days.report_data(found=False)
    answer = told.evidence(nothing.tests, None, None, lambda _: nothing.curves, timeline, 86_399)
    assert [row["verdict"] for row in answer["evidence"]] == ["none"] * len(days.PEAKS)
    assert all(row["days_seen"] is None for row in answer["evidence"])
    assert sum(row["groups"] for row in answer["tests"]) == 2 * len(days.PEAKS)


def told_of(data: ReportData, over: pl.DataFrame | None = None) -> dict[str, list[dict[str, Any]]]:
    """The answer at the end of the made-up date."""
    timeline = Timeline(t0_ns=days.START, seconds=86_400)
    curves = lambda _: data.curves  # noqa: E731
    return told.evidence(data.tests, over, None, curves, timeline, 86_399)


def test_a_group_with_two_rows_is_listed_and_counted_once() -> None:
    data = days.report_data()
    line = data.tests.filter(pl.col("test_id") == "E5")
    both = pl.concat([data.tests, line.with_columns(test_row_id=pl.col("test_row_id") + ":1")])
    answer = told_of(replace(data, tests=both))
    assert sum(row["test_id"] == "E5" for row in answer["evidence"]) == 1
    assert {row["test_id"]: (row["groups"], row["found"]) for row in answer["tests"]}["E5"] == (2, 1)


def test_facts_are_no_tests_and_one_of_nothing_is_no_finding() -> None:
    data = days.report_data()
    is_fact = pl.col("p_method") == "fact"
    facts = [row for row in told_of(data)["evidence"] if row["verdict"] == "fact"]
    assert [(row["test_id"], row["days_seen"], row["days_replicated"]) for row in facts] == [("E6", None, None)]
    tried = {row["test_id"]: (row["groups"], row["found"]) for row in told_of(data)["tests"]}
    assert tried["E6"] == (2, 1)
    zero = data.tests.with_columns(
        pl.when(is_fact).then(0.0).otherwise(pl.col(name)).alias(name) for name in ("effect", "effect_lo", "effect_hi")
    )
    answer = told_of(replace(data, tests=zero))
    assert "fact" not in {row["verdict"] for row in answer["evidence"]}


def test_a_test_that_found_facts_alone_still_lists_what_came_nearest() -> None:
    data = days.report_data()
    found = (pl.col("test_id") == "E6") & pl.col("verdict").cast(pl.String).str.ends_with("weak")
    answer = told_of(replace(data, tests=data.tests.filter(~found)))
    assert sorted(row["verdict"] for row in answer["evidence"] if row["test_id"] == "E6") == ["fact", "none"]


def test_where_one_date_stands_alone_no_days_are_told() -> None:
    data = days.report_data()
    dtype = data.replication.schema["days_seen"]
    for seen, expected in ((1, None), (2, 2)):
        over = data.replication.with_columns(days_seen=pl.lit(seen).cast(dtype))
        rows = told_of(data, at(over, "available_from", shift=-10 * 24 * 3600 * SECOND_NS))["evidence"]
        assert {row["days_seen"] for row in rows if row["verdict"] == "weak"} == {expected}


def test_a_line_is_told_by_dates_of_its_own_line_only() -> None:
    """The group is supported over dates at 27 Hz: that says nothing of the line of 10.02 Hz of the date."""
    data = days.report_data()
    dtype = data.replication.schema["verdict"]
    over = at(data.replication, "available_from", shift=-10 * 24 * 3600 * SECOND_NS).with_columns(
        verdict=pl.lit("simulated:supported").cast(dtype)
    )
    told_by = {}
    for hz in (10.03, 27.0):
        of_line = over.with_columns(peak_value=pl.lit(hz))
        rows = [row for row in told_of(data, of_line)["evidence"] if row["test_id"] == "E5" and row["histogram"]]
        told_by[hz] = {(row["verdict"], row["days_seen"]) for row in rows}
    assert told_by == {10.03: {("supported", 4)}, 27.0: {("weak", None)}}


def test_its_tag_is_that_of_what_it_says_and_not_of_the_date_alone(
    own_lake: Lake, client: TestClient, market: Session
) -> None:
    """Findings of an earlier date are in it; they may be made anew while the data of the session stay."""
    version = client.get(BASE).json()["data_version"]
    asked = {"as_of": OVER_S - 1, "v": version}
    before = client.get(f"{BASE}/evidence", params=asked)
    assert [row["effect"] for row in before.json()["evidence"]] == [0.04]
    assert before.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": before.headers["etag"]}
    assert client.get(f"{BASE}/evidence", params=asked, headers=tag).status_code == 304
    store_earlier(own_lake, market, effect=0.125)
    after = client.get(f"{BASE}/evidence", params=asked, headers=tag)
    assert after.status_code == 200
    assert [row["effect"] for row in after.json()["evidence"]] == [0.125]
    assert client.get(BASE).json()["data_version"] == version


def test_findings_of_earlier_dates_are_told_of_a_date_without_tests_of_its_own(own_lake: Lake, market: Session) -> None:
    with over(own_lake) as one:
        assert panel(one) == ("unavailable", "not materialised")
        store_earlier(own_lake, market)
        assert panel(one) == ("ok", None)
        told = listed(one, 0)
        assert [row["earlier"] for row in told["evidence"]] == [True]
        assert (told["tests"], told["intensity"]) == ([], [])
    path = own_lake.partition(REPLICATION, SYMBOL, DT - timedelta(days=1)).path
    path.write_bytes(path.read_bytes()[:-100])
    with over(own_lake) as one:
        refused = one.get(f"{BASE}/evidence", params={"as_of": 0})
        assert (refused.status_code, refused.json()["code"]) == (404, "unavailable")
        assert refused.json()["title"] == f"{REPLICATION}: the partition cannot be read"


def over(lake: Lake) -> TestClient:
    return TestClient(create_app(settings_for(lake)), base_url="http://127.0.0.1:8787", headers=HEADERS)


def panel(client: TestClient) -> tuple[str, str | None]:
    """Status of the evidence and its reason, as the manifest has them."""
    (one,) = (one for one in client.get(BASE).json()["panels"] if one["name"] == "evidence")
    return one["status"], one["reason"]


def test_a_minute_of_intensity_is_told_once_it_is_over(client: TestClient) -> None:
    assert listed(client, 58)["intensity"] == []
    assert [row["from"] for row in listed(client, 59)["intensity"]] == [0]
    minutes = listed(client, 199)["intensity"]
    assert [row["from"] for row in minutes] == [0, 60, 120]
    assert all(0 < row["share"] < 1 and row["n"] > 0 for row in minutes)


@pytest.mark.parametrize("t", [0, 59, 310, OVER_S - 1, OVER_S])
def test_rows_after_t_change_no_answer_as_of_t(t: int) -> None:
    timeline = Timeline(t0_ns=1_767_657_600_000_000_000, seconds=86_400)
    made, end = frames(timeline), timeline.end_ns(t)
    cut = {
        name: made[name].filter(pl.col(column).to_physical() <= end)
        for name, column in ((TEST, "available_from"), (REPLICATION, "available_from"), (INTENSITY, "window_end"))
    }
    curves = lambda _: made[CURVE]  # noqa: E731
    answers = [
        (
            told.evidence(one[TEST], one[REPLICATION], None, curves, timeline, t),
            told.intensity(one[INTENSITY], timeline, t),
        )
        for one in (made, made | cut)
    ]
    assert answers[0] == answers[1]


def test_events_say_when_rows_become_known(own_lake: Lake, market: Session) -> None:
    add_evidence(own_lake, market)
    session = SessionStore(Catalog(own_lake), settings_for(own_lake)).session(KEY)
    added = [event for event in known.events(session) if event.kind == "evidence_added"]
    assert [event.sec for event in added] == [OVER_S]


def test_the_page_and_the_server_name_the_same_fields(client: TestClient) -> None:
    """The answer that the page's tests read has the fields of the server's, and no others."""
    contract = json.loads((REPOSITORY / "hud/test/contract/lists.json").read_text())["evidence"]
    answer = listed(client, OVER_S)
    assert contract.keys() == answer.keys()
    for part in ("evidence", "tests", "intensity"):
        assert {frozenset(row) for row in contract[part]} == {frozenset(row) for row in answer[part]}
