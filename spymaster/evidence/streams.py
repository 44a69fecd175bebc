"""Random numbers that depend on what they are for and on nothing else: not on order, nor on the number of workers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 2**40
"""In place of a surrogate's number: draws that data and all surrogates share."""
BOOTSTRAP = 2**40 + 1
EXEMPLARS = 2**40 + 2


@dataclass(frozen=True)
class Streams:
    """Philox generators keyed by (seed, test, stratum, surrogate), Salmon et al. 2011.

    seed: of the run. test: name of the test, with its sub-test. stratum: position in the registered list.
    """

    seed: int
    test: str
    stratum: int = 0

    def generator(self, number: int) -> np.random.Philox:
        """The bit generator of one surrogate (1, 2, ...), or of `GRID`, `BOOTSTRAP`, `EXEMPLARS`."""
        name = int.from_bytes(hashlib.blake2b(self.test.encode(), digest_size=8).digest(), "little")
        return np.random.Philox(counter=[0, 0, self.stratum, number], key=[self.seed, name])

    def words(self, number: int, n: int) -> NDArray[np.uint32]:
        """`n` uniform 32-bit words of one surrogate."""
        return self.generator(number).random_raw((n + 1) // 2).view(np.uint32)[:n]

    def random(self, number: int) -> np.random.Generator:
        """NumPy's generator over the same stream."""
        return np.random.Generator(self.generator(number))

    def offset(self, width: int) -> int:
        """Where the grid of cells of `width` ns starts: the same for data and surrogates."""
        return int(self.random(GRID).integers(0, width))

    def sub(self, name: str) -> Streams:
        """The streams of a sub-test."""
        return Streams(self.seed, f"{self.test}/{name}", self.stratum)
