"""Analogues over HTTP: what is told and what is concealed, what is refused, and that nothing looks ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from benchmarks.analogues import main as measure
from spymaster.lake import Lake
from spymaster.research.analogues import analogues
from spymaster.serving.app import create_app
from spymaster.serving.errors import BusyError
from spymaster.serving.session import Session
from spymaster.tables import all_tables
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.checks.sessions import copy_lake, spoil
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.analogue_lake import analogue_lake
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.episodes import CANDLE_S, PLACEBO_S, TOUCH_S
from spymaster_tests.serving.lakes import DT, SYMBOL
from spymaster_tests.serving.test_metrics import sample

REVEALED = {
    "p_break", "p_reject", "p_chop", "p0_break", "p0_reject", "p0_chop", "median_mfe", "median_mae", "end_q10",
    "end_q90", "outcome", "t_hit_s", "mfe_ticks", "mae_ticks", "end_ticks",
}  # fmt: skip
"""Names that tell how something ended."""


@pytest.fixture(scope="module")
def asked(served: Lake, market: Session, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return analogue_lake(served, market, tmp_path_factory.mktemp("asked") / "lake")


def over(lake: Lake) -> TestClient:
    app = create_app(settings_for(lake))
    app.state.services.guard.may_ask = lambda _: True
    return TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS)


@pytest.fixture(scope="module")
def client(asked: Lake) -> Iterator[TestClient]:
    with over(asked) as one:
        yield one


def end_of(market: Session, sec: int) -> int:
    return market.timeline.end_ns(sec)


def tell(client: TestClient, ts: int | str, **params: Any) -> dict[str, Any]:
    answer = client.get("/v1/analogues", params={"symbol": SYMBOL, "ts": ts, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(document: Any) -> set[str]:
    """All keys of a document, at any depth."""
    if isinstance(document, dict):
        return set(document) | {name for value in document.values() for name in names(value)}
    return {name for value in document for name in names(value)} if isinstance(document, list) else set()


def test_the_answer_is_that_of_the_library(client: TestClient, asked: Lake, market: Session) -> None:
    ts = end_of(market, TOUCH_S)
    said = tell(client, ts, direction="up", reveal=True)
    one = analogues(asked, SYMBOL, ts, direction="up")[0]
    (answer,) = said["answers"]
    assert said["query"] == {
        "symbol": SYMBOL, "family": "s1", "kind": "touch", "horizon_s": 120, "k": 10, "ts": str(ts), "episode_id": None,
    }  # fmt: skip
    assert (said["provenance"], said["revealed"], answer["direction"]) == ("simulated", True, 1)
    assert answer["result"] == {name: one.result.get(name) for name in answer["result"]}
    assert one.result["p_break"] is not None
    assert [row["episode_id"] for row in answer["neighbours"]] == one.neighbours["episode_id"].to_list()
    assert [row["ts_decision"] for row in answer["neighbours"]] == [
        str(at) for at in one.neighbours["ts_decision"].to_physical()
    ]
    assert said["state"]["window_end"] == str(ts)
    assert len(tell(client, ts, direction="up", k=12)["answers"][0]["neighbours"]) == 12
    assert tell(client, f"{DT}T14:50:00Z", family="c120")["query"]["horizon_s"] == 360


def test_how_it_ended_is_not_in_the_answer_until_it_is_asked_for(client: TestClient, market: Session) -> None:
    for params in ({"direction": "up"}, {}, {"horizon": 30, "reveal": False}):
        hidden = tell(client, end_of(market, TOUCH_S), **params)
        assert names(hidden) & REVEALED == set()
        assert hidden["revealed"] is False
        assert hidden["answers"][0]["neighbours"]
    told = names(tell(client, end_of(market, TOUCH_S), reveal=True))
    assert told >= REVEALED


def test_p_comes_with_its_base_rate_and_sessions(client: TestClient, market: Session) -> None:
    for sec in range(TOUCH_S - 20, TOUCH_S + 20, 7):
        for answer in tell(client, end_of(market, sec), reveal=True)["answers"]:
            result = answer["result"]
            for outcome in ("break", "reject", "chop"):
                assert result[f"p_{outcome}"] is None or result[f"p0_{outcome}"] is not None
            assert result["n_sessions"] >= 0


def test_paths_end_at_the_decision_until_they_are_revealed(client: TestClient, asked: Lake, market: Session) -> None:
    ts = end_of(market, TOUCH_S)
    query_id = tell(client, ts, direction="up")["answers"][0]["result"]["query_id"]
    one = analogues(asked, SYMBOL, ts, direction="up")[0].paths
    for reveal, last in ((False, 0), (True, 300)):
        params = {"query_id": query_id, "reveal": reveal}
        stream = client.get("/v1/analogues/paths", params=params)
        assert stream.headers["content-type"] == "application/vnd.apache.arrow.stream"
        rows = pl.DataFrame(pa.ipc.open_stream(stream.content).read_all())
        assert rows.equals(one.filter(pl.col("offset_s") <= last))
        assert rows["rank"].n_unique() == 10
        plain = client.get("/v1/analogues/paths", params={**params, "format": "json"}).json()
        assert (plain["first_s"], plain["last_s"], plain["revealed"]) == (-300, last, reveal)
        for path in plain["paths"]:
            assert len(path["ticks"]) == 301 + last
            assert path["ticks"][300] == 0.0
            own = rows.filter(rank=path["rank"])
            assert [t for t in path["ticks"] if t is not None] == own["ticks"].to_list()


@pytest.mark.parametrize("sec", [TOUCH_S, CANDLE_S])
def test_those_of_an_episode_are_those_at_its_decision(client: TestClient, market: Session, sec: int) -> None:
    listed = client.get(f"{BASE}/episodes", params={"as_of": sec}).json()["episodes"]
    (one,) = [one for one in listed if one["decision"] == sec]
    path = f"{BASE}/episodes/{one['episode_id']}/analogues"
    early = client.get(path, params={"as_of": sec - 1})
    assert (early.status_code, early.json()["code"]) == (404, "unknown_episode")
    found = client.get(path, params={"as_of": sec, "reveal": True})
    assert found.status_code == 200, found.text
    told = found.json()
    touch = one["kind"] == "touch"
    assert told["query"]["episode_id"] == one["episode_id"]
    assert (told["query"]["family"], told["query"]["kind"]) == (("s1", "touch") if touch else ("c120", "candle"))
    ts = int(one["episode_id"].rsplit(":", 1)[1])
    same = tell(
        client, ts, family=told["query"]["family"], direction="up" if one["direction"] > 0 else "down", reveal=True
    )
    assert told == same | {"query": same["query"] | {"episode_id": one["episode_id"]}}
    assert names(client.get(path, params={"as_of": sec}).json()) & REVEALED == set()
    assert client.get(path, params={"as_of": PLACEBO_S, "horizon": 31}).json()["status"] == 400


def test_a_placebo_has_none(client: TestClient, asked: Lake) -> None:
    rows = asked.partition("gold.setup_episode", SYMBOL, DT).read().filter("is_placebo")
    answer = client.get(f"{BASE}/episodes/{rows['episode_id'][0]}/analogues", params={"as_of": 3000})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_episode")


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"ts": "noon"}, 400, "bad_request"), ({"ts": f"{DT}T14:50:00"}, 400, "bad_request"),
        ({"ts": "9" * 19}, 400, "bad_request"), ({"ts": "9999-01-01T00:00:00Z"}, 400, "bad_request"),
        ({"symbol": "../ES"}, 400, "bad_request"), ({"symbol": None}, 400, "bad_request"),
        ({"family": "s2"}, 400, "bad_request"), ({"direction": "left"}, 400, "bad_request"),
        ({"k": 0}, 400, "bad_request"), ({"k": 201}, 400, "bad_request"),
        ({"k": "many"}, 400, "bad_request"), ({"horizon": 31}, 400, "bad_request"),
        ({"family": "c120", "horizon": 30}, 400, "bad_request"),
        ({"as_of": f"{DT}T14:49:59Z"}, 422, "not_causal"), ({"as_of": "1"}, 422, "not_causal"),
        ({"ts": "2024-03-09T14:50:00Z"}, 404, "unknown_session"), ({"symbol": "NQ"}, 404, "unknown_session"),
        ({"ts": "2024-03-05T14:50:00Z"}, 404, "unavailable"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(client: TestClient, params: dict, status: int, code: str) -> None:
    given = {"symbol": SYMBOL, "ts": f"{DT}T14:50:00Z", **params}
    answer = client.get("/v1/analogues", params={name: one for name, one in given.items() if one is not None})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query_id", ["", "x", "ES:1:1:s1:120", "ES:1:0:s1:120:10", f"ES:{'9' * 19}:1:s1:120:10", "ES:1:1:s1:120:0",
                 "ES:1:1:s1:120:201", "ES:1:1:s1:9999:10"],
)  # fmt: skip
def test_what_is_no_query_id_is_refused(client: TestClient, query_id: str) -> None:
    answer = client.get("/v1/analogues/paths", params={"query_id": query_id})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_no_more_than_two_questions_are_answered_at_a_time(asked: Lake, market: Session) -> None:
    """The rest is told to come back in a second: a question that waited would hold a worker thread."""
    ts = end_of(market, TOUCH_S)
    with over(asked) as one:
        query_id = tell(one, ts, direction="up")["answers"][0]["result"]["query_id"]
        episode = one.get(f"{BASE}/episodes", params={"as_of": TOUCH_S}).json()["episodes"][0]["episode_id"]
        questions = (
            f"/v1/analogues?symbol={SYMBOL}&ts={ts}",
            f"/v1/analogues/paths?query_id={query_id}",
            f"{BASE}/episodes/{episode}/analogues?as_of={TOUCH_S}",
        )
        turns = one.app.state.services.questions  # type: ignore[attr-defined]
        for question in questions:
            with turns.turn():
                assert one.get(question).status_code == 200
                with turns.turn():
                    refused = one.get(question)
                    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
                    assert refused.headers["retry-after"] == "1"
                    assert one.get(f"{BASE}/levels", params={"as_of": TOUCH_S}).status_code == 200
            assert one.get(question).status_code == 200, "a question that has been answered leaves its turn"
        bad = one.get("/v1/analogues", params={"symbol": SYMBOL, "ts": ts, "direction": "left"})
        assert bad.status_code == 400
        with turns.turn(), turns.turn(), pytest.raises(BusyError), turns.turn():
            pass


def test_memory_that_questions_share_is_in_the_metrics(asked: Lake, market: Session) -> None:
    with over(asked) as one:
        assert sample(one, "spymaster_analogue_cache_bytes") == 0
        tell(one, end_of(market, TOUCH_S))
        kept = one.app.state.services.kept.nbytes  # type: ignore[attr-defined]
        assert sample(one, "spymaster_analogue_cache_bytes") == kept > 100_000


def test_that_an_answer_is_the_base_rate_is_told_with_the_outcomes_only(
    asked: Lake, market: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Concealed, an answer that says no more than the base rate is told like one that does."""
    ts = end_of(market, TOUCH_S)
    with over(asked) as one:
        informative = tell(one, ts, direction="up")
        assert informative["answers"][0]["result"]["abstain"] is False
    retrieval = asked.settings.retrieval.model_copy(update={"uninformative": 1.0})
    monkeypatch.setattr(asked, "settings", asked.settings.model_copy(update={"retrieval": retrieval}))
    monkeypatch.setattr("spymaster.serving.app.Lake.open", lambda **_: asked)
    with over(asked) as one:
        assert tell(one, ts, direction="up", reveal=True)["answers"][0]["result"]["abstain_reason"] == "uninformative"
        assert tell(one, ts, direction="up") == informative


def test_the_second_that_ends_at_midnight_is_of_the_date_before(client: TestClient) -> None:
    midnight = f"{DT + timedelta(days=1)}T00:00:00"
    said = tell(client, f"{midnight}.900Z", direction="up")
    assert said["answers"][0]["result"]["abstain_reason"] == "invalid", "the session is over by then"
    later = client.get("/v1/analogues", params={"symbol": SYMBOL, "ts": f"{DT + timedelta(days=1)}T00:00:01Z"})
    assert (later.status_code, later.json()["code"]) == (404, "unknown_session")


def test_to_abstain_is_an_answer(client: TestClient, market: Session) -> None:
    said = tell(client, end_of(market, 5), reveal=True)
    assert {answer["result"]["abstain_reason"] for answer in said["answers"]} == {"invalid"}
    many = tell(client, end_of(market, TOUCH_S), k=200)["answers"][0]["result"]
    assert (many["abstain"], many["abstain_reason"]) == (True, "few_neighbours")


def test_the_panel_is_there_once_it_has_rows(client: TestClient) -> None:
    panels = {panel["name"]: panel["status"] for panel in client.get(BASE).json()["panels"]}
    assert panels["analogues"] == "ok"


def test_answers_are_the_same_bytes_without_what_came_after(
    client: TestClient, asked: Lake, market: Session, tmp_path: Path
) -> None:
    cut = copy_lake(asked, tmp_path / "lake")
    end = end_of(market, CANDLE_S)
    for name, model in all_tables().items():
        column = {"gold.setup_outcome": "ts_label_end", "gold.setup_vector": "ts_cutoff"}.get(name, model.time_column)
        timed = name.startswith(("silver.", "gold.setup_"))
        if column is not None and timed and cut.has(name, SYMBOL, DT):
            spoil(cut, name, lambda f, at=column: f.filter(pl.col(at).to_physical() <= end))
    with over(cut) as other:
        for sec in (TOUCH_S, CANDLE_S - 1, CANDLE_S):
            for params in ({}, {"reveal": True}, {"family": "s5"}, {"family": "c120", "reveal": True}):
                asked_for = {"symbol": SYMBOL, "ts": end_of(market, sec), **params}
                one, two = (c.get("/v1/analogues", params=asked_for) for c in (client, other))
                assert (one.status_code, one.content) == (two.status_code, two.content)
                assert one.status_code == 200
        episode = client.get(f"{BASE}/episodes", params={"as_of": CANDLE_S}).json()["episodes"][-1]["episode_id"]
        path = f"{BASE}/episodes/{episode}/analogues?as_of={CANDLE_S}&reveal=true"
        assert client.get(path).content == other.get(path).content


def test_an_answer_is_made_anew_once_a_table_is_replaced(asked: Lake, market: Session, tmp_path: Path) -> None:
    own = copy_lake(asked, tmp_path / "lake")
    with over(own) as one:
        before = tell(one, end_of(market, TOUCH_S), direction="up", reveal=True)
        spoil(own, RetrievalIndex.full_name, lambda f: f.with_columns(mfe_ticks=pl.lit(77.0)))
        after = tell(one, end_of(market, TOUCH_S), direction="up", reveal=True)
        assert before != after
        assert {row["mfe_ticks"] for row in after["answers"][0]["neighbours"]} == {77.0}
        spoil(own, VectorScaler.full_name, lambda f: f.with_columns(sha256=pl.lit("0" * 64)))
        stale = one.get("/v1/analogues", params={"symbol": SYMBOL, "ts": end_of(market, TOUCH_S)})
        assert (stale.status_code, stale.json()["code"]) == (404, "unavailable")
        assert "retrieval_index again" in stale.json()["detail"]
        assert str(own.root) not in stale.text


def test_the_page_takes_what_is_told(client: TestClient, market: Session) -> None:
    """`lists.json` holds the answers that the page is tested with: they have the fields of these."""
    contract = json.loads((REPOSITORY / "hud/test/contract/lists.json").read_text())
    ts = end_of(market, TOUCH_S)
    query_id = tell(client, ts, direction="up")["answers"][0]["result"]["query_id"]
    for key, reveal in (("analogues", True), ("concealed", False)):
        told, page = tell(client, ts, direction="up", reveal=reveal), contract[key]
        assert page.keys() == told.keys()
        assert page["query"].keys() == told["query"].keys()
        one, other = page["answers"][0], told["answers"][0]
        assert one.keys() == other.keys()
        assert one["result"].keys() == other["result"].keys()
        assert one["neighbours"][0].keys() == other["neighbours"][0].keys()
        assert names(other["neighbours"]) <= {*RetrievalNeighbor.schema(), "touch_index"}
        paths = client.get(
            "/v1/analogues/paths", params={"query_id": query_id, "reveal": reveal, "format": "json"}
        ).json()
        page_paths = contract["paths" if reveal else "concealed_paths"]
        assert page_paths.keys() == paths.keys()
        assert page_paths["paths"][0].keys() == paths["paths"][0].keys()


def test_what_a_question_costs_is_measured(asked: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for setups in (0, 300):
        measure(asked.root, str(DT), SYMBOL, questions=3, setups=setups, k=None, as_json=True)
        figures = json.loads(capsys.readouterr().out)
        assert figures["questions"] == 3
        assert figures["setups"] >= max(setups, 96)
        assert figures["answer_p95_ms"] >= figures["answer_p50_ms"] > 0
        assert ("paths_p95_ms" in figures) == (setups == 0)
