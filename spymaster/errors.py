"""The root of every error Spymaster raises on purpose."""

from __future__ import annotations


class SpymasterError(Exception):
    """An expected failure: bad input, a missing partition, a busy lock.

    The message names the file, the partition and the offending value; `hint` says what to do about it.
    Commands print both and exit non-zero; anything that is not a `SpymasterError` is a defect and keeps its traceback.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  {self.hint}" if self.hint else message
