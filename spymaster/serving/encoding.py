"""What an answer depends on besides the stored rows: the code that encodes them, and the settings it reads.

It is part of every data version, so that a browser or a cache on disk never shows codes of another width, scale or
meaning after a setting or the program has changed.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from inspect import getsourcefile
from pathlib import Path

from spymaster import __version__
from spymaster.lake.dense import dense_frame
from spymaster.market.instruments import load_instruments
from spymaster.settings import Settings


def encoding_version(settings: Settings) -> str:
    """Hash over the program and the settings that shape wire surfaces. Raises `InstrumentConfigError`."""
    shape = {
        "code": _code_version(),
        "half_ticks": settings.serving.half_ticks,
        "ladder_ticks": settings.serving.ladder_ticks,
        "grid_strikes": settings.options.grid_strikes,
        "instruments": sorted(repr(one) for one in load_instruments(settings).values()),
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _code_version() -> str:
    """Hash over the sources of this package and of the dense form of the wall."""
    digest = hashlib.sha256(__version__.encode())
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), Path(getsourcefile(dense_frame) or __file__)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
