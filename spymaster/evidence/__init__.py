"""The search for automation in order-by-order data: pre-registered tests, surrogate nulls, effects in human units.

Belongs here: what is computed from arrays of a day (`arrays`), by tests that are pure functions
`run(day, stratum, streams, surrogates) -> TestResult`. Does not: rows of tables (`surfaces.lives` makes them), nor any
p-value that takes messages for independent: those reject in every bursty market.
"""
