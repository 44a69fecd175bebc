"""A kernel for processes that compile it at the same time."""

from spymaster.jit import kernel


@kernel()
def small(x):
    """Nonsense that takes a moment to compile."""
    total = x
    for i in range(7):
        for j in range(i):
            total += (x + i) * (x - j) if total > j else total / (1 + i)
    return total
