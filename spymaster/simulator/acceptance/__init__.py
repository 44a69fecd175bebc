"""Is the simulated market like a real one? Measures of files of orders, targets, pictures, and fitting to real days.

Measures need records only, so that a simulated file and a real one are measured alike.
"""

from spymaster.simulator.acceptance.targets import Target, failed, judged_beside, targets

__all__ = ["Target", "failed", "judged_beside", "targets"]
