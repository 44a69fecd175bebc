"""Finished steps of a long benchmark, one JSON line each, and what made them: a run that was ended goes on.

A line counts only where sources, settings and libraries are what they were.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spymaster.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[1]


def made_by(
    sources: Iterable[str], sections: Sequence[str], libraries: Sequence[str], settings: Settings, repository: Path
) -> str:
    """Hash of files (patterns below the repository), of sections of the settings and of versions of libraries."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in sources for path in repository.glob(pattern)}):
        digest.update(path.relative_to(repository).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name in sections:
        digest.update(f"{name} {getattr(settings, name).model_dump_json()}\n".encode())
    for name in libraries:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    return digest.hexdigest()[:16]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Lines of a file of results; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Add a finished step."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
