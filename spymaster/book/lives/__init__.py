"""What every order did: one row per message after fills and book changes are paired, one row per life of an order.

A pass of its own beside the order book. It holds no queues and no grid: the best prices before an event come from the
rows of `bbo_change` that the book's pass has written, so that the book's pass pays nothing for these tables.
"""
