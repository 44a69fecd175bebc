"""How Spymaster compiles its Numba kernels: once, cached on disk, without the GIL.

Numba invalidates a cached kernel when the file that *defines* it changes, but not when a kernel it calls, in another
file, changes: a stale caller then keeps the old callee inlined. So each sub-package has a cache directory of its own,
keyed by a hash of its modules, of those of the sub-packages around it, and of `market` (record layout and constants).
Kernels call kernels of these only; a test holds that. The directories live under `NUMBA_CACHE_DIR` where that is set,
else in the user's cache directory, so that they survive runs, virtual environments and read-only installations.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config, types

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


def _compiler(folder: Path, options: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
    def compile_lazily(function: Callable[..., Any]) -> Any:
        configured: Any = config
        before = configured.CACHE_DIR
        configured.CACHE_DIR = _cache_directory(folder)
        try:
            return _one_version(numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))
        finally:
            configured.CACHE_DIR = before

    return compile_lazily


def _one_version(dispatcher: Any) -> Any:
    """Let kernels call a kernel without a version of it for every constant that they pass.

    Numba takes a literal argument for a type of its own and compiles the callee again for each value; LLVM folds the
    constants of what it inlines anyway.
    """
    template = dispatcher.get_call_template

    def without_literals(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return template(tuple(map(types.unliteral, args)), {name: types.unliteral(kws[name]) for name in kws})

    dispatcher.get_call_template = without_literals
    return dispatcher


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator for every kernel, used as `@kernel()`; options are those of `numba.njit`.

    Division follows NumPy (no exceptions), the GIL is released and the compiled code is cached.
    """
    return _compiler(Path(sys._getframe(1).f_code.co_filename).parent, options)


def hot_kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`kernel` for what runs once per record or row: always inlined, because a call costs as much as its work."""
    return _compiler(Path(sys._getframe(1).f_code.co_filename).parent, {"forceinline": True, **options})
