"""Random numbers that depend on what they are for and on nothing else: not on order, nor on the number of workers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spymaster.jit import kernel

GRID = 2**40
"""In place of a surrogate's number: draws that data and all surrogates share."""
BOOTSTRAP = 2**40 + 1
EXEMPLARS = 2**40 + 2


@kernel()
def four_words(block, number, key_low, key_high):
    """Four uniform 32-bit words by Philox 4x32 in ten rounds (Salmon, Moraes, Dror & Shaw 2011), of one counter."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b = np.uint64(block) & mask, np.uint64(0)
    c, d = np.uint64(number) & mask, np.uint64(number) >> half
    k, m = np.uint64(key_low), np.uint64(key_high)
    for _ in range(10):
        one, other = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (other >> half) ^ b ^ k, other & mask, (one >> half) ^ d ^ m, one & mask
        k, m = (k + np.uint64(0x9E3779B9)) & mask, (m + np.uint64(0xBB67AE85)) & mask
    return a, b, c, d


@kernel()
def fill_words_from(key_low, key_high, number, first, words):
    """Fill with words of `four_words` whose counters are (first + place / 4, 0, number).

    Words from a place that four divides on are those that the whole would have there.
    """
    n = words.shape[0]
    for block in range((n + 3) // 4):
        a, b, c, d = four_words(np.uint64(first) + np.uint64(block), number, key_low, key_high)
        place = 4 * block
        words[place] = a
        if place + 1 < n:
            words[place + 1] = b
        if place + 2 < n:
            words[place + 2] = c
        if place + 3 < n:
            words[place + 3] = d


@kernel()
def fill_blocks(key_low, key_high, number, blocks, words):
    """Words of some fours of places only: those of block `blocks[k]` from `4 * k` on."""
    for one in range(blocks.shape[0]):
        a, b, c, d = four_words(blocks[one], number, key_low, key_high)
        words[4 * one], words[4 * one + 1], words[4 * one + 2], words[4 * one + 3] = a, b, c, d


@dataclass(frozen=True)
class SomeWords:
    """Words of some places: `blocks` (fours of places) that hold them, and where each place is among those words."""

    blocks: NDArray[np.int64]
    at: NDArray[np.int64]

    @classmethod
    def of(cls, places: NDArray[np.int64]) -> SomeWords:
        """For these places, in any order and as often as they come."""
        blocks, inverse = np.unique(places // 4, return_inverse=True)
        return cls(blocks, inverse * 4 + places % 4)


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
        words = np.empty(n, np.uint32)
        fill_words_from(*self.key, number, 0, words)
        return words

    @cached_property
    def key(self) -> tuple[int, int]:
        """Both halves of the key that `words` are drawn with, for kernels that draw their own."""
        text = f"{self.seed} {self.test} {self.stratum}"
        key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
        return key & 0xFFFFFFFF, key >> 32

    def random(self, number: int) -> np.random.Generator:
        """NumPy's generator over the same stream."""
        return np.random.Generator(self.generator(number))

    def offset(self, width: int) -> int:
        """Where the grid of cells of `width` ns starts: the same for data and surrogates."""
        return int(self.random(GRID).integers(0, width))

    def sub(self, name: str) -> Streams:
        """The streams of a sub-test."""
        return Streams(self.seed, f"{self.test}/{name}", self.stratum)
