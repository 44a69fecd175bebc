"""What the engine refuses to process."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class BookError(SpymasterError):
    """A record that no book can apply; the message names the source, the record and the value."""


class TimeOrderError(BookError):
    """A live record older than the one before it."""


class OffTickPriceError(BookError):
    """An order priced between two ticks."""


class OversizeOrderError(BookError):
    """An order size that does not fit a quantity (2^31 lots or more)."""
