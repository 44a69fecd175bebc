"""Slow, literal re-computations that the fast engine is compared with; they share no code with `spymaster.book`.

`book.oracle_tables` replays records with dictionaries and lists; `polars_depth` finds the depth again without replaying
anything; `compare.compare_frames` shows the first difference; `tape.Tape` writes small streams by hand.
"""
