"""The code location as daemons of tests load it: without pictures, which have tests of their own."""

from spymaster.surfaces import pictures
from spymaster_assets.definitions import defs

pictures.DRAWINGS.clear()

__all__ = ["defs"]
