"""The Dagster code location: assets, partitions, checks, schedules. Thin: what it computes lives in `spymaster`."""
