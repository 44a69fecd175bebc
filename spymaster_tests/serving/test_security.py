"""Who is let in: hosts, origins, tokens, tickets, and what every answer carries."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient, WebSocketDenialResponse

from spymaster.lake import Lake
from spymaster.serving import security
from spymaster.serving.app import create_app
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.security import CSP, Guard, UnsafeBindError, mint_ticket, require_safe_bind, split_host
from spymaster.settings import InvalidSettingsError, ServingSettings, get_settings
from spymaster_tests.serving.conftest import BASE, TOKEN, settings_for

OWN = "http://127.0.0.1:8787"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def stranger(app: FastAPI, client: TestClient) -> TestClient:
    """A client that is not signed in, on the event loop of the one that is."""
    one = TestClient(app, base_url=OWN)
    one.portal = client.portal
    return one


def handshake(stranger: TestClient, headers: dict[str, str], host: str = "127.0.0.1:8787") -> int:
    """Status of a handshake: 101 if it is accepted."""
    try:
        with stranger.websocket_connect(f"ws://{host}/v1/stream", [PROTOCOL], headers=dict(headers)):
            return 101
    except WebSocketDenialResponse as denied:
        return denied.status_code


def cookie(app: FastAPI) -> dict[str, str]:
    return {"Cookie": f"other=1; spymaster_8787={app.state.services.guard.cookie_value}"}


@pytest.mark.parametrize(
    ("origin", "status"),
    [(OWN, 101), ("http://evil.example", 403), ("null", 403), ("https://127.0.0.1:8787", 403),
     ("http://127.0.0.1:9999", 403), ("http://localhost:8787", 403), ("", 403)],
)  # fmt: skip
def test_a_page_opens_a_stream_only_from_its_own_origin(stranger, app, origin: str, status: int) -> None:
    assert handshake(stranger, {"Origin": origin, **cookie(app)}) == status
    assert handshake(stranger, {"Origin": origin, **BEARER}) == status


def test_without_an_origin_only_a_script_with_the_token_opens_a_stream(stranger, app) -> None:
    assert handshake(stranger, BEARER) == 101
    assert handshake(stranger, cookie(app)) == 403
    assert handshake(stranger, {}) == 403


def test_a_stream_needs_the_token_or_the_cookie(stranger) -> None:
    assert handshake(stranger, {"Origin": OWN}) == 401
    assert handshake(stranger, {"Authorization": "Bearer wrong"}) == 401
    assert handshake(stranger, {"Origin": OWN, "Cookie": "spymaster_8787=wrong"}) == 401


def test_a_foreign_host_is_refused_before_anything_else(stranger) -> None:
    assert handshake(stranger, {**BEARER, "Origin": "http://evil.example"}, "evil.example") == 400
    answer = stranger.get("/healthz", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "foreign_host")
    for host in ("", "127.0.0.1.evil.example", "evil.example:8787", "[::2]:8787", "[::1"):
        assert stranger.get("/healthz", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8787", "127.0.0.1:8787"])
def test_its_own_names_are_accepted(stranger, host: str) -> None:
    assert stranger.get("/healthz", headers={"Host": host}).status_code == 200


def test_names_and_ports_of_hosts() -> None:
    assert split_host("[::1]:80") == ("[::1]", "80")
    assert split_host("A.b:80") == ("a.b", "80")
    assert split_host("[::1]") == ("[::1]", "")


@pytest.mark.parametrize(
    "path", ["/v1/sessions", "/v1/version", "/v1/openapi.json", BASE, f"{BASE}/tiles/wall", "/metrics"]
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"},
                                     {"Cookie": "spymaster_8787="}])  # fmt: skip
def test_the_api_needs_the_token(stranger, path: str, headers: dict[str, str]) -> None:
    assert stranger.get(path, headers=headers).status_code == 401


def test_a_link_signs_in_once(stranger, app) -> None:
    ticket = mint_ticket(TOKEN)
    answer = stranger.get("/auth", params={"ticket": ticket}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    given = answer.headers["set-cookie"]
    assert given.startswith("spymaster_8787=")
    assert TOKEN not in given
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert attribute in given
    stranger.cookies.clear()
    value = given.split(";")[0]
    assert stranger.get("/v1/version", headers={"Cookie": value}).status_code == 200
    assert stranger.get("/auth", params={"ticket": ticket}, follow_redirects=False).status_code == 401


GOOD = mint_ticket(TOKEN)


@pytest.mark.parametrize(
    "ticket",
    [
        "",
        "x",
        "1.2.3",
        mint_ticket("other"),
        mint_ticket(TOKEN, now=0.0),
        GOOD[:-1],
        "9" * 300,
        f"9999999999.{GOOD[11:]}",
    ],
    ids=range(8),
)
def test_tickets_that_are_old_or_false_are_refused(stranger, ticket: str) -> None:
    assert stranger.get("/auth", params={"ticket": ticket}, follow_redirects=False).status_code in (401, 422)


def test_the_token_signs_in_too(stranger) -> None:
    assert stranger.post("/auth", json={"token": "wrong"}).status_code == 401
    answer = stranger.post("/auth", json={"token": TOKEN})
    assert answer.status_code == 204
    assert "spymaster_8787=" in answer.headers["set-cookie"]
    foreign = stranger.post("/auth", json={"token": TOKEN}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    stranger.cookies.clear()


def test_bodies_are_small_or_refused(stranger) -> None:
    assert stranger.post("/auth", json={"token": "x" * 5000}).status_code == 413
    assert stranger.request("GET", "/healthz", content=b"x").status_code == 413
    assert stranger.post("/auth", content=iter([b"x"])).status_code == 413


def test_every_answer_carries_the_headers(stranger) -> None:
    for answer in (stranger.get("/"), stranger.get("/healthz"), stranger.get("/v1/nothing"), stranger.get("/nothing")):
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in CSP


def test_an_error_nobody_foresaw_is_an_answer_like_others(served: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers, an id that the log has too, a problem document, a count; and nothing of what went wrong."""
    app = create_app(settings_for(served))

    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen, in a folder of someone")

    monkeypatch.setattr(app.state.services.store, "session", broken)
    logged: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("spymaster.serving.http"), "handle", logged.append)
    with TestClient(app, base_url=OWN, headers=BEARER) as one:
        answer = one.get(f"{BASE}/reading", params={"sec": 5})
        counted = one.get("/metrics").text
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "unforeseen" not in answer.text
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert [record.args for record in logged] == [(answer.headers["x-request-id"],)]
    assert 'spymaster_http_requests_total{code="500",route="/v1/sessions/{symbol}/{dt}/reading"} 1.0' in counted


def test_requests_have_a_rate() -> None:
    guard = Guard(ServingSettings(), TOKEN)
    assert [guard.may_ask("one") for _ in range(125)].count(True) in range(120, 124)
    assert guard.may_ask("another")


def test_without_authentication_only_this_machine_is_served() -> None:
    require_safe_bind(ServingSettings(auth="none"), "127.0.0.1")
    require_safe_bind(ServingSettings(auth="none"), "::1")
    require_safe_bind(ServingSettings(), "0.0.0.0")
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(UnsafeBindError):
            require_safe_bind(ServingSettings(auth="none"), host)


def test_the_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    token = security.load_token(ServingSettings())
    assert len(token) >= 43, "256 bits"
    assert security.load_token(ServingSettings()) == token
    path = security.token_file()
    assert path.is_relative_to(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]
    mine = SecretStr("mine-and-long-enough")
    assert security.load_token(ServingSettings(token=mine)) == "mine-and-long-enough"
    assert "mine" not in repr(ServingSettings(token=mine))


@pytest.mark.parametrize("content", ["", "\n", "short\n"])
def test_a_token_file_without_a_token_lets_nobody_in(tmp_path: Path, monkeypatch, content: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = security.token_file()
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(security.BadTokenError, match="Remove the file"):
        security.load_token(ServingSettings())
    with pytest.raises(security.BadTokenError):
        security.Guard(ServingSettings(), content.strip())


def test_of_two_processes_that_make_a_token_the_first_one_wins(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = security.token_file()
    link, first = os.link, "x" * 43

    def late(source: Path, target: Path) -> None:
        path.write_text(f"{first}\n")
        link(source, target)

    monkeypatch.setattr(security.os, "link", late)
    assert security.load_token(ServingSettings()) == first
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("token", ["", "fifteen-letters"])
def test_the_settings_refuse_a_token_that_can_be_guessed(monkeypatch, token: str) -> None:
    monkeypatch.setenv("SPYMASTER_SERVING__TOKEN", token)
    with pytest.raises(InvalidSettingsError, match=r"serving\.token") as refused:
        get_settings()
    if token:
        assert token not in str(refused.value), "an error message ends up in logs"
