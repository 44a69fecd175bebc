"""What can be wrong with a request to simulate, or go wrong in a run."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class SimulatorConfigError(SpymasterError):
    """A profile, agent or script file that cannot be read, or a field in it that cannot be right."""


class SimulationRequestError(SpymasterError):
    """Parameters of a run that contradict each other or name something that does not exist."""


class SimulationRefusedError(SpymasterError):
    """The lake holds real data, or a raw file would have to change."""


class SimulatorCapacityError(SpymasterError):
    """An array of the market is full: more orders, price levels or records than it was made for."""


class MeasureError(SpymasterError):
    """A file of orders cannot be measured."""
