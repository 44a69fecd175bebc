"""How the suite is spread over worker processes (pytest-xdist): one for each core, whole files to each.

Fixtures of a module are made where its file is tested. Folders whose tests share a lake go to one worker as a whole,
and tests that mostly wait for processes of their own go one by one. A request for single files, or a debugger, gets no
workers: starting them takes longer than most files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

MOST_WORKERS = 4
"""Many tests start processes themselves."""

TOGETHER = ("spymaster_tests/checks/", "spymaster_tests/serving/")
"""Folders with a lake that is made once for all their tests."""

APART = ("spymaster_tests/assets/test_backfill.py", "spymaster_tests/assets/test_runner.py", "spymaster_tests/hud/")
"""Files (and folders) of long tests that share nothing."""


class Spreading(LoadScopeScheduling):
    """See the module. Units are handed out in the order of the files, the longest of which come first."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """What a test goes to a worker with: a folder, its file, or nothing else."""
    for folder in TOGETHER:
        if nodeid.startswith(folder):
            return folder
    return nodeid if nodeid.startswith(APART) else nodeid.split("::", 1)[0]


def workers(arguments: list[str]) -> int:
    """How many processes test what the command line names: 0 for this one alone."""
    folders = all(Path(argument.split("::", 1)[0]).is_dir() for argument in arguments)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS) if folders and cores > 1 else 0
