"""Compiled loops of the checks that a query cannot express."""
