"""Candles, levels, and the state of the book around a move: what a trader calls a setup, from stored surfaces."""
