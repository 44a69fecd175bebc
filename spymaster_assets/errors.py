"""Which errors are worth another try. Data errors are not: they fail at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from spymaster.errors import SpymasterError

TRANSIENT = (ConnectionError, TimeoutError)
"""Errors that heal by themselves: the step is tried again, and what it had committed is fresh then."""


@contextmanager
def no_vain_retries() -> Iterator[None]:
    """Turn every error that another try cannot heal into a failure that Dagster's retry policy leaves alone."""
    try:
        yield
    except (dg.Failure, dg.RetryRequested, *TRANSIENT):
        raise
    except Exception as error:
        said = str(error) if isinstance(error, SpymasterError) else f"{type(error).__name__}: {error}"
        raise dg.Failure(said, allow_retries=False) from error
