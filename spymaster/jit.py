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
from numba.core import config

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
            return compiled if literals else _without_literals(compiled)
        finally:
            configured.CACHE_DIR = before

    return compile_lazily


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
