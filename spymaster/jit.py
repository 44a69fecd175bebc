"""How Spymaster compiles its Numba kernels: once, cached on disk, without the GIL.

Numba invalidates a cached kernel when the file that *defines* it changes, but not when a kernel it calls, in another
file, changes: a stale caller then keeps the old callee inlined. So each sub-package has a cache directory of its own,
keyed by a hash of its modules, of those of the sub-packages around it, and of `market` (record layout and constants).
Kernels call kernels of these only; a test holds that. The directories live under `NUMBA_CACHE_DIR` where that is set,
else in the user's cache directory, so that they survive runs, virtual environments and read-only installations.

Of several processes that need the same kernel one compiles it, and the others wait and take it from the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock

PACKAGE = Path(__file__).parent


@cache
def _cache_directory(folder: Path) -> str:
    digest = hashlib.sha256()
    around = [outer for outer in folder.parents if PACKAGE in outer.parents]
    folders = (folder, *around, PACKAGE / "market")
    for source in sorted({*(source for one in folders for source in one.glob("*.py")), Path(__file__)}):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba"
    return str(base / "spymaster" / f"{folder.name}-{digest.hexdigest()[:16]}")


def is_compiled(package: str) -> bool:
    """Whether compiled kernels of a package (`book`, `checks/kernels`), as its sources are now, lie on disk."""
    return any(Path(_cache_directory(PACKAGE / package)).rglob("*.nbc"))


def _compiler(folder: Path, options: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
    literals = options.pop("literals", True)

    def compile_lazily(function: Callable[..., Any]) -> Any:
        configured: Any = config
        before = configured.CACHE_DIR
        configured.CACHE_DIR = _cache_directory(folder)
        try:
            compiled = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
            one_at_a_time = _once_for_all_processes(compiled, Path(_cache_directory(folder)))
            return one_at_a_time if literals else _without_literals(one_at_a_time)
        finally:
            configured.CACHE_DIR = before

    return compile_lazily


def _once_for_all_processes(compiled: Any, directory: Path) -> Any:
    """Let one process at a time look for a kernel on disk and, where it is not there, compile it.

    Numba itself looks, compiles and stores without a lock: what two processes need at once, both compile, and of two
    versions that they add to a kernel's index at the same moment one is lost. A lock is held while the kernels that are
    called are compiled, each under its own; as kernels do not call each other in circles, nobody waits for ever. The
    lock of threads comes first, in every thread.
    """
    original, path = compiled.compile, directory / "locks" / f"{compiled.__module__}.{compiled.__qualname__}"

    def compile_once(signature: Any) -> Any:
        with global_compiler_lock, _held(path):
            return original(signature)

    compiled.compile = compile_once
    return compiled


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process; without one where the directory cannot be written, or has no locks."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _without_literals(compiled: Any) -> Any:
    """Let a constant argument be a number like any other.

    Numba compiles a kernel that kernels call once more for every constant that they pass: thirty versions of one draw
    of a random number, and of every kernel above it.
    """
    original = compiled.get_call_template

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        plain = {name: numba.types.unliteral(kind) for name, kind in kws.items()}
        return original(tuple(numba.types.unliteral(kind) for kind in args), plain)

    compiled.get_call_template = get_call_template
    return compiled


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator for every kernel, used as `@kernel()`; options are those of `numba.njit`, and `literals`.

    With `literals=False` kernels that pass constants share one compiled version, which is what a large family needs.

    Division follows NumPy (no exceptions), the GIL is released and the compiled code is cached.
    """
    return _compiler(Path(sys._getframe(1).f_code.co_filename).parent, options)


def hot_kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`kernel` for what runs once per record or row: always inlined, because a call costs as much as its work."""
    return _compiler(Path(sys._getframe(1).f_code.co_filename).parent, {"forceinline": True, **options})
