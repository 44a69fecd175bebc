"""What can be wrong with a question about earlier sessions, and with what models learn from."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class QueryError(SpymasterError):
    """A question that cannot be asked: a time outside every session, an unknown family, direction or horizon."""


class StalePanelError(QueryError):
    """A panel that no longer fits the tables that it was made from: one of these was made anew since."""


class NotCausalError(QueryError):
    """A question about a time that, by its own words, has not come yet."""


class SampleError(SpymasterError):
    """Samples that cannot be used: of different panels, with missing numbers, or of unequal length."""


class ModelError(SpymasterError):
    """A model that cannot be made or read: an unknown head or algorithm, an artifact that is not what its hash says."""


class LedgerError(SpymasterError):
    """The ledger of trials would lose an entry, or a score would be shown that is not in it."""
