"""Facts of the market that everything above shares: instruments, sessions, and the MBO record format."""
