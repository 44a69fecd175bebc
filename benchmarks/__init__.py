"""Repeatable performance measurements, with peers. Run one with ``spymaster bench`` or ``python -m benchmarks``."""
