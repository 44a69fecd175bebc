"""How Spymaster compiles its Numba kernels: once, cached on disk, without the GIL.

Numba invalidates a cached kernel when the file that *defines* it changes, but not when a kernel it calls, in another
file, changes: a stale caller then keeps the old callee inlined. The cache directory is therefore keyed by a hash of
every module of the package that compiles something, and it lives in the user's cache directory so that it survives
runs, virtual environments and read-only installations. `NUMBA_CACHE_DIR` overrides it.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

import numba
from numba.core import config


def _source_fingerprint() -> str:
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if b"spymaster.jit" in source or b"book.layout" in source or path.name == "layout.py":
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(source)
    return digest.hexdigest()[:16]


def _use_shared_cache() -> None:
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    config.CACHE_DIR = str(base / "spymaster" / "numba" / _source_fingerprint())  # pyright: ignore[reportAttributeAccessIssue]


_use_shared_cache()

kernel = partial(numba.njit, cache=True, nogil=True, boundscheck=False, error_model="numpy")
"""Decorator for every kernel: `@kernel` is not callable bare, use `@kernel()`."""
