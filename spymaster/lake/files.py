"""Durable files: staging outside the tables, fsync, atomic replace, and locks that end with their process."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from spymaster.lake import layout
from spymaster.lake.errors import LakeLockedError, full_disk_named


def sync_directory(path: Path) -> None:
    """Make renames inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create `path` and its missing parents so that they outlive a power failure."""
    missing = [path, *path.parents]
    missing = missing[: next(number for number, folder in enumerate(missing) if folder.is_dir())]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_directory(folder.parent)


def open_staging(root: Path, name: str) -> tuple[Path, FileIO]:
    """Create a staging file for exclusive writing; its name contains `name`, this process and a random part.

    The file is locked for as long as it is open: `clean_staging` removes only files that nobody holds.
    """
    folder = layout.staging_dir(root)
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{name}.{os.getpid()}-{secrets.token_hex(4)}"
        file = FileIO(path, "xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_file_at(file, path):
            return path, file
        file.close()  # a cleaner took it between creation and lock


def clean_staging(root: Path) -> list[Path]:
    """Remove what crashed writers left in `_staging`; files that a running process holds stay. Never touches raw.

    Returns the removed paths.
    """
    folder = layout.staging_dir(root)
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            file = FileIO(path, "rb")
        except (FileNotFoundError, IsADirectoryError):
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _is_file_at(file, path):
                path.unlink()
                removed.append(path)
    return removed


def replace_durably(staged: Path, target: Path) -> None:
    """Move `staged` to `target` in one atomic step and make the move durable."""
    make_directory(target.parent)
    os.replace(staged, target)
    sync_directory(target.parent)


def write_durably(root: Path, target: Path, content: bytes) -> None:
    """Write a small file under `root` so that readers see the old or the new content, never a part of it.

    Raises `LakeFullError` if there is no space.
    """
    with full_disk_named(str(target)):
        staged, file = open_staging(root, target.name)
        try:
            with file:
                write_all(file, content)
                os.fsync(file.fileno())
                replace_durably(staged, target)
        finally:
            staged.unlink(missing_ok=True)


def write_all(file: FileIO, content: bytes | memoryview) -> None:
    """Write all of `content`: a raw file may take less than it is given."""
    view = memoryview(content)
    written = 0
    while written < len(view):
        written += file.write(view[written:]) or 0


@contextmanager
def locked(root: Path, label: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock named `label`. The kernel releases it with the process, so a crash leaves nothing to clean up.

    Raises `LakeLockedError` naming the holder if somebody else has it (with `wait`, waits instead).
    """
    folder = layout.locks_dir(root)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{label.replace(' ', '.')}.lock"
    file = _acquire(path, label, wait=wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _acquire(path: Path, label: str, *, wait: bool) -> FileIO:
    while True:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read(32).decode(errors="replace").strip() or "unknown"
            file.close()
            raise LakeLockedError(
                f"{label} is being written by process {holder}",
                hint="Wait for that run to end; two runs never write one partition at the same time.",
            ) from None
        if _is_file_at(file, path):  # else: the last holder removed it while we waited
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
            return file
        file.close()


def _is_file_at(file: FileIO, path: Path) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    opened = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
