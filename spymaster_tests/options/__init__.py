"""Tests of `spymaster.options`."""
