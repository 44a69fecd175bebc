"""What can be wrong with the frames a surface is built from."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class SurfaceInputError(SpymasterError):
    """Rows out of order, rows of a window that the snapshot table does not have, or a window split over two blocks."""


class CalibrationError(SpymasterError):
    """An unusable calibration: a missing metric, or a pool with sessions that are not earlier than the date."""
