"""Services start together, stop together, and leave nothing behind, however unwilling they are."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spymaster.cli.supervisor import AlreadyRunningError, PortInUseError, hold, holder, require_free_port

DRIVER = """
import json, sys
from pathlib import Path
from spymaster.cli.supervisor import Service, Supervisor, hold
from spymaster.errors import SpymasterError
home, services = Path(sys.argv[1]), [Service(**one) for one in json.loads(sys.argv[2])]
ready = lambda: print("ready", flush=True)
try:
    with hold(home, {"web": "http://here"}):
        Supervisor(home, services, dict(__import__("os").environ), on_ready=ready, on_stop=lambda: None,
                   start_timeout_s=float(sys.argv[3]), stop_timeout_s=float(sys.argv[4])).run()
except SpymasterError as error:
    print(type(error).__name__, error, flush=True)
    sys.exit(1)
"""

SLEEP = "import os, time, pathlib; pathlib.Path({pid!r}).write_text(str(os.getpid())); time.sleep(100)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
ORPHANING = (
    "import subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', {stubborn!r}], start_new_session=True); time.sleep(100)"
)
WEB = (
    "import http.server, time; time.sleep(0.5); "
    "http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()"
)


class Supervised:
    """A supervisor in a process of its own."""

    def __init__(self, home: Path, *services: dict[str, str], start_s: float = 20, stop_s: float = 20) -> None:
        listed = [
            {**{k: v for k, v in one.items() if k != "code"}, "command": [sys.executable, "-c", one["code"]]}
            for one in services
        ]
        self.home = home
        home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(home), json.dumps(listed), str(start_s), str(stop_s)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def service(name: str, code: str, **more: str) -> dict[str, str]:
    return {"name": name, "code": code, **more}


def pid_in(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"nothing wrote {path}")


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended, and that nobody has asked for its exit code yet, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:  # it ended just now, or there is no /proc
        return not Path("/proc").is_dir()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Supervised]]:
    """Whatever a test starts is ended, even when the test fails."""
    running: list[Supervised] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_ready_is_said_once_every_service_answers(tmp_path: Path, port: int, started: list[Supervised]):
    health = f"http://127.0.0.1:{port}/"
    web = service("web", WEB.format(port=port), health=health)
    started.append(
        one := Supervised(tmp_path / "home", web, service("daemon", SLEEP.format(pid=str(tmp_path / "pid"))))
    )
    assert one.line() == "ready"
    daemon = pid_in(tmp_path / "pid")
    assert one.stop() == 0
    assert not alive(daemon)


def test_even_a_service_that_ignores_the_signal_is_ended(tmp_path: Path, started: list[Supervised]):
    code = STUBBORN.format(pid=str(tmp_path / "pid"))
    started.append(one := Supervised(tmp_path / "home", service("stubborn", code), stop_s=0.5))
    pid = pid_in(tmp_path / "pid")
    assert one.line() == "ready"
    assert one.stop(signal.SIGINT) == 0
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="adopting orphans needs Linux")
def test_a_stubborn_orphan_in_a_session_of_its_own_is_ended_too(tmp_path: Path, started: list[Supervised]):
    stubborn = STUBBORN.format(pid=str(tmp_path / "pid"))
    started.append(
        one := Supervised(tmp_path / "home", service("parent", ORPHANING.format(stubborn=stubborn)), stop_s=1)
    )
    pid = pid_in(tmp_path / "pid")
    assert one.line() == "ready"
    assert one.stop() == 0
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the death of a parent is told by Linux only")
def test_services_end_when_the_supervisor_is_killed(tmp_path: Path, started: list[Supervised]):
    started.append(one := Supervised(tmp_path / "home", service("daemon", SLEEP.format(pid=str(tmp_path / "pid")))))
    pid = pid_in(tmp_path / "pid")
    one.stop(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_signals_ignored_by_the_caller_still_stop_it(tmp_path: Path):
    """Started in the background of a script, a process inherits an ignored SIGINT."""
    pid_file = tmp_path / "pid"
    listed = json.dumps([{"name": "a", "command": [sys.executable, "-c", SLEEP.format(pid=str(pid_file))]}])
    (tmp_path / "home").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "home"), listed, "20", "20"],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)],
    )
    pid = pid_in(pid_file)
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        ignored = int(
            next(line for line in status.read_text().splitlines() if line.startswith("SigIgn")).split()[1], 16
        )
        assert not ignored & (1 << (signal.SIGTERM - 1))
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert not alive(pid)


def test_when_one_service_ends_all_do_and_its_last_words_are_told(tmp_path: Path, started: list[Supervised]):
    daemon = service("daemon", SLEEP.format(pid=str(tmp_path / "pid")))
    failing = service("web", "import time; time.sleep(1); print('port is cursed'); raise SystemExit(3)")
    started.append(one := Supervised(tmp_path / "home", daemon, failing))
    output, _ = one.process.communicate(timeout=30)
    assert one.process.returncode == 1
    assert "ServiceFailedError web ended (exit code 3)" in output
    assert "port is cursed" in output
    assert not alive(pid_in(tmp_path / "pid"))


def test_a_service_that_never_answers_is_given_up(tmp_path: Path, port: int, started: list[Supervised]):
    code = SLEEP.format(pid=str(tmp_path / "pid"))
    mute = service("web", code, health=f"http://127.0.0.1:{port}/")
    started.append(one := Supervised(tmp_path / "home", mute, start_s=1.5))
    output, _ = one.process.communicate(timeout=30)
    assert one.process.returncode == 1
    assert "did not answer" in output
    assert not alive(pid_in(tmp_path / "pid"))


def test_a_home_is_held_by_one_and_free_again_afterwards(tmp_path: Path, started: list[Supervised]):
    started.append(one := Supervised(tmp_path / "home", service("a", SLEEP.format(pid=str(tmp_path / "pid")))))
    assert one.line() == "ready"
    with pytest.raises(AlreadyRunningError, match=f"process {one.process.pid} .*http://here"), hold(one.home, {}):
        pass
    one.stop()
    with hold(one.home, {"web": "http://there"}):
        assert holder(one.home)["pid"] == os.getpid()
    assert holder(one.home) == {}


def test_a_killed_supervisor_leaves_the_home_free(tmp_path: Path, started: list[Supervised]):
    started.append(one := Supervised(tmp_path / "home", service("a", SLEEP.format(pid=str(tmp_path / "pid")))))
    assert one.line() == "ready"
    one.stop(signal.SIGKILL)
    with hold(one.home, {}):
        pass


def test_a_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUseError, match="--port"):
            require_free_port("127.0.0.1", other.getsockname()[1], option="--port")
