"""Tests of `spymaster.research`."""
