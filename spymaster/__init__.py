"""Order-book mechanics around spot, from CME market-by-order data to one-second surfaces."""

__version__ = "0.1.0"
