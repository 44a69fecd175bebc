"""What can be wrong with the tables that setups are built from."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class SetupInputError(SpymasterError):
    """A table that lacks what a setup needs: the definition of the contract, a scale from the date itself or later."""
