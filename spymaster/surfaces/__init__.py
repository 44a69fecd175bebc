"""One-second surfaces around spot: wall, radar, vacuum, bands, and the calibration that makes scores of them.

What belongs here: arithmetic on frames that the engine or the lake hands over, as streams of blocks in bounded memory.
What does not: reading messages (`spymaster.book`), partitions and paths (`spymaster.lake`), columns and types
(`spymaster.tables`).
"""
