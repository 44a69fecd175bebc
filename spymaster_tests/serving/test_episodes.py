"""Episodes: known from their decision on, their outcomes once their time is over, in lists and on the stream."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving import codec, gate, known
from spymaster.serving.app import create_app
from spymaster.serving.catalog import Catalog
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.errors import UnavailableError
from spymaster.serving.fill import Timeline
from spymaster.serving.session import Session
from spymaster.serving.store import SessionStore
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.conftest import BASE, HEADERS, KEY, settings_for
from spymaster_tests.serving.episodes import (
    CANDLE_S,
    EPISODE,
    INVALID_S,
    OUTCOME,
    PLACEBO_S,
    TOUCH_S,
    add_episodes,
    frames,
)
from spymaster_tests.serving.lakes import DT, SYMBOL

TICK = 250_000_000
TIMELINE = Timeline(t0_ns=1_767_657_600_000_000_000, seconds=86_400)
LIST = {"episode_id", "kind", "direction", "level_id", "level_types", "level_tick", "touch_index", "approach",
        "trigger", "confirmation", "decision", "valid", "is_placebo", "outcome", "outcome_at"}  # fmt: skip
"""What the page reads of an episode."""


@pytest.fixture
def client(own_lake: Lake, market: Session):
    add_episodes(own_lake, market)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        yield one


def opened(lake: Lake) -> Session:
    """The session of a lake, as the sidecar has it."""
    return SessionStore(Catalog(lake), settings_for(lake)).session(KEY)


def listed(client: TestClient, as_of: int, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{BASE}/episodes", params={"as_of": as_of, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["episodes"]


def test_an_episode_is_told_from_its_decision_on_and_placebos_never(client: TestClient) -> None:
    assert listed(client, TOUCH_S - 1) == []
    (touch,) = listed(client, TOUCH_S)
    assert (touch["kind"], touch["decision"], touch["trigger"], touch["approach"]) == ("touch", TOUCH_S, TOUCH_S, 988)
    assert (touch["level_tick"], touch["direction"], touch["confirmation"]) == (19_200, 1, None)
    everyone = listed(client, PLACEBO_S + 10)
    assert [one["decision"] for one in everyone] == [TOUCH_S, CANDLE_S, INVALID_S]
    candle = everyone[1]
    assert (candle["trigger"], candle["confirmation"], candle["approach"]) == (CANDLE_S - 240, CANDLE_S - 120, None)
    assert everyone[2]["valid"] is False
    assert [one["decision"] for one in listed(client, 3000, kind="candle")] == [CANDLE_S]
    assert client.get(f"{BASE}/episodes", params={"kind": "other"}).status_code == 422


def test_outcomes_are_told_once_their_time_is_over(client: TestClient) -> None:
    def outcomes(as_of: int) -> tuple[Any, Any, list[int]]:
        touch = listed(client, as_of)[0]
        return touch["outcome"], touch["outcome_at"], [one["horizon_s"] for one in touch["outcomes"]]

    assert outcomes(TOUCH_S + 29) == (None, None, [])
    assert outcomes(TOUCH_S + 30) == ("reject", TOUCH_S + 30, [30])
    assert outcomes(TOUCH_S + 119) == ("reject", TOUCH_S + 30, [30])
    assert outcomes(TOUCH_S + 120) == ("reject", TOUCH_S + 120, [120, 30])
    candle = listed(client, CANDLE_S + 360)[1]
    assert (candle["outcome"], candle["outcome_at"]) == ("break", CANDLE_S + 360)


def test_one_episode_is_there_once_it_is_known(client: TestClient) -> None:
    name = listed(client, TOUCH_S)[0]["episode_id"]
    early = client.get(f"{BASE}/episodes/{name}", params={"as_of": TOUCH_S - 1})
    assert (early.status_code, early.json()["code"]) == (404, "unknown_episode")
    body = client.get(f"{BASE}/episodes/{name}", params={"as_of": TOUCH_S}).json()
    assert (body["episode"]["episode_id"], body["episode"]["outcome"]) == (name, None)


def test_the_overview_has_the_episodes_known_by_then(client: TestClient) -> None:
    body = client.get(f"{BASE}/overview", params={"as_of": CANDLE_S}).json()
    assert [one["decision"] for one in body["episodes"]] == [TOUCH_S, CANDLE_S]


def test_episodes_are_listed_without_their_outcomes_table(own_lake: Lake, market: Session) -> None:
    add_episodes(own_lake, market, outcomes=False)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert [row["outcomes"] for row in listed(one, 3000)] == [[], [], []]
        panels = {panel["name"]: panel["status"] for panel in one.get(BASE).json()["panels"]}
        assert panels["episodes"] == "ok"


@pytest.mark.parametrize("t", [TOUCH_S, TOUCH_S + 60, CANDLE_S + 100, 1900])
def test_rows_after_t_change_no_answer_as_of_t(t: int) -> None:
    episodes, outcomes = frames(TIMELINE.t0_ns)
    end = TIMELINE.end_ns(t)
    cut = [frame.filter(pl.col(column).to_physical() <= end)
           for frame, column in ((episodes, "ts_decision"), (outcomes, "ts_label_end"))]  # fmt: skip
    told = gate.episodes(episodes, outcomes, TIMELINE, TICK, t)
    assert told == gate.episodes(cut[0], cut[1], TIMELINE, TICK, t)
    assert told
    later = episodes.with_columns(  # what is known when the date is over
        match_set_id=pl.lit("x"), overlap_n=pl.lit(9, pl.Int32), weight_unique=pl.lit(0.1)
    )
    assert gate.episodes(later, outcomes, TIMELINE, TICK, t) == told


def test_the_page_and_the_server_name_the_same_fields(client: TestClient) -> None:
    (touch, *_) = listed(client, 3000)
    assert set(touch) >= LIST
    contract = REPOSITORY / "hud" / "test" / "contract" / "lists.json"
    if contract.is_file():
        expected = json.loads(contract.read_text(encoding="utf-8"))["episodes"]["episodes"]
        assert all(set(one) <= set(touch) for one in expected)


def test_what_becomes_known_is_told_before_its_window(client: TestClient, market: Session) -> None:
    told: list[tuple[int, str, int]] = []
    payloads: dict[str, dict[str, Any]] = {}
    with client.websocket_connect("ws://127.0.0.1:8787/v1/stream", [PROTOCOL], headers=dict(HEADERS)) as socket:
        ask = {"type": "subscribe", "id": 1, "symbol": SYMBOL, "dt": str(DT), "surfaces": ["snap"], "from": 960}
        socket.send_text(json.dumps(ask | {"speed": "max", "play": True, "bootstrap": 60}))
        sec = -1
        while sec < CANDLE_S + 400:
            message = socket.receive()
            if message.get("bytes"):
                frame = codec.parse(message["bytes"])
                sec = frame.sec + frame.count - 1 if frame.count else sec
                socket.send_text(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))
            elif (one := json.loads(message["text"]))["type"] == "event":
                told.append((one["sec"], one["kind"], sec))
                payloads.setdefault(f"{one['kind']} {one['sec']}", one["payload"])
    assert [one[0] for one in told] == sorted(one[0] for one in told)
    assert all(before < at for at, _, before in told), "an event comes before the window of its second"
    assert all(at >= 960 for at, _, _ in told), "history needs none"
    episodes = [(at, kind) for at, kind, _ in told if kind.startswith("episode")]
    assert episodes == [(TOUCH_S, "episode_triggered"), (TOUCH_S + 120, "episode_resolved"),
                        (CANDLE_S, "episode_triggered"), (INVALID_S, "episode_triggered"),
                        (CANDLE_S + 360, "episode_resolved")]  # fmt: skip
    assert payloads[f"episode_triggered {TOUCH_S}"]["outcome"] is None
    bars = client.get(f"{BASE}/candles", params={"as_of": sec}).json()["candles"]
    closed = [at for at, kind, _ in told if kind == "candle_closed"]
    assert closed == [bar["to"] - 1 for bar in bars if bar["to"] - 1 >= 960]
    assert len(closed) >= 4
    assert any(kind.startswith("level_") for _, kind, _ in told)


def test_an_event_tells_what_the_lists_hold_from_its_second_on(own_lake: Lake, market: Session) -> None:
    add_episodes(own_lake, market)
    session = opened(own_lake)
    lists = {"candle": (known.candles, "from"), "level": (known.levels, "level_id"),
             "episode": (known.episodes, "episode_id")}  # fmt: skip
    events = known.events(session)
    assert {"candle_closed", "level_added", "episode_triggered", "episode_resolved"} <= {one.kind for one in events}
    for event in events:
        rows, name = lists[event.kind.split("_")[0]]
        now, before = ({row[name]: row for row in rows(session, event.sec - back)} for back in (0, 1))
        assert event.payload[name] in now
        if event.kind in ("candle_closed", "level_added", "episode_triggered"):
            assert event.payload[name] not in before
        if event.kind == "episode_resolved":
            assert now[event.payload[name]] == event.payload
            assert before[event.payload[name]]["outcomes"] != event.payload["outcomes"]


def test_a_table_that_breaks_under_the_sidecar_takes_its_panel_only(own_lake: Lake, market: Session) -> None:
    add_episodes(own_lake, market)
    session = opened(own_lake)
    damage(own_lake, EPISODE)
    with pytest.raises(UnavailableError, match="episodes: the partition cannot be read"):
        known.episodes(session, session.seconds - 1)
    lost: list[str] = []
    kinds = {event.kind for event in known.events(session, lost)}
    assert "candle_closed" in kinds
    assert "episode_triggered" not in kinds
    assert lost == ["episodes"]


def damage(lake: Lake, name: str) -> None:
    """Cut a table of the session off in the middle."""
    path = lake.partition(name, SYMBOL, DT).path
    whole = path.read_bytes()
    path.unlink()  # may be a link to the file of all tests
    path.write_bytes(whole[:200])


@pytest.mark.parametrize("name", [EPISODE, OUTCOME])
def test_a_table_that_cannot_be_read_is_told_as_such_and_not_as_none(
    own_lake: Lake, market: Session, name: str
) -> None:
    """The sidecar has seen it whole: only reading its rows fails."""
    add_episodes(own_lake, market)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert listed(one, 3000)
        version = one.get(BASE).json()["data_version"]
        damage(own_lake, name)
        refused = one.get(f"{BASE}/episodes", params={"as_of": 3000})
        assert (refused.status_code, refused.json()["code"]) == (404, "unavailable")
        assert refused.json()["title"].endswith("the partition cannot be read")
        day = one.get(f"{BASE}/overview", params={"as_of": 3000, "v": version})
        assert day.json()["minutes"]
        assert day.json()["episodes"] is None
        assert "immutable" not in day.headers["cache-control"], "the next one may hold them"


def test_events_that_could_not_be_read_are_read_again(own_lake: Lake, market: Session, monkeypatch) -> None:
    add_episodes(own_lake, market)
    store = SessionStore(Catalog(own_lake), settings_for(own_lake))
    session = store.session(KEY)
    assert known.episodes(session, session.seconds - 1)
    with monkeypatch.context() as broken:
        broken.setattr(known, "_table", refuse)
        assert "episode_triggered" not in {event.kind for event in store.events(session)}
    told = store.events(session)
    assert "episode_triggered" in {event.kind for event in told}
    assert store.events(session) is told


def refuse(*_: object) -> None:
    raise UnavailableError("the disk is away")


def test_a_reading_without_the_levels_that_are_said_to_be_there_is_none(own_lake: Lake) -> None:
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert {"name": "levels", "status": "ok", "reason": None} in one.get(BASE).json()["panels"]
        damage(own_lake, "silver.session_level")
        assert one.get(f"{BASE}/reading", params={"sec": 900}).json()["above"] == ""
        (told,) = (part for part in one.get(BASE).json()["surfaces"] if part["name"] == "reading")
        assert (told["status"], told["reason"]) == ("broken", "silver.session_level: the partition cannot be read")
