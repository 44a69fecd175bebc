"""Which process executes a run, and runs whose process is gone.

A killed process, or a power failure, leaves its run 'started' for ever: it would hold a slot of the run queue, and
runs of later dates would wait for it. Every run therefore carries the host, number and start of its process, and
whoever finds one whose process is gone marks it failed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg

PROCESS_TAG = "spymaster/process"
"""`host:pid:start`; the start tells a process from a later one with the same number."""

_RUNNING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def this_process() -> str:
    """The tag of runs that this process executes."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def sign(context: dg.AssetExecutionContext) -> None:
    """Write this process into the run; a run that was queued again carries that of the one before."""
    if context.run.tags.get(PROCESS_TAG) != this_process():
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})


def running(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that hold a slot."""
    return list(instance.get_runs(dg.RunsFilter(statuses=_RUNNING)))


def bury_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed whose process on this host is gone; returns their ids."""
    buried = []
    for run in running(instance):
        owner = run.tags.get(PROCESS_TAG)
        if owner and not _alive(owner):
            instance.report_run_failed(run, f"its process ({owner}) is gone")
            buried.append(run.run_id)
    return buried


def _alive(owner: str) -> bool:
    host, pid, start = owner.rsplit(":", 2)
    return host != socket.gethostname() or _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty where there is none, or no /proc to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
