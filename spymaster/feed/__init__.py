"""Market data in: DBN files (and later live streams) to record batches and Bronze tables."""
