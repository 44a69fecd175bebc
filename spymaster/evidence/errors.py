"""Errors of the search for automation."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class EvidenceInputError(SpymasterError):
    """The tables of a day do not fit together, or hold nothing that could be tested."""


class StratumError(SpymasterError):
    """A stratum is not registered, or the register breaks its own rules."""


class ForbiddenWordError(SpymasterError):
    """A report would say what data without names cannot say."""
