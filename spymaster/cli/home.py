"""Where Dagster keeps its history for a lake root, and the environment of the processes started for it.

One Dagster home belongs to one lake root, so that simulated and real history never share a database: `DAGSTER_HOME`
where it is set, else `<root>/_dagster`, holding the top-level `dagster.yaml` with its storage moved into this root.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from spymaster.errors import SpymasterError

DEFAULT_STORAGE = "lake/_dagster"
"""Storage folder that the top-level `dagster.yaml` names: that of the default root, relative to the repository."""

OWN_HOME = "_dagster"
"""Folder of a root that is its Dagster home unless `DAGSTER_HOME` names another."""

_WORKSPACE = """\
# Written by `spymaster`: the code location that the webserver and the daemon load.
load_from:
  - python_module:
      module_name: spymaster_assets.definitions
      location_name: spymaster_assets
"""

_REPOSITORY = Path(__file__).resolve().parents[2]


class DagsterConfigError(SpymasterError):
    """The instance configuration that a Dagster home is made from cannot be found."""


def dagster_home(root: Path) -> Path:
    """The Dagster home of a lake root (absolute), whether or not it exists."""
    chosen = os.environ.get("DAGSTER_HOME")
    return Path(chosen).expanduser().absolute() if chosen else root / OWN_HOME


def prepare_home(root: Path, *, own: bool = False) -> Path:
    """Make the Dagster home ready to use and return it; with `own` that of the root, whatever `DAGSTER_HOME` says.

    A home named by `DAGSTER_HOME` keeps the `dagster.yaml` that it has; that of a root is rewritten from the top-level
    file each time, so that an upgrade reaches every root.
    """
    home = root / OWN_HOME if own else dagster_home(root)
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if own or "DAGSTER_HOME" not in os.environ or not config.exists():
        _replace(config, instance_config(home))
    _replace(home / "workspace.yaml", _WORKSPACE)
    return home


def instance_config(home: Path) -> str:
    """The top-level `dagster.yaml` with the default root's storage folder replaced by `home`."""
    source = template()
    lines = []
    for line in source.read_text(encoding="utf-8").splitlines():
        body, hash_mark, comment = line.partition("#")
        lines.append(body.replace(DEFAULT_STORAGE, home.as_posix()) + hash_mark + comment)
    return "\n".join(lines) + "\n"


def template() -> Path:
    """The `dagster.yaml` that homes are made from: that of the checkout, else the one shipped in the package."""
    for candidate in (_REPOSITORY / "dagster.yaml", _REPOSITORY / "spymaster" / "config" / "dagster.yaml"):
        if candidate.is_file():
            return candidate
    raise DagsterConfigError(
        f"no dagster.yaml in {_REPOSITORY} nor in the installed package",
        hint="set DAGSTER_HOME to a folder with a dagster.yaml of your own",
    )


def environment(root: Path, home: Path) -> dict[str, str]:
    """Environment of a Dagster process that works on `root`."""
    return {
        **os.environ,
        "SPYMASTER_LAKE_ROOT": str(root),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "PYTHONUNBUFFERED": "1",
    }


def log_folder(home: Path) -> Path:
    """Folder of the logs of the processes that commands start."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_log(path: Path) -> BinaryIO:
    """An empty log to write, readable by its owner only: what a process prints is not for everyone on the machine."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # one of an earlier start keeps its mode otherwise
    return os.fdopen(descriptor, "wb")


def tail(path: Path, lines: int = 20) -> str:
    """Last lines of a log file, for the message about the process that wrote it."""
    try:
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - 65_536))
            text = handle.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _replace(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
