"""Runs long-lived services side by side and stops all of them, whatever happens.

Every service gets a session (and so a process group) of its own and default signals: started in the background of a
non-interactive shell, `dagster dev` inherits an ignored SIGINT, does not react to SIGTERM and orphans its children
(tried). Where the system can, this process adopts what its services leave behind, and they are told to stop when it
dies.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from spymaster.cli.home import log_folder, open_log, tail
from spymaster.errors import SpymasterError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AlreadyRunningError(SpymasterError):
    """Another supervisor holds this Dagster home."""


class PortInUseError(SpymasterError):
    """A service's port is taken by another program."""


class ServiceFailedError(SpymasterError):
    """A service ended, or did not answer in time."""


@dataclass(frozen=True)
class Service:
    """One process to keep running. `health` must answer an HTTP GET with 200 before the service counts as up."""

    name: str
    command: tuple[str, ...]
    url: str | None = None
    health: str | None = None


@dataclass
class Running:
    """A service that was started, and whether it has answered."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path
    ready: bool

    def has_answered(self) -> bool:
        """Whether it counts as up by now."""
        self.ready = self.ready or answers(self.service.health or "")
        return self.ready


def start(service: Service, home: Path, environment: Mapping[str, str]) -> Running:
    """Start one service in a session of its own; its output goes to a log among those of `home`."""
    log = log_folder(home) / f"{service.name}.log"
    with open_log(log) as output:
        process = subprocess.Popen(
            service.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=default_signals,
        )
    return Running(service, process, log, ready=service.health is None)


@contextmanager
def hold(home: Path, addresses: Mapping[str, str]) -> Iterator[None]:
    """Own a Dagster home for as long as the context lasts; the lock vanishes with this process, however it ends."""
    path = home / "up.lock"
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = holder(home)
            where = ", ".join(owner.get("addresses", {}).values()) or "no address"
            raise AlreadyRunningError(
                f"{home} is already in use by process {owner.get('pid', 'unknown')} ({where})",
                hint="stop it with Ctrl-C (or SIGTERM), or use another --lake",
            ) from None
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "started": time.time(), "addresses": dict(addresses)}))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def holder(home: Path) -> dict[str, Any]:
    """What the process that holds `home` wrote about itself; empty when nothing is known."""
    with suppress(OSError, ValueError):
        return json.loads((home / "up.lock").read_text(encoding="utf-8"))
    return {}


def require_free_port(host: str, port: int, *, option: str) -> None:
    """Raise `PortInUseError` unless `port` can be bound now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUseError(
                f"cannot listen on {host}:{port}: {error.strerror}", hint=f"choose another with {option}"
            ) from None


class Supervisor:
    """Starts services, waits until they answer, and ends them together.

    running: what was started before, and is watched and ended with the others.
    """

    def __init__(
        self,
        home: Path,
        services: Sequence[Service],
        environment: Mapping[str, str],
        *,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        running: Sequence[Running] = (),
        start_timeout_s: float = 120.0,
        stop_timeout_s: float = 20.0,
    ) -> None:
        self._home = home
        self._services = services
        self._environment = dict(environment)
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._stop = threading.Event()
        self._hurry = False
        self._running: list[Running] = [*running]

    def run(self) -> None:
        """Block until a stop signal or the failure of a service (`ServiceFailedError`); leaves nothing running."""
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        _prctl(_PR_SET_CHILD_SUBREAPER)
        try:
            for service in self._services:
                self._running.append(start(service, self._home, self._environment))
            self._wait_until_ready()
            while not self._stop.wait(0.25):
                self._require_alive()
                _reap_adopted(keep=[running.process for running in self._running])
        finally:
            self._on_stop()
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._hurry = self._stop.is_set()
        self._stop.set()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while waiting := [running for running in self._running if not running.ready]:
            if self._stop.wait(0.25):
                return
            self._require_alive()
            for running in waiting:
                running.has_answered()
            if time.monotonic() > deadline:
                slow = waiting[0]
                raise ServiceFailedError(
                    f"{slow.service.name} did not answer on {slow.service.health} "
                    f"within {self._start_timeout_s:.0f} s\n{tail(slow.log)}",
                    hint=f"its log: {slow.log}",
                )
        self._on_ready()

    def _require_alive(self) -> None:
        for running in self._running:
            code = running.process.poll()
            if code is not None and not self._stop.is_set():
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise ServiceFailedError(
                    f"{running.service.name} ended ({how})\n{tail(running.log)}", hint=f"its log: {running.log}"
                )

    def _stop_all(self) -> None:
        own = os.getpgrp()
        told: set[int] = set()
        deadline = time.monotonic() + self._stop_timeout_s
        killed = False
        while True:
            for running in self._running:
                running.process.poll()
            _reap_adopted(keep=())
            # What a service left behind, in a session of its own, has become a child of this process.
            groups = {running.process.pid for running in self._running} | (_child_groups() - {own})
            alive = {group for group in groups if _exists(group)}
            if not alive:
                return
            _signal_all(alive - told, signal.SIGTERM)
            told |= alive
            if not killed and (self._hurry or time.monotonic() > deadline):
                _signal_all(alive, signal.SIGKILL)
                killed = True
            time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether a GET of `url` returns 200 now."""
    try:
        with _NO_PROXY.open(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def default_signals() -> None:
    """For a child between fork and exec: signals as at login, and an end of its own when its parent dies."""
    for number in (*STOP_SIGNALS, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int = 1) -> None:
    if _LIBC is not None:
        _LIBC.prctl(option, value, 0, 0, 0)


def _signal_all(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _child_groups() -> set[int]:
    """Process groups of this process's children, adopted ones included; empty where /proc does not tell."""
    groups: set[int] = set()
    with suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                with suppress(ProcessLookupError):
                    groups.add(os.getpgid(int(pid)))
    return groups


def _reap_adopted(keep: Sequence[subprocess.Popen[bytes]]) -> None:
    """Collect dead children, but leave the status of those in `keep` to their `Popen`."""
    kept = {process.pid for process in keep}
    with suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and dead.si_pid not in kept:
            os.waitpid(dead.si_pid, os.WNOHANG)
