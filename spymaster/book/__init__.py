"""The order book: one resumable Numba pass over market-by-order records.

Belongs here: book state, the kernels over it, and the engine that feeds and drains them.
Does not: what is derived from the rows it emits (`surfaces`), nor how records are read (`feed`).
"""
